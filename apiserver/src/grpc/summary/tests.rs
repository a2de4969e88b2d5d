//! Typed summaries, above all what STATUS says.

use coracle_api::kinds;
use serde_json::{Value, json};

use super::{Entry, node, pod};
use crate::registry::strategy;

fn entry(resource: &'static coracle_api::Resource, object: &Value) -> Entry {
    let json = bytes::Bytes::from(object.to_string());
    let attributes = strategy::describe(resource, &json).unwrap().into();
    Entry {
        key: resource.store_key("default", "x").into(),
        revision: 7,
        json,
        attributes,
    }
}

fn check_status(status: Value, deleting: bool, expected: &str) {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}, {"name": "j"}]},
        "status": status,
    });
    if deleting {
        object["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z".into();
    }
    assert_eq!(
        pod::summary(&entry(kinds::POD, &object)).unwrap().status,
        expected
    );
}

fn container(state: Value) -> Value {
    json!({"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 3, "state": state})
}

#[test]
fn status_is_what_kubectl_prints() {
    check_status(json!({"phase": "Pending"}), false, "Pending");
    check_status(json!({"phase": "Running"}), true, "Terminating");
    check_status(json!({"phase": "Succeeded"}), true, "Succeeded");
    check_status(json!({"phase": "Failed", "reason": "Evicted"}), false, "Evicted");
    let waiting = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    check_status(
        json!({"phase": "Running", "containerStatuses": [waiting]}),
        false,
        "CrashLoopBackOff",
    );
    let ended = |code: i32| container(json!({"terminated": {"exitCode": code}}));
    check_status(
        json!({"phase": "Failed", "containerStatuses": [ended(3)]}),
        false,
        "ExitCode:3",
    );
    let running = container(json!({"running": {}}));
    check_status(
        json!({"phase": "Pending", "initContainerStatuses": [running]}),
        false,
        "Init:0/2",
    );
    check_status(
        json!({"phase": "Pending", "initContainerStatuses": [ended(0), ended(1)]}),
        false,
        "Init:ExitCode:1",
    );
}

#[test]
fn a_node_tells_what_it_can_carry() {
    let object = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"zone": "a"}},
        "spec": {"unschedulable": true},
        "status": {
            "allocatable": {"cpu": "3500m", "memory": "2Gi", "pods": "110"},
            "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "127.16.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    });
    let node = node::summary(&entry(kinds::NODE, &object)).unwrap();
    assert!(node.ready && node.unschedulable);
    assert_eq!(
        (node.cpu_millicores, node.memory_bytes, node.pods),
        (3_500, 2 << 30, 110)
    );
    assert_eq!(
        (node.internal_ip.as_str(), node.labels["zone"].as_str()),
        ("127.16.0.1", "a")
    );
}
