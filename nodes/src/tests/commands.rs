//! Commands in containers, through a whole node: exec, attach, probes, hooks, last words.

use coracle_proto::v1::{
    ExecOpen, ExecRequest, StdinClose, exec_request::Message as Ask, exec_response::Message as Answer,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::rig::Rig;
use crate::testing::Scratch;

/// Output, errors and code of a command.
type Ended = (String, String, i32);

async fn stream(rig: &Rig, open: ExecOpen, input: &str) -> Result<Ended, tonic::Status> {
    let (sender, receiver) = mpsc::channel(8);
    let asked = [
        Ask::Open(open),
        Ask::Stdin(input.as_bytes().to_vec().into()),
        Ask::CloseStdin(StdinClose {}),
    ];
    for message in asked {
        let message = Some(message);
        sender.send(ExecRequest { message }).await.expect("room");
    }
    let mut answers = rig
        .node_service()
        .exec(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    let (mut output, mut errors, mut code) = (Vec::new(), Vec::new(), -1);
    while let Some(answer) = answers.message().await? {
        match answer.message {
            Some(Answer::Stdout(data)) => output.extend(data),
            Some(Answer::Stderr(data)) => errors.extend(data),
            Some(Answer::Exit(exit)) => code = exit.code,
            None => {}
        }
    }
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ok((text(output), text(errors), code))
}

fn open(pod: &str, words: &[&str]) -> ExecOpen {
    ExecOpen {
        namespace: "default".to_owned(),
        pod: pod.to_owned(),
        command: words.iter().map(|&word| word.to_owned()).collect(),
        stdin: true,
        stdout: true,
        stderr: true,
        ..ExecOpen::default()
    }
}

async fn exec(rig: &Rig, pod: &str, words: &[&str], input: &str) -> Result<Ended, tonic::Status> {
    stream(rig, open(pod, words), input).await
}

fn script(script: &str) -> Value {
    json!({"containers": [{"name": "c", "image": "busybox", "command": ["sh", "-c", script]}]})
}

#[tokio::test]
async fn commands_run_beside_a_script_on_its_files() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 20).await;
    rig.create(
        "box",
        script("echo one > /tmp/f; echo logged; while sleep 0.05; do :; done"),
    )
    .await;
    rig.pod("box", "running", None, 0).await;
    rig.create("web", super::serving("nginx")).await;
    rig.pod("web", "running", None, 0).await;
    for (pod, words, input, expected) in [
        ("box", &["cat", "-"][..], "typed", ("typed", "", 0)),
        (
            "box",
            &["sh", "-c", "echo $0; echo e >&2; exit 3"],
            "",
            ("sh\n", "e\n", 3),
        ),
        ("web", &["hostname"], "", ("web\n", "", 0)),
        ("web", &["printenv", "PORT"], "", ("8080\n", "", 0)),
        (
            "web",
            &["wget", "-qO-", "http://web:8080/"],
            "",
            ("Hello from web on node-1 (nginx:latest)\n", "", 0),
        ),
    ] {
        let (output, errors, code) = exec(&rig, pod, words, input).await.expect("it starts");
        assert_eq!((output.as_str(), errors.as_str(), code), expected, "{words:?}");
    }
    // The script may be a moment behind.
    loop {
        let (output, ..) = exec(&rig, "box", &["cat", "/tmp/f"], "")
            .await
            .expect("it starts");
        if output == "one\n" {
            break;
        }
    }
    let missing = exec(&rig, "box", &["nothing"], "")
        .await
        .expect_err("there is no such command");
    assert!(
        missing
            .message()
            .ends_with("exec: \"nothing\": executable file not found in $PATH: unknown"),
        "{missing}"
    );
    let nobody = exec(&rig, "nobody", &["ls"], "")
        .await
        .expect_err("there is no such pod");
    assert_eq!(nobody.code(), tonic::Code::NotFound);
    rig.stop().await;
}

