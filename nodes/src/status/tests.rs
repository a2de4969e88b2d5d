//! The shape of a status, field by field, as `kubectl` and controllers read it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::patch;
use crate::pods::{Moment, container::Waits, worker::Worker};

#[test]
fn a_running_pod_reports_everything_that_a_kubelet_would() {
    let pod = json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "0a1b-2c", "generation": 1},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "nginx:1.14.2"}]},
    });
    let pod = Arc::new(serde_json::from_value(pod).expect("pod"));
    let wall = Timestamp::from_second(1_700_000_000).expect("in range");
    let now = Moment {
        wall,
        elapsed: Duration::ZERO,
    };
    let waits = Waits {
        initial: Duration::from_secs(10),
        max: Duration::from_secs(300),
    };
    let mut worker = Worker::new(pod, waits, now);
    let mut effects = Vec::new();
    worker.advance(now, &mut effects);
    worker.prepared(Ipv4Addr::new(127, 64, 0, 2), now, &mut effects);
    worker.started(0, 0, now, &mut effects);
    let found: Value = serde_json::from_slice(&patch(&worker, Ipv4Addr::new(127, 16, 0, 1))).expect("patch");
    let time = "2023-11-14T22:13:20Z";
    let holds = |name: &str| json!({"type": name, "status": "True", "lastProbeTime": null, "lastTransitionTime": time});
    let expected = json!({"status": {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": [holds("PodReadyToStartContainers"), holds("Initialized"), holds("Ready"),
            holds("ContainersReady"), holds("PodScheduled")],
        "reason": null,
        "message": null,
        "hostIP": "127.16.0.1",
        "hostIPs": [{"ip": "127.16.0.1"}],
        "podIP": "127.64.0.2",
        "podIPs": [{"ip": "127.64.0.2"}],
        "startTime": time,
        "containerStatuses": [{
            "name": "c",
            "state": {"running": {"startedAt": time}},
            "lastState": {},
            "ready": true,
            "restartCount": 0,
            "image": "nginx:1.14.2",
            "imageID": "coracle://nginx:1.14.2",
            "containerID": "coracle://0a1b2c0000000000",
            "started": true,
        }],
        "qosClass": "BestEffort",
    }});
    assert_eq!(found, expected);
}
