//! The mandatory objects of flow control: what is exempt, and what catches the rest.
//!
//! Clients look at them; requests are limited by number alone (`rest`).

use coracle_api::kinds;
use serde_json::{Value, json};

use super::Seed;

const API_VERSION: &str = "flowcontrol.apiserver.k8s.io/v1";

pub(super) fn seeds() -> Vec<Seed> {
    let exempt = json!({"type": "Exempt"});
    let catch_all = json!({
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}},
    });
    vec![
        (kinds::PRIORITY_LEVEL_CONFIGURATION, level("exempt", &exempt)),
        (
            kinds::PRIORITY_LEVEL_CONFIGURATION,
            level("catch-all", &catch_all),
        ),
        (kinds::FLOW_SCHEMA, schema("exempt", 1, None, &["system:masters"])),
        (
            kinds::FLOW_SCHEMA,
            schema(
                "catch-all",
                10_000,
                Some("ByUser"),
                &["system:unauthenticated", "system:authenticated"],
            ),
        ),
    ]
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}})
}

fn level(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "PriorityLevelConfiguration",
        "metadata": metadata(name),
        "spec": spec,
    })
}

fn schema(name: &str, precedence: i32, distinguisher: Option<&str>, groups: &[&str]) -> Value {
    let subjects = groups
        .iter()
        .map(|group| json!({"kind": "Group", "group": {"name": group}}));
    let any = ["*"];
    let mut spec = json!({
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": precedence,
        "rules": [{
            "subjects": subjects.collect::<Vec<_>>(),
            "resourceRules": [{
                "verbs": any, "apiGroups": any, "resources": any, "clusterScope": true, "namespaces": any,
            }],
            "nonResourceRules": [{"verbs": any, "nonResourceURLs": any}],
        }],
    });
    if let Some(method) = distinguisher {
        spec["distinguisherMethod"] = json!({"type": method});
    }
    json!({
        "apiVersion": API_VERSION, "kind": "FlowSchema", "metadata": metadata(name), "spec": spec,
    })
}