#[tokio::test]
async fn who_is_attached_types_to_the_main_command() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 21).await;
    let mut spec = script("read x; echo got $x; exit 4");
    spec["containers"][0]["stdin"] = true.into();
    spec["containers"][0]["stdinOnce"] = true.into();
    spec["restartPolicy"] = "Never".into();
    rig.create("asks", spec).await;
    rig.pod("asks", "running", None, 0).await;
    let attach = ExecOpen {
        attach: true,
        ..open("asks", &[])
    };
    let (output, _, code) = stream(&rig, attach, "a word\n").await.expect("it is joined");
    assert_eq!((output.as_str(), code), ("got a word\n", 0));
    let status = rig.pod("asks", "terminated", Some("Error"), 0).await;
    assert_eq!(
        status["containerStatuses"][0]["state"]["terminated"]["exitCode"],
        4
    );
    assert_eq!(rig.logs("asks", false).await.expect("log"), "got a word\n");
    rig.stop().await;
}

#[tokio::test]
async fn probes_by_command_decide() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 22).await;
    let mut spec = script("while sleep 1; do :; done");
    spec["containers"][0]["readinessProbe"] =
        json!({"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1});
    rig.create("gated", spec).await;
    rig.pod("gated", "running", None, 0).await;
    let ready = || {
        let pod = rig.find(coracle_api::kinds::POD, "default", "gated")?;
        pod["status"]["containerStatuses"][0]["ready"].as_bool()
    };
    assert_eq!(ready(), Some(false));
    exec(&rig, "gated", &["touch", "/tmp/ready"], "")
        .await
        .expect("it starts");
    rig.until("ready", || ready().filter(|ready| *ready)).await;

    let mut spec = script("while sleep 1; do :; done");
    spec["containers"][0]["livenessProbe"] = json!({"exec": {"command": ["sh", "-c", "echo unwell; exit 1"]}, "periodSeconds": 1, "failureThreshold": 1});
    spec["containers"][0]["lifecycle"] =
        json!({"preStop": {"exec": {"command": ["sh", "-c", "echo bye > /dev/termination-log"]}}});
    rig.create("sick", spec).await;
    let status = rig.pod("sick", "running", None, 1).await;
    let last = &status["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(
        (&last["exitCode"], &last["message"]),
        (&json!(143), &json!("bye\n"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn hooks_run_and_last_words_are_told() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 23).await;
    let mut spec = script("while sleep 1; do :; done");
    spec["containers"][0]["lifecycle"] =
        json!({"postStart": {"exec": {"command": ["sh", "-c", "echo $HOSTNAME > /tmp/greeting"]}}});
    rig.create("greeted", spec).await;
    rig.pod("greeted", "running", None, 0).await;
    loop {
        let (output, ..) = exec(&rig, "greeted", &["cat", "/tmp/greeting"], "")
            .await
            .expect("it starts");
        if output == "greeted\n" {
            break;
        }
    }
    let mut spec = script("while sleep 1; do :; done");
    spec["containers"][0]["lifecycle"] = json!({"postStart": {"exec": {"command": ["false"]}}});
    spec["terminationGracePeriodSeconds"] = 0.into();
    rig.create("refused", spec).await;
    rig.pod("refused", "waiting", Some("CrashLoopBackOff"), 1).await;

    let words = |pod: &str| {
        let pod = rig.find(coracle_api::kinds::POD, "default", pod)?;
        let ended = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
        ended["message"].as_str().map(str::to_owned)
    };
    rig.create("talks", script("echo last words > /dev/termination-log; exit 3"))
        .await;
    let told = rig.until("words of talks", || words("talks")).await;
    assert_eq!(told, "last words\n");
    let mut spec = script("echo a line in the log; exit 3");
    spec["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError".into();
    rig.create("logs", spec).await;
    let told = rig.until("words of logs", || words("logs")).await;
    assert_eq!(told, "a line in the log\n");
    rig.stop().await;
}
