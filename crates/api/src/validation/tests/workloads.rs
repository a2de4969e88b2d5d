//! Deployments and ReplicaSets.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

fn deployment() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}})
}

#[test]
fn deployments() {
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::DEPLOYMENT, &deployment(), json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"replicas": -1}),
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
    check(
        json!({"selector": {"matchLabels": {"app": "other"}}}),
        "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: `selector` does not match template `labels`",
    );
    check(
        json!({"selector": null}),
        "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: `selector` does not match template `labels`]",
    );
    check(
        json!({"template": {"spec": {"restartPolicy": "Never"}}}),
        "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
    );
    check(
        json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}}),
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    );
    check(
        json!({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}),
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0",
    );
    check(
        json!({"strategy": {"rollingUpdate": {"maxSurge": "200%", "maxUnavailable": 0}}}),
        "",
    );
    check(
        json!({"progressDeadlineSeconds": 5, "minReadySeconds": 5}),
        "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
    );
    for change in [
        json!({"strategy": {"rollingUpdate": {"maxSurge": "a%"}}}),
        json!({"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}),
        json!({"strategy": {"rollingUpdate": {"maxUnavailable": -1}}}),
        json!({"strategy": {"type": "Slow"}}),
        json!({"template": {"spec": {"containers": []}}}),
        json!({"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}),
    ] {
        assert_ne!(
            mistakes(kinds::DEPLOYMENT, &deployment(), json!({ "spec": change })),
            "",
            "{change}"
        );
    }
}

#[test]
fn selectors_stand_for_ever() {
    let other = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}});
    for resource in [kinds::DEPLOYMENT, kinds::REPLICA_SET] {
        assert_eq!(
            update_mistakes(resource, &deployment(), other.clone()),
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
        );
        assert_eq!(
            update_mistakes(resource, &deployment(), json!({"spec": {"replicas": 7}})),
            ""
        );
    }
}
