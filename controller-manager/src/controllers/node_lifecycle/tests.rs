//! Tests of `node_lifecycle`.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::plan::{Snapshot, is_halted, plan};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::Node,
};

const GRACE: Duration = Duration::from_secs(50);

fn node(name: &str, ready: &str, taints: Value) -> Arc<Node> {
    view(json!({
        "metadata": {"name": name},
        "spec": {"taints": taints},
        "status": {"conditions": [{"type": "Ready", "status": ready}, {"type": "DiskPressure", "status": "False"}]},
    }))
}

fn snapshot(node: Arc<Node>, silence: u64) -> Snapshot {
    let silence = Some(Duration::from_secs(silence));
    Snapshot {
        node,
        silence,
        grace: GRACE,
        pods: Vec::new(),
        halted: false,
    }
}

/// Keys and effects of the taints after a plan.
fn tainted(snapshot: &Snapshot) -> Vec<String> {
    let body = body_of(&plan(snapshot, now()), "patch nodes");
    let taints = body["spec"]["taints"].as_array().unwrap();
    taints
        .iter()
        .map(|taint| format!("{}:{}", taint["key"], taint["effect"]).replace('"', ""))
        .collect()
}

#[test]
fn a_node_that_lives_is_looked_at_when_it_could_be_late() {
    let found = plan(&snapshot(node("a", "True", json!([])), 20), now());
    assert_eq!(lines(&found), [""; 0]);
    assert_eq!(found.requeue_after, Some(Duration::from_secs(30)));
}

#[test]
fn a_silent_node_is_unknown_and_tainted() {
    let found = plan(&snapshot(node("a", "True", json!([])), 50), now());
    let body = body_of(&found, "merge nodes/status");
    let conditions = body["status"]["conditions"].as_array().unwrap();
    let told: Vec<_> = conditions
        .iter()
        .map(|one| format!("{} {}", one["type"], one["reason"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""Ready" "NodeStatusUnknown""#,
            r#""MemoryPressure" "NodeStatusNeverUpdated""#,
            r#""DiskPressure" "NodeStatusUnknown""#,
            r#""PIDPressure" "NodeStatusNeverUpdated""#,
        ]
    );
    let taints = body_of(&found, "patch nodes")["spec"]["taints"].clone();
    let unreachable = |effect: &str| json!({"key": "node.kubernetes.io/unreachable", "effect": effect, "timeAdded": ago(0)});
    assert_eq!(
        taints,
        json!([unreachable("NoSchedule"), unreachable("NoExecute")])
    );
}

#[test]
fn nobody_is_judged_while_we_are_cut_off() {
    let mut cut_off = snapshot(node("a", "True", json!([])), 0);
    cut_off.silence = None;
    let found = plan(&cut_off, now());
    assert!(found.is_empty() && found.requeue_after.is_some());
}

#[test]
fn taints_follow_the_conditions_and_leave_a_persons_own() {
    let own = json!({"key": "mine", "effect": "NoExecute"});
    let old = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"});
    assert_eq!(
        tainted(&snapshot(node("a", "True", json!([own, old])), 1)),
        ["mine:NoExecute"]
    );
    assert_eq!(
        tainted(&snapshot(node("a", "False", json!([own, old])), 1)),
        [
            "mine:NoExecute",
            "node.kubernetes.io/not-ready:NoSchedule",
            "node.kubernetes.io/not-ready:NoExecute"
        ]
    );
}

#[test]
fn while_most_nodes_are_gone_no_pods_are_ended() {
    let mut halted = snapshot(node("a", "False", json!([])), 1);
    halted.halted = true;
    assert_eq!(tainted(&halted), ["node.kubernetes.io/not-ready:NoSchedule"]);
}

#[test]
fn eviction_halts_when_most_nodes_are_gone() {
    // ready, unready, halted
    for (ready, unready, halted) in [
        (3, 0, false),
        (2, 1, false),
        (1, 2, false),
        (0, 1, true),
        (0, 3, true),
        (2, 3, true),
        (3, 3, false),
    ] {
        let mut nodes = vec![node("a", "True", json!([])); ready];
        nodes.extend(vec![node("b", "Unknown", json!([])); unready]);
        assert_eq!(is_halted(&nodes), halted, "{ready} ready, {unready} not");
    }
}

#[test]
fn pods_of_a_node_that_is_not_ready_are_not_ready() {
    let pod = |name: &str, ready: &str| {
        view(json!({
            "metadata": {"namespace": "ns", "name": name},
            "spec": {"nodeName": "a"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
        }))
    };
    let mut found = snapshot(node("a", "False", json!([])), 1);
    found.pods = vec![pod("ready", "True"), pod("unready", "False")];
    let lines = lines(&plan(&found, now()));
    let marked: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("merge pods/status"))
        .collect();
    assert!(marked.len() == 1 && marked[0].contains("ready"), "{lines:?}");
}
