//! Tests of `pod_gc`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::plan::{Snapshot, is_out_of_service, plan};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::{Node, Pod},
};

fn pod(name: &str, node: &str, deleting: bool, phase: &str) -> Arc<Pod> {
    let mut metadata = json!({"namespace": "ns", "name": name, "creationTimestamp": ago(10)});
    if deleting {
        metadata["deletionTimestamp"] = json!(ago(1));
    }
    view(json!({"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}}))
}

#[test]
fn pods_that_nobody_ends_are_removed() {
    let pods = vec![
        pod("fine", "here", false, "Running"),
        pod("ending", "here", true, "Running"),
        pod("unbound", "", false, "Pending"),
        pod("unbound-ending", "", true, "Pending"),
        pod("orphan", "gone", false, "Running"),
        pod("stuck", "off", true, "Running"),
        pod("on-off", "off", false, "Running"),
    ];
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).into())
            .collect::<BTreeSet<Box<str>>>()
    };
    let interval = Duration::from_secs(20);
    let found = plan(
        &Snapshot {
            pods,
            gone: set(&["gone"]),
            out_of_service: set(&["off"]),
            interval,
        },
        now(),
    );
    let marked = body_of(&found, "merge pods/status orphan");
    assert_eq!(marked["status"]["phase"], "Failed");
    assert_eq!(marked["status"]["conditions"][0]["reason"], "DeletionByPodGC");
    let told = body_of(&found, "merge pods/status stuck");
    assert_eq!(told, json!({"status": {"phase": "Failed"}}));
    let deletions: Vec<String> = lines(&found)
        .into_iter()
        .filter(|line| line.starts_with("delete"))
        .collect();
    assert_eq!(
        deletions,
        [
            "delete pods unbound-ending now",
            "delete pods orphan now",
            "delete pods stuck now"
        ]
    );
    assert_eq!(found.requeue_after, Some(interval));
}

#[test]
fn a_node_is_out_of_service_when_a_person_says_so_and_it_is_not_ready() {
    let node = |ready: &str, taints: Value| {
        view::<Node>(json!({
            "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
    };
    let off =
        json!([{"key": "node.kubernetes.io/out-of-service", "value": "shutdown", "effect": "NoExecute"}]);
    assert!(is_out_of_service(&node("Unknown", off.clone())));
    assert!(!is_out_of_service(&node("True", off)));
    assert!(!is_out_of_service(&node("Unknown", json!([]))));
}
