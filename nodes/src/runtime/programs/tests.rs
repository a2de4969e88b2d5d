//! What programs make of their command lines.

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use coracle_service::{Clock, Env, Shutdown, Spawn};

use super::{find, sh};
use crate::{
    logs::Logs,
    network::pod::Direct,
    pods::view::ContainerSpec,
    runtime::{
        life::Life,
        program::{Invocation, PodIdentity, Run, Step, Usage},
    },
    testing::Scratch,
    volumes::{Files, Volumes, local::LocalStore},
};

/// What a program of a pod `web` is given, with its files and log below `folder`.
pub fn invocation(folder: &Path) -> Invocation {
    let pod = Arc::new(PodIdentity {
        name: "web".into(),
        namespace: "default".into(),
        uid: "uid".into(),
        node: "node-1".into(),
        ip: Ipv4Addr::LOCALHOST,
        hostname: "web".into(),
        subdomain: "".into(),
        host_aliases: Box::default(),
        name_server: None,
    });
    let (own, env) = (
        LocalStore::new(folder.join("rootfs"), Spawn::inline()),
        Env::host(),
    );
    let files = Files::new(own, &ContainerSpec::default(), &Volumes::new(), Arc::clone(&pod));
    Invocation {
        pod,
        image: ("http".into(), "v1".into()),
        arguments: Vec::new(),
        env: Vec::new(),
        ports: &[],
        files: Arc::new(files),
        log: Logs::new(folder).log(&"uid".into(), "c", 0),
        clock: Clock::system(),
        network: Arc::new(Direct(env.clone())),
        surroundings: env,
        life: Life::new("main", Shutdown::new(), Box::new(|_| {})),
        stdin: false,
        stdin_once: false,
        tty: false,
    }
}

fn run(scratch: &Scratch, words: &[&str], env: &[(&str, &str)], ports: &'static [u16]) -> Result<Run, Usage> {
    let (word, arguments) = words.split_first().expect("a program");
    let mut invocation = invocation(scratch.path());
    invocation.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    invocation.env = env
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    invocation.ports = ports;
    find(word).expect("known").start(Arc::new(invocation))
}

/// `idle`, the steps, `serve PORTS` or the complaint.
fn told(words: &[&str], env: &[(&str, &str)], ports: &'static [u16]) -> String {
    let scratch = Scratch::new();
    match run(&scratch, words, env, ports) {
        Ok(Run::Idle) => "idle".to_owned(),
        Ok(Run::Script(steps)) => {
            let text = steps.iter().map(|step| match step {
                Step::Print(line) => format!("print {line}"),
                Step::Wait(duration) => format!("wait {duration:?}"),
                Step::Forever => "forever".to_owned(),
                Step::Exit(code) => format!("exit {code}"),
            });
            text.collect::<Vec<_>>().join(", ")
        }
        Ok(Run::Task(_)) => "task".to_owned(),
        Ok(Run::Serve { ports, .. }) => format!("serve {ports:?}"),
        Err(Usage(message)) => message,
    }
}

#[test]
fn command_lines_mean_what_they_say() {
    let check = |words: &[&str], expected: &str| assert_eq!(told(words, &[], &[]), expected, "{words:?}");
    check(&["pause"], "idle");
    check(&["sleep", "infinity"], "idle");
    check(&["sleep", "1.5"], "wait 1.5s");
    check(&["sleep", "1m", "30s"], "wait 90s");
    check(&["sleep"], "sleep: missing operand");
    check(&["sleep", "soon"], "invalid time interval \"soon\"");
    check(&["sleep", "-1"], "invalid time interval \"-1\"");
    check(&["exit"], "print exit with code 0, exit 0");
    check(
        &["exit", "3", "--after", "200ms"],
        "wait 200ms, print exit with code 3, exit 3",
    );
    check(&["exit", "256"], "exit: \"256\" is not an exit code");
    check(&["echo", "a", "b"], "print a b");
    check(&["echo", "-n", "a"], "print a");
    check(&["sh"], "");
    check(
        &["/bin/sh", "-c", "echo hi; sleep 5; exit 2"],
        "print hi, wait 5s, exit 2",
    );
    check(&["sh", "-c", "while true; do date; done"], "task");
    check(&["sh", "/run.sh"], "task");
    check(&["nginx", "-g", "daemon off;"], "serve []");
}

#[test]
fn ports_come_from_options_then_environment_then_image() {
    let check = |words: &[&str], env: &[(&str, &str)], expected: &str| {
        assert_eq!(told(words, env, &[80]), expected, "{words:?} {env:?}");
    };
    check(&["http"], &[], "serve [80]");
    check(&["http"], &[("PORT", "8080")], "serve [8080]");
    check(&["http", "--port=81,82"], &[("PORT", "8080")], "serve [81, 82]");
    check(&["http-echo", "-listen=:5678", "-text=hi"], &[], "serve [5678]");
    check(&["http", "--port", "0"], &[], "\"0\" is not a port");
    check(&["counter"], &[], "serve [80]");
    check(&["echo"], &[], "serve [80]");
}

#[test]
fn scripts_are_understood_or_not_at_all() {
    let wait = |seconds| Step::Wait(Duration::from_secs(seconds));
    let print = |line: &str| Step::Print(line.to_owned());
    let check =
        |script: &str, expected: Option<Vec<Step>>| assert_eq!(sh::steps(script), expected, "{script}");
    check("", Some(vec![]));
    check("echo 'a b' && sleep 1", Some(vec![print("a b"), wait(1)]));
    check("sleep 1\nfalse", Some(vec![wait(1), Step::Exit(1)]));
    check("true; exit", Some(vec![Step::Exit(0)]));
    check("echo $HOME", None);
    check("echo a > /data/a", None);
    check("nc -l 80", None);
    check("sleep 1 & sleep 2", None);
}
