//! Definitions of custom resources, API services, flow control.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

fn definition() -> Value {
    json!({"metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

#[test]
fn custom_resource_definitions() {
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::CUSTOM_RESOURCE_DEFINITION, &definition(), change),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"metadata": {"name": "widgets"}}),
        "metadata.name: Invalid value: \"widgets\": must be spec.names.plural+\".\"+spec.group",
    );
    check(
        json!({"metadata": {"name": "widgets.x"}, "spec": {"group": "x"}}),
        "spec.group: Invalid value: \"x\": should be a domain with at least one dot",
    );
    check(
        json!({"metadata": {"name": "widgets.x.k8s.io"}, "spec": {"group": "x.k8s.io"}}),
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111",
    );
    check(
        json!({"spec": {"scope": "Global"}}),
        "spec.scope: Unsupported value: \"Global\": supported values: \"Cluster\", \"Namespaced\"",
    );
    check(
        json!({"spec": {"versions": [{"name": "v1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
        "spec.versions: Invalid value: [\"v1\"]: must have exactly one version marked as storage version",
    );
    check(
        json!({"spec": {"versions": [{"name": "v1", "served": true, "storage": true}]}}),
        "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
    );
    check(
        json!({"spec": {"names": {"listKind": "Widget"}}}),
        "spec.names.listKind: Invalid value: \"Widget\": kind and listKind may not be the same",
    );
    check(
        json!({"spec": {"conversion": {"strategy": "Webhook"}}}),
        "spec.conversion.webhook.clientConfig: Required value: required when strategy is set to Webhook",
    );
}

#[test]
fn changes_of_custom_resource_definitions() {
    let mut established = definition();
    established["status"] =
        json!({"conditions": [{"type": "Established", "status": "True"}], "storedVersions": ["v1"]});
    let update = |base: &Value, change: Value, expected: &str| {
        assert_eq!(
            update_mistakes(kinds::CUSTOM_RESOURCE_DEFINITION, base, change),
            expected
        );
    };
    update(&definition(), json!({"spec": {"scope": "Cluster"}}), "");
    update(
        &established,
        json!({"spec": {"scope": "Cluster"}}),
        "spec.scope: Invalid value: \"Cluster\": field is immutable",
    );
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    update(
        &established,
        json!({"spec": {"versions": [{"name": "v2", "served": true, "storage": true, "schema": schema}]}}),
        "status.storedVersions[0]: Invalid value: \"v1\": must appear in spec.versions",
    );
}

#[test]
fn api_services_and_flow_control() {
    let service = json!({"metadata": {"name": "v1."}, "spec": {"version": "v1", "groupPriorityMinimum": 18_000, "versionPriority": 1}});
    assert_eq!(mistakes(kinds::API_SERVICE, &service, json!({})), "");
    assert_eq!(
        mistakes(
            kinds::API_SERVICE,
            &service,
            json!({"metadata": {"name": "v2."}, "spec": {"versionPriority": 0}})
        ),
        "[metadata.name: Invalid value: \"v2.\": must be `spec.version+\".\"+spec.group`, spec.versionPriority: Invalid value: 0: must be positive and less than 1000]",
    );
    let flow = json!({"metadata": {"name": "f"}, "spec": {"priorityLevelConfiguration": {"name": "p"}}});
    assert_eq!(mistakes(kinds::FLOW_SCHEMA, &flow, json!({})), "");
    assert_eq!(
        mistakes(
            kinds::FLOW_SCHEMA,
            &flow,
            json!({"spec": {"matchingPrecedence": 10_001}})
        ),
        "spec.matchingPrecedence: Invalid value: 10001: must be between 1 and 10000",
    );
    let level = json!({"metadata": {"name": "p"}, "spec": {"type": "Limited"}});
    assert_eq!(
        mistakes(kinds::PRIORITY_LEVEL_CONFIGURATION, &level, json!({})),
        "spec.limited: Required value: must not be empty when type is Limited",
    );
}
