//! Tests of `horizontal_pod_autoscaler`: the algorithm's details, the behaviour policies, and what is said of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coracle_api::kinds;
use serde_json::{Value, json};

use super::{
    behaviour::{self, History},
    metrics::Measured,
    plan::{Decision, Seen, Snapshot, decide},
    ratio::{PodFacts, Sample, Samples, Target, Tolerance, replicas},
};
use crate::{
    testing::{NOW, ago, at, body_of, lines, now, view},
    view::Autoscaler,
};

const TOLERANCE: Tolerance = Tolerance { up: 0.1, down: 0.1 };

/// A pod that started long ago and is ready; `words` say what is different.
fn pod(name: &str, words: &str) -> PodFacts {
    let requests = BTreeMap::from([("cpu".into(), 1_000_i64)]);
    let mut pod = PodFacts {
        name: name.into(),
        ready: Some((true, at(NOW - 900))),
        started_at: Some(at(NOW - 1_000)),
        requests: BTreeMap::from([("c".into(), requests)]),
        ..PodFacts::default()
    };
    match words {
        "gone" => pod.is_ignored = true,
        "pending" => pod.is_pending = true,
        "young" => {
            pod.started_at = Some(at(NOW - 60));
            pod.ready = Some((false, at(NOW - 60)));
        }
        // It was ready once, and is not now.
        "fallen" => pod.ready = Some((false, at(NOW - 10))),
        _ => {}
    }
    pod
}

fn samples(values: &[i64]) -> Samples {
    let names = ["a", "b", "c", "d", "e", "f"];
    let one = |value: &i64| Sample {
        value: *value,
        at: at(NOW),
        window_seconds: 15,
    };
    names
        .iter()
        .zip(values)
        .filter(|(_, value)| **value >= 0)
        .map(|(name, value)| ((*name).into(), one(value)))
        .collect()
}

/// Replicas for pods `a`, `b` ... that are as `words` say and use `values` (-1 for not measured) of 1,000 requested.
#[track_caller]
fn check(words: &[&str], values: &[i64], percent: i64, expected: i32) {
    let names = ["a", "b", "c", "d", "e", "f"];
    let pods: Vec<PodFacts> = names
        .iter()
        .zip(words)
        .map(|(name, words)| pod(name, words))
        .collect();
    let requests = pods.iter().map(|pod| (pod.name.clone(), 1_000)).collect();
    let current = i32::try_from(words.len()).unwrap();
    let target = Target::Utilization(percent, requests);
    let found = replicas(current, &pods, &samples(values), &target, true, TOLERANCE, now()).unwrap();
    assert_eq!(found.replicas, expected, "{words:?} {values:?} at {percent}%");
}

#[test]
fn replicas_follow_usage() {
    check(&["", "", ""], &[300, 500, 700], 30, 5);
    check(&["", "", ""], &[300, 300, 300], 30, 3);
    // Within a tenth nothing happens.
    check(&["", "", ""], &[330, 330, 330], 30, 3);
    check(&["", "", ""], &[100, 100, 100], 50, 1);
    check(&["", "", "gone"], &[500, 700, 900], 30, 4);
}

#[test]
fn pods_of_which_nothing_is_known_make_the_change_smaller() {
    // Growing: those that are not ready, or not measured, are taken for idle.
    check(&["", "", "pending"], &[500, 700, -1], 30, 4);
    check(&["", "", "young"], &[500, 700, 0], 30, 4);
    check(&["", "", ""], &[600, 600, -1], 30, 4);
    // One that had been ready says what it uses.
    check(&["", "", "fallen"], &[500, 700, 600], 30, 6);
    // Shrinking: those that are not measured are taken for busy, those that are not ready are left out.
    check(&["", "", "", ""], &[100, 100, 100, -1], 50, 3);
    check(&["", "", "pending"], &[100, 100, -1], 50, 1);
    // The sum must not turn the direction around.
    check(&["", "pending", "pending"], &[350, -1, -1], 30, 3);
}

