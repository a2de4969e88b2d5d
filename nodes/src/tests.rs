//! The whole node process against a fake apiserver: real listeners, real files, real reboots.

mod commands;
mod rig;
mod services;

use std::time::Duration;

use coracle_api::kinds;
use coracle_client::{DeleteOptions, Write};
use coracle_proto::v1::{
    DialClose, DialOpen, DialRequest, dial_request::Message as Ask, dial_response::Message as Answer,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::testing::Scratch;
use rig::{Rig, get, serving};

#[tokio::test]
async fn a_pod_answers_logs_and_goes() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 1).await;
    rig.create("web", serving("nginx:1.14.2")).await;
    let status = rig.pod("web", "running", None, 0).await;
    let ip = status["podIP"].as_str().expect("address");
    assert_eq!(
        get(ip, 8080, "/who").await,
        "Hello from web on node-1 (nginx:1.14.2)\n"
    );
    let logs = rig.logs("web", false).await.expect("logs");
    assert!(logs.contains("\"GET /who HTTP/1.1\" 200 40"), "{logs}");
    let missing = rig
        .logs("web", true)
        .await
        .expect_err("there is no previous instance");
    assert!(
        missing
            .message()
            .contains("previous terminated container \"c\" in pod \"web\" not found"),
        "{missing}"
    );
    rig.delete("web").await;
    rig.until("pod gone", || {
        rig.find(kinds::POD, "default", "web").is_none().then_some(())
    })
    .await;
    assert!(
        TcpStream::connect((ip, 8080)).await.is_err(),
        "nobody listens any more"
    );
    let lease = rig
        .find(kinds::LEASE, "kube-node-lease", "node-1")
        .expect("lease");
    assert_eq!(lease["spec"]["holderIdentity"], "node-1");
    rig.stop().await;
}

#[tokio::test]
async fn what_pods_use_is_told_by_their_node() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 10).await;
    let idle = rig.statistics().await;
    let [node] = idle.as_slice() else {
        panic!("one node: {idle:?}")
    };
    assert_eq!((&*node.name, node.pods.len()), ("node-1", 0));
    rig.create("web", serving("nginx")).await;
    rig.pod("web", "running", None, 0).await;
    let busy = rig.statistics().await;
    let pod = &busy[0].pods[0];
    assert_eq!((&*pod.namespace, &*pod.name), ("default", "web"));
    let used = pod.containers[0].usage.expect("usage");
    let (before, after) = (node.usage.expect("usage"), busy[0].usage.expect("usage"));
    assert!(used.cpu_nanocores > 0 && used.memory_bytes > 0);
    assert_eq!(before.cpu_nanocores + used.cpu_nanocores, after.cpu_nanocores);
    assert_eq!(before.memory_bytes + used.memory_bytes, after.memory_bytes);
    rig.stop().await;
}

