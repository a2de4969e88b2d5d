//! The kinds that run pods, bound them and find them: each from a minimal manifest.

use serde_json::{Value, json};

use super::defaulted;
use crate::kinds::{self, Resource};

fn check(resource: &'static Resource, spec: Value) {
    let object = json!({"metadata": {"name": "x", "namespace": "default"}, "spec": spec});
    let text = serde_json::to_string_pretty(&defaulted(resource, object)).unwrap();
    insta::assert_snapshot!(resource.kind, text);
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}})
}

fn selector() -> Value {
    json!({"matchLabels": {"app": "x"}})
}

#[test]
fn each_kind_from_a_minimal_manifest() {
    check(
        kinds::DAEMON_SET,
        json!({"selector": selector(), "template": template()}),
    );
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}});
    check(
        kinds::STATEFUL_SET,
        json!({"serviceName": "x", "selector": selector(), "template": template(), "volumeClaimTemplates": [claim]}),
    );
    check(kinds::REPLICATION_CONTROLLER, json!({"template": template()}));
    let mut job = template();
    job["spec"]["restartPolicy"] = "Never".into();
    check(kinds::JOB, json!({"template": job}));
    check(
        kinds::CRON_JOB,
        json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": job}}}),
    );
    check(
        kinds::HORIZONTAL_POD_AUTOSCALER,
        json!({"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}),
    );
    check(
        kinds::POD_DISRUPTION_BUDGET,
        json!({"minAvailable": 1, "selector": {"matchLabels": {}}}),
    );
    check(
        kinds::LIMIT_RANGE,
        json!({"limits": [{"type": "Container", "max": {"cpu": "2000m"}, "min": {"memory": "64Mi"}, "default": {"memory": "0.5Gi"}}]}),
    );
    check(
        kinds::RESOURCE_QUOTA,
        json!({"hard": {"cpu": "1000m", "pods": "10"}, "scopes": []}),
    );
}

#[test]
fn kinds_without_a_spec() {
    let template = defaulted(
        kinds::POD_TEMPLATE,
        json!({"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}}}),
    );
    assert_eq!(template["template"]["spec"]["restartPolicy"], "Always");
    let endpoints = defaulted(
        kinds::ENDPOINTS,
        json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [], "ports": [{"port": 80, "name": ""}]}]}),
    );
    assert_eq!(
        endpoints["subsets"],
        json!([{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80, "protocol": "TCP"}]}])
    );
}

#[test]
fn what_a_job_says_changes_its_defaults() {
    let check = |spec: Value, field: &str, expected: Value| {
        let job = defaulted(kinds::JOB, json!({ "spec": spec }));
        let shown = job["spec"].get(field).cloned().unwrap_or_default();
        assert_eq!(shown, expected, "{field} of {spec}");
    };
    check(json!({"parallelism": 2}), "completions", Value::Null);
    check(json!({"completions": 2}), "parallelism", 1.into());
    check(
        json!({"backoffLimitPerIndex": 1}),
        "backoffLimit",
        i32::MAX.into(),
    );
    check(
        json!({"podFailurePolicy": {"rules": []}}),
        "podReplacementPolicy",
        "Failed".into(),
    );
}
