//! Tests of `disruption`.

use std::{sync::Arc, time::Duration};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::{
    plan::{Expected, Snapshot, plan},
    stale,
};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::Pod,
};

fn pod(name: &str, words: &str) -> Arc<Pod> {
    let mut pod = json!({"metadata": {"namespace": "ns", "name": name}});
    if words.contains("ready") {
        pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    }
    if words.contains("going") {
        pod["metadata"]["deletionTimestamp"] = json!(ago(1));
    }
    view(pod)
}

fn planned(spec: Value, status: Value, pods: &[Arc<Pod>], expected: Expected) -> Plan {
    let budget = json!({"metadata": {"namespace": "ns", "name": "b", "generation": 2}, "spec": spec, "status": status});
    let snapshot = Snapshot {
        budget: view(budget),
        pods: pods.to_vec(),
        expected,
    };
    plan(&snapshot, now())
}

fn of(count: i32) -> Expected {
    Expected::Pods {
        count,
        unmanaged: Vec::new(),
    }
}

/// disruptionsAllowed, currentHealthy, desiredHealthy and expectedPods.
#[track_caller]
fn check(spec: Value, pods: &[Arc<Pod>], expected: i32, numbers: [i32; 4]) {
    let plan = planned(spec, json!({}), pods, of(expected));
    let status = &body_of(&plan, "patch poddisruptionbudgets/status b")["status"];
    let names = [
        "disruptionsAllowed",
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
    ];
    assert_eq!(
        names.map(|name| status[name].as_i64().unwrap()),
        numbers.map(i64::from)
    );
    assert_eq!(status["observedGeneration"], 2);
    let (is, reason) = if numbers[0] > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let condition = &status["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!(is), &json!(reason))
    );
}

#[test]
fn what_may_go_is_what_is_healthy_beyond_what_must_be() {
    let pods = [
        pod("a", "ready"),
        pod("b", "ready"),
        pod("c", "ready"),
        pod("d", ""),
    ];
    check(json!({"minAvailable": 2}), &pods, 4, [1, 3, 2, 4]);
    check(json!({"minAvailable": 3}), &pods, 4, [0, 3, 3, 4]);
    check(json!({"minAvailable": "50%"}), &pods, 5, [0, 3, 3, 5]);
    check(json!({"maxUnavailable": 2}), &pods, 4, [1, 3, 2, 4]);
    check(json!({"maxUnavailable": "30%"}), &pods, 4, [1, 3, 2, 4]);
    check(json!({"maxUnavailable": 9}), &pods, 4, [3, 3, 0, 4]);
    check(json!({"minAvailable": 0}), &[], 0, [0, 0, 0, 0]);
    check(
        json!({"minAvailable": 1}),
        &[pod("a", "ready"), pod("b", "ready going")],
        2,
        [0, 1, 1, 2],
    );
}

#[test]
fn granted_evictions_count_until_they_are_seen_or_too_old() {
    let status = json!({"disruptedPods": {"a": ago(20), "b": ago(130), "c": ago(1), "gone": ago(1)}});
    let pods = [
        pod("a", "ready"),
        pod("b", "ready"),
        pod("c", "ready going"),
        pod("d", "ready"),
    ];
    let plan = planned(json!({"minAvailable": 1}), status, &pods, of(4));
    let status = &body_of(&plan, "patch poddisruptionbudgets/status b")["status"];
    assert_eq!(status["currentHealthy"], 2);
    assert_eq!(
        status["disruptedPods"],
        json!({"a": ago(20), "b": null, "c": null, "gone": null})
    );
    assert_eq!(plan.requeue_after, Some(Duration::from_secs(100)));
    assert_eq!(
        plan.notes.iter().map(|note| note.reason).collect::<Vec<_>>(),
        ["NotDeleted"]
    );
}

#[test]
fn where_the_number_of_pods_is_unknown_none_may_go() {
    let plan = planned(
        json!({"maxUnavailable": 1}),
        json!({"disruptionsAllowed": 2}),
        &[pod("a", "ready")],
        Expected::Unknown("why".to_owned()),
    );
    let status = &body_of(&plan, "patch poddisruptionbudgets/status b")["status"];
    assert_eq!(
        (&status["disruptionsAllowed"], &status["conditions"][0]["reason"]),
        (&json!(0), &json!("SyncFailed"))
    );
    assert_eq!(plan.notes.len(), 1);
    let unmanaged = Expected::Pods {
        count: 0,
        unmanaged: vec!["a".into()],
    };
    let plan = planned(
        json!({"maxUnavailable": 1}),
        json!({}),
        &[pod("a", "ready")],
        unmanaged,
    );
    assert_eq!(plan.notes.last().map(|note| note.reason), Some("UnmanagedPods"));
}

#[test]
fn nothing_is_written_twice() {
    let condition = json!({"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "message": "",
        "lastTransitionTime": ago(9)});
    let status = json!({"observedGeneration": 2, "disruptionsAllowed": 1, "currentHealthy": 1, "expectedPods": 1,
        "desiredHealthy": 0, "conditions": [condition]});
    let plan = planned(json!({"minAvailable": 0}), status, &[pod("a", "ready")], of(1));
    assert_eq!(lines(&plan), Vec::<String>::new());
}

#[test]
fn a_disruption_that_did_not_happen_is_taken_back() {
    let said = |seconds: i64, edit: fn(&mut Value)| {
        let mut pod = json!({
            "metadata": {"namespace": "ns", "name": "p"},
            "spec": {"nodeName": "n"},
            "status": {"phase": "Running", "conditions": [{
                "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting", "lastTransitionTime": ago(seconds),
            }]},
        });
        edit(&mut pod);
        stale::plan(&view::<Pod>(pod), now())
    };
    let waits = said(100, |_| {});
    assert_eq!(
        (lines(&waits), waits.requeue_after),
        (vec![], Some(Duration::from_secs(20)))
    );
    let taken_back = format!(
        r#"merge pods/status p {{"status":{{"conditions":[{{"lastTransitionTime":"{}","message":null,"reason":null,"status":"False","type":"DisruptionTarget"}}]}}}}"#,
        ago(0)
    );
    assert_eq!(lines(&said(120, |_| {})), [taken_back]);
    let others: [fn(&mut Value); 4] = [
        |pod| pod["metadata"]["deletionTimestamp"] = json!(ago(100)),
        |pod| pod["status"]["phase"] = json!("Failed"),
        |pod| pod["status"]["conditions"][0]["status"] = json!("False"),
        |pod| pod["status"]["conditions"][0]["reason"] = json!("TerminationByKubelet"),
    ];
    for edit in others {
        let plan = said(1_000, edit);
        assert!(plan.is_empty() && plan.requeue_after.is_none());
    }
}