#[tokio::test]
async fn an_endpoint_answers_on_for_a_while_after_it_was_deleted() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 2).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "default"},
        "spec": {"selector": {"app": "web"}}});
    rig.create_object(kinds::SERVICE, "s", service).await;
    rig.create("web", serving("nginx")).await;
    let status = rig.pod("web", "running", None, 0).await;
    let ip = status["podIP"].as_str().expect("address");
    rig.delete("web").await;
    // Each answered request keeps the pod accepting for a while longer.
    for _ in 0..5 {
        assert!(get(ip, 8080, "/").await.starts_with("Hello from web"));
    }
    rig.until("pod gone", || {
        rig.find(kinds::POD, "default", "web").is_none().then_some(())
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn a_reboot_keeps_addresses_logs_and_volumes_and_starts_programs_anew() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 3).await;
    let mut spec = serving("counter:v1");
    spec["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    rig.create("counter", spec).await;
    rig.create("vanishing", serving("nginx")).await;
    let status = rig.pod("counter", "running", None, 0).await;
    let ip = status["podIP"].as_str().expect("address").to_owned();
    assert_eq!(
        (get(&ip, 8080, "/").await, get(&ip, 8080, "/").await),
        ("1\n".to_owned(), "2\n".to_owned())
    );
    let vanishing = rig.pod("vanishing", "running", None, 0).await;
    let _ = get(vanishing["podIP"].as_str().expect("address"), 8080, "/").await;
    rig.stop().await;
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        ..DeleteOptions::default()
    };
    let (namespace, name) = ("default".to_owned(), "vanishing".to_owned());
    rig.write(Write::Delete {
        resource: kinds::POD,
        namespace,
        name,
        options,
    })
    .await;

    let mut rig = rig.rebooted().await;
    let status = rig.pod("counter", "running", None, 1).await;
    assert_eq!(status["podIP"], ip.as_str());
    assert_eq!(
        status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"],
        255
    );
    assert_eq!(get(&ip, 8080, "/").await, "3\n");
    assert_eq!(rig.logs("counter", true).await.expect("logs").lines().count(), 2);
    assert_eq!(rig.logs("counter", false).await.expect("logs").lines().count(), 1);
    rig.until("folder of the vanished pod swept", || {
        let folders = std::fs::read_dir(rig.config.data_dir.join("pods")).ok()?.count();
        (folders == 1).then_some(())
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn failures_show_and_are_tried_again() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 4).await;
    let command =
        |command: &[&str]| json!({"containers": [{"name": "c", "image": "busybox", "command": command}]});
    rig.create("crashing", command(&["sh", "-c", "echo about to fail; exit 3"]))
        .await;
    rig.create(
        "mistyped",
        json!({"containers": [{"name": "c", "image": "nginx:9.9"}]}),
    )
    .await;
    rig.create(
        "stranger",
        json!({"containers": [{"name": "c", "image": "postgres:16"}]}),
    )
    .await;
    let env = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]);
    rig.create(
        "early",
        json!({"containers": [{"name": "c", "image": "pause", "env": env}]}),
    )
    .await;
    rig.pod("crashing", "waiting", Some("CrashLoopBackOff"), 1).await;
    assert_eq!(
        rig.logs("crashing", false).await.expect("logs"),
        "about to fail\n"
    );
    rig.pod("crashing", "waiting", Some("CrashLoopBackOff"), 3).await;
    rig.pod("mistyped", "waiting", Some("ErrImagePull"), 0).await;
    rig.pod("mistyped", "waiting", Some("ImagePullBackOff"), 0).await;
    rig.pod("stranger", "running", None, 0).await;
    rig.pod("early", "waiting", Some("CreateContainerConfigError"), 0)
        .await;
    let late = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late", "namespace": "default"}, "data": {"a": "1"}});
    rig.create_object(kinds::CONFIG_MAP, "late", late).await;
    rig.pod("early", "running", None, 0).await;
    rig.until("events", || {
        let events = rig.api.all(kinds::EVENT);
        let told = |reason: &str| events.iter().any(|event| event["reason"] == reason);
        (told("Failed") && told("BackOff") && told("SimulatedIdle") && told("Started")).then_some(())
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_fails_the_second_container() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 5).await;
    let mut spec = serving("nginx");
    let mut second = spec["containers"][0].clone();
    second["name"] = "second".into();
    spec["containers"]
        .as_array_mut()
        .expect("containers")
        .push(second);
    spec["restartPolicy"] = "Never".into();
    rig.create("twice", spec).await;
    let ended = rig.until("second container failed", || {
        let pod = rig.find(kinds::POD, "default", "twice")?;
        pod["status"]["containerStatuses"][1]["state"]["terminated"]["exitCode"].as_i64()
    });
    assert_eq!(ended.await, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_broken_connection_loses_no_status() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 6).await;
    rig.create("web", json!({"containers": [{"name": "c", "image": "pause"}]}))
        .await;
    rig.pod("web", "running", None, 0).await;
    rig.create("second", json!({"containers": [{"name": "c", "image": "pause"}]}))
        .await;
    rig.api.fail_after(Some(0));
    rig.api.break_watches();
    rig.env.transport_clock.sleep(Duration::from_millis(50)).await;
    rig.api.fail_after(None);
    rig.pod("second", "running", None, 0).await;
    rig.stop().await;
}

