//! Tests of `taint_eviction`.

use std::time::Duration;

use serde_json::{Value, json};

use super::plan::{Snapshot, plan};
use crate::testing::{ago, body_of, lines, now, view};

fn tolerates(key: &str, seconds: Option<i64>) -> Value {
    json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds})
}

/// Whether a pod is deleted, or when it is looked at again.
fn outcome(taints: Value, tolerations: Value) -> (bool, Option<u64>) {
    let node = view(json!({"metadata": {"name": "a"}, "spec": {"taints": taints}}));
    let pod = view(json!({
        "metadata": {"namespace": "ns", "name": "p"},
        "spec": {"nodeName": "a", "tolerations": tolerations},
    }));
    let found = plan(
        &Snapshot {
            node,
            pods: vec![pod],
        },
        now(),
    );
    (
        lines(&found).iter().any(|line| line == "delete pods p"),
        found.requeue_after.as_ref().map(Duration::as_secs),
    )
}

#[test]
fn a_pod_is_told_why_it_goes() {
    let gone = json!({"key": "gone", "effect": "NoExecute"});
    let snapshot = Snapshot {
        node: view(json!({"metadata": {"name": "a"}, "spec": {"taints": [gone]}})),
        pods: vec![view(
            json!({"metadata": {"namespace": "ns", "name": "p"}, "spec": {"nodeName": "a"}}),
        )],
    };
    let body = body_of(&plan(&snapshot, now()), "merge pods/status");
    let condition = &body["status"]["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("DisruptionTarget"), &json!("DeletionByTaintManager"))
    );
}

#[test]
fn a_pod_goes_when_its_toleration_is_over() {
    let gone = json!({"key": "gone", "effect": "NoExecute", "timeAdded": ago(100)});
    let other = json!({"key": "other", "value": "x", "effect": "NoExecute", "timeAdded": ago(100)});
    let soft = json!({"key": "soft", "effect": "NoSchedule"});
    let cases = [
        ("not tolerated", json!([gone]), json!([]), (true, None)),
        (
            "tolerated for ever",
            json!([gone]),
            json!([tolerates("gone", None)]),
            (false, None),
        ),
        (
            "tolerated for 300 s",
            json!([gone]),
            json!([tolerates("gone", Some(300))]),
            (false, Some(200)),
        ),
        (
            "tolerated for 100 s",
            json!([gone]),
            json!([tolerates("gone", Some(100))]),
            (true, None),
        ),
        (
            "tolerated for no time",
            json!([gone]),
            json!([tolerates("gone", Some(-5))]),
            (true, None),
        ),
        (
            "one of two",
            json!([gone, other]),
            json!([tolerates("gone", None)]),
            (true, None),
        ),
        (
            "the shorter of two",
            json!([gone, other]),
            json!([tolerates("gone", Some(500)), tolerates("other", Some(150))]),
            (false, Some(50)),
        ),
        (
            "everything",
            json!([gone, other]),
            json!([{"operator": "Exists"}]),
            (false, None),
        ),
        (
            "another value",
            json!([other]),
            json!([{"key": "other", "value": "y"}]),
            (true, None),
        ),
        (
            "that value",
            json!([other]),
            json!([{"key": "other", "operator": "Equal", "value": "x"}]),
            (false, None),
        ),
        (
            "another effect",
            json!([gone]),
            json!([{"operator": "Exists", "effect": "NoSchedule"}]),
            (true, None),
        ),
        ("nothing that ends pods", json!([soft]), json!([]), (false, None)),
    ];
    for (what, taints, tolerations, expected) in cases {
        assert_eq!(outcome(taints, tolerations), expected, "{what}");
    }
}