#[test]
fn other_targets_count_too() {
    let pods = [pod("a", ""), pod("b", "")];
    let found = replicas(
        2,
        &pods,
        &samples(&[10_000, 20_000]),
        &Target::Value(5_000),
        false,
        TOLERANCE,
        now(),
    )
    .unwrap();
    assert_eq!((found.replicas, found.average), (6, 15_000));
    let none = replicas(
        2,
        &pods,
        &Samples::new(),
        &Target::Value(1),
        false,
        TOLERANCE,
        now(),
    );
    assert_eq!(
        none.unwrap_err(),
        "did not receive metrics for targeted pods (pods might be unready)"
    );
}

fn rules(json: Value) -> k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior {
    serde_json::from_value(json).unwrap()
}

#[test]
fn growth_and_shrinking_are_limited_by_policies() {
    let check = |behaviour: Value,
                 changes: &[(i64, i32)],
                 current: i32,
                 desired: i32,
                 expected: i32,
                 reason: &str| {
        let history = History {
            changes: changes.iter().map(|(age, by)| (at(NOW - age), *by)).collect(),
            ..History::default()
        };
        let (replicas, said) = behaviour::limit(
            Some(&rules(behaviour)),
            &history,
            current,
            desired,
            (1, 50),
            now(),
        );
        assert_eq!((replicas, said.1), (expected, reason), "{current} to {desired}");
    };
    check(json!({}), &[], 1, 40, 5, "ScaleUpLimit");
    check(json!({}), &[], 10, 40, 20, "ScaleUpLimit");
    check(json!({}), &[], 40, 90, 50, "TooManyReplicas");
    check(json!({}), &[], 10, 12, 12, "DesiredWithinRange");
    check(json!({}), &[], 10, 0, 1, "TooFewReplicas");
    // Ten were added within the period already.
    check(json!({}), &[(5, 10)], 20, 40, 20, "ScaleUpLimit");
    let up = |select: &str| {
        json!({"scaleUp": {"selectPolicy": select, "policies": [
            {"type": "Pods", "value": 2, "periodSeconds": 60}, {"type": "Percent", "value": 50, "periodSeconds": 60},
        ]}})
    };
    check(up("Max"), &[], 10, 40, 15, "ScaleUpLimit");
    check(up("Min"), &[], 10, 40, 12, "ScaleUpLimit");
    check(up("Disabled"), &[], 10, 40, 10, "ScaleUpLimit");
    check(up("Min"), &[(50, 1)], 10, 40, 11, "ScaleUpLimit");
    let down = json!({"scaleDown": {"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}});
    check(down, &[], 20, 5, 18, "ScaleDownLimit");
}

#[test]
fn recommendations_are_held_steady() {
    let check = |behaviour: Value,
                 recommended: &[(i64, i32)],
                 current: i32,
                 desired: i32,
                 expected: i32,
                 reason: &str| {
        let history = History {
            recommendations: recommended
                .iter()
                .map(|(age, replicas)| (at(NOW - age), *replicas))
                .collect(),
            ..History::default()
        };
        let (replicas, said) =
            behaviour::stabilize(Some(&rules(behaviour)), &history, current, desired, now());
        assert_eq!((replicas, said.1), (expected, reason));
    };
    check(json!({}), &[(100, 8), (400, 20)], 10, 3, 8, "ScaleDownStabilized");
    check(json!({}), &[(400, 8)], 10, 3, 3, "ReadyForNewScale");
    check(json!({}), &[(5, 4)], 4, 8, 8, "ReadyForNewScale");
    let slow = json!({"scaleUp": {"stabilizationWindowSeconds": 60}});
    check(slow, &[(30, 6)], 4, 8, 6, "ScaleUpStabilized");
    let at_once = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
    check(at_once, &[(5, 8)], 10, 3, 3, "ReadyForNewScale");
}

fn autoscaler(status: Value) -> Arc<Autoscaler> {
    view(json!({
        "metadata": {"namespace": "ns", "name": "h"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
        },
        "status": status,
    }))
}

fn seen(current: i32, measured: Measured) -> Seen {
    Seen {
        resource: kinds::DEPLOYMENT,
        uid: "uid-web".into(),
        replicas: current,
        pods: vec![pod("a", ""), pod("b", "")],
        measured: vec![measured],
    }
}

fn decided(seen: Result<Seen, (&'static str, String)>) -> Decision {
    let snapshot = Snapshot {
        autoscaler: autoscaler(json!({})),
        seen,
        history: History::default(),
        period: Duration::from_secs(15),
    };
    decide(&snapshot, now())
}

/// `Type=Status Reason` of each condition.
fn conditions(decision: &Decision) -> Vec<String> {
    let status = body_of(&decision.plan, "patch horizontalpodautoscalers/status h");
    let conditions = status["status"]["conditions"].as_array().unwrap().clone();
    let text = |own: &Value, field: &str| own[field].as_str().unwrap().to_owned();
    conditions
        .iter()
        .map(|own| {
            format!(
                "{}={} {}",
                text(own, "type"),
                text(own, "status"),
                text(own, "reason")
            )
        })
        .collect()
}

#[test]
fn load_makes_more_pods() {
    let decision = decided(Ok(seen(2, Measured::Pods(samples(&[900, 1_100])))));
    assert_eq!(
        lines(&decision.plan)[0],
        r#"patch deployments/scale web {"spec":{"replicas":4}}"#
    );
    assert_eq!((decision.recommended, decision.change), (Some(4), 2));
    let expected = [
        "AbleToScale=True SucceededRescale",
        "ScalingActive=True ValidMetricFound",
        "ScalingLimited=False DesiredWithinRange",
    ];
    assert_eq!(conditions(&decision), expected);
    let status = body_of(&decision.plan, "patch horizontalpodautoscalers/status h")["status"].clone();
    assert_eq!(
        (&status["currentReplicas"], &status["desiredReplicas"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(status["lastScaleTime"], ago(0));
    let current = json!({"averageUtilization": 100, "averageValue": "1"});
    assert_eq!(status["currentMetrics"][0]["resource"]["current"], current);
    let note = decision.plan.steps[0].then.as_ref().unwrap();
    assert_eq!(
        note.message,
        "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    );
    assert_eq!(decision.plan.requeue_after, Some(Duration::from_secs(15)));
}

#[test]
fn bounds_come_before_metrics() {
    let check = |current: i32, expected: &[&str]| {
        let decision = decided(Ok(seen(current, Measured::Failed("none".to_owned()))));
        let scaled: Vec<String> = lines(&decision.plan)
            .into_iter()
            .filter(|line| line.contains("/scale"))
            .collect();
        assert_eq!(scaled, expected);
    };
    check(1, &[r#"patch deployments/scale web {"spec":{"replicas":2}}"#]);
    check(12, &[r#"patch deployments/scale web {"spec":{"replicas":10}}"#]);
    check(0, &[]);
    check(5, &[]);
}

#[test]
fn what_cannot_be_read_is_said() {
    let failed = decided(Ok(seen(3, Measured::Failed("no metrics".to_owned()))));
    assert_eq!(
        conditions(&failed),
        [
            "AbleToScale=True SucceededGetScale",
            "ScalingActive=False FailedGetResourceMetric"
        ]
    );
    let reasons: Vec<_> = failed.plan.notes.iter().map(|note| note.reason).collect();
    assert_eq!(
        reasons,
        ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]
    );
    let none = decided(Err((
        "FailedGetScale",
        "deployments.apps \"web\" not found".to_owned(),
    )));
    assert_eq!(conditions(&none), ["AbleToScale=False FailedGetScale"]);
    let idle = decided(Ok(seen(0, Measured::Failed(String::new()))));
    assert_eq!(conditions(&idle)[1], "ScalingActive=False ScalingDisabled");
}