#[tokio::test]
async fn the_apiserver_reaches_a_pod_through_its_node() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 7).await;
    rig.create("web", serving("nginx:1.16.1")).await;
    let status = rig.pod("web", "running", None, 0).await;
    let open = |address: String| {
        let open = Ask::Open(DialOpen {
            address,
            node_name: "node-1".to_owned(),
        });
        let request = Ask::Data("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".into());
        let asks = [open, request, Ask::CloseWrite(DialClose {})];
        tokio_stream::iter(asks.map(|ask| DialRequest { message: Some(ask) }))
    };
    let address = format!("{}:8080", status["podIP"].as_str().expect("address"));
    let mut answers = rig
        .node_service()
        .dial(open(address))
        .await
        .expect("dial")
        .into_inner();
    let (mut text, mut closed) = (Vec::new(), false);
    while let Some(answer) = answers.message().await.expect("answer") {
        match answer.message {
            Some(Answer::Opened(opened)) => assert_eq!(opened.local_address, rig.config.node_ip.to_string()),
            Some(Answer::Data(data)) => text.extend(data),
            Some(Answer::CloseWrite(_)) => closed = true,
            None => panic!("an empty answer"),
        }
    }
    let text = String::from_utf8(text).expect("text");
    assert!(
        text.ends_with("Hello from web on node-1 (nginx:1.16.1)\n") && closed,
        "{text}"
    );
    let refused = rig
        .node_service()
        .dial(open("127.0.0.1:1".to_owned()))
        .await
        .expect_err("nobody listens there");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    rig.stop().await;
}

#[tokio::test]
async fn probes_are_made_over_the_network() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 8).await;
    let probed = |path: &str, port: Value| {
        let mut spec = serving("nginx");
        spec["containers"][0]["ports"] = json!([{"name": "web", "containerPort": 8080}]);
        spec["containers"][0]["readinessProbe"] =
            json!({"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "failureThreshold": 1});
        spec
    };
    rig.create("good", probed("/status/204", "web".into())).await;
    rig.create("bad", probed("/status/503", 8080.into())).await;
    let mut living = serving("nginx");
    living["containers"][0]["livenessProbe"] = json!({"tcpSocket": {"port": 9}, "failureThreshold": 1});
    rig.create("dying", living).await;
    rig.until("ready by its probe", || {
        let pod = rig.find(kinds::POD, "default", "good")?;
        (pod["status"]["containerStatuses"][0]["ready"] == true).then_some(())
    })
    .await;
    rig.until("restarted by its probe", || {
        let pod = rig.find(kinds::POD, "default", "dying")?;
        pod["status"]["containerStatuses"][0]["restartCount"]
            .as_u64()
            .filter(|&count| count > 0)
    })
    .await;
    rig.until("told why it is not ready", || {
        let events = rig.api.all(kinds::EVENT);
        let told = events.iter().any(|event| {
            event["reason"] == "Unhealthy"
                && event["involvedObject"]["name"] == "bad"
                && event["message"]
                    .as_str()
                    .is_some_and(|text| text.ends_with("statuscode: 503"))
        });
        told.then_some(())
    })
    .await;
    let bad = rig.find(kinds::POD, "default", "bad").expect("pod");
    assert_eq!(bad["status"]["containerStatuses"][0]["ready"], false);
    rig.stop().await;
}

#[tokio::test]
async fn containers_of_a_pod_share_its_volumes_and_a_host_path_outlives_it() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 9).await;
    let counter = |name: &str, port: u16| {
        json!({"name": name, "image": "counter", "args": ["--port", port.to_string()],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}]})
    };
    let two = |source: Value| {
        let mut volume = source;
        volume["name"] = "data".into();
        json!({"containers": [counter("c", 8081), counter("d", 8082)], "volumes": [volume]})
    };
    rig.create("shared", two(json!({"hostPath": {"path": "/srv/count"}})))
        .await;
    let status = rig.pod("shared", "running", None, 0).await;
    let ip = status["podIP"].as_str().expect("address").to_owned();
    assert_eq!(get(&ip, 8081, "/").await, "1\n");
    assert_eq!(
        get(&ip, 8082, "/").await,
        "2\n",
        "the second container reads what the first wrote"
    );
    rig.delete("shared").await;
    rig.until("pod gone", || {
        rig.find(kinds::POD, "default", "shared").is_none().then_some(())
    })
    .await;
    rig.create("later", two(json!({"hostPath": {"path": "/srv/count"}})))
        .await;
    rig.create("fresh", two(json!({"emptyDir": {}}))).await;
    for (name, expected) in [("later", "3\n"), ("fresh", "1\n")] {
        let status = rig.pod(name, "running", None, 0).await;
        assert_eq!(
            get(status["podIP"].as_str().expect("address"), 8081, "/").await,
            expected,
            "{name}"
        );
    }
    rig.stop().await;
}
