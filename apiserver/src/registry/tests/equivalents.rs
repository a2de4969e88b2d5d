//! Webhooks and policies that name another version of what is written than the caller speaks or the store keeps.

use std::sync::Arc;

use coracle_api::{Resource, kinds};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::testing::{
    Bench, json_of, target,
    webhooks::{Webhooks, deny},
};

fn configuration(kind: &str) -> &'static Resource {
    kinds::of_object("admissionregistration.k8s.io/v1", kind).unwrap()
}

fn autoscaler(version: &str) -> &'static Resource {
    kinds::of_object(&format!("autoscaling/{version}"), "HorizontalPodAutoscaler").unwrap()
}

fn webhook(client: Value, rule: [&str; 3], policy: &str) -> Value {
    let [group, version, plural] = rule;
    json!({
        "name": "w.example.com", "clientConfig": client, "matchPolicy": policy,
        "rules": [{"apiGroups": [group], "apiVersions": [version], "operations": ["*"], "resources": [plural]}],
        "admissionReviewVersions": ["v1"], "sideEffects": "None",
    })
}

async fn configure(bench: &Bench, kind: &str, webhook: Value) {
    let object = json!({"metadata": {"name": "c"}, "webhooks": [webhook]});
    bench.create(configuration(kind), object).await.unwrap();
}

fn first_version(name: &str) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
        "spec": {
            "maxReplicas": 5, "targetCPUUtilizationPercentage": 60,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    })
}

#[tokio::test]
async fn a_webhook_sees_and_changes_the_version_that_its_rule_names() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let note = Arc::clone(&seen);
    hooks.on("mark", move |review| {
        note.lock().push(review.clone());
        let path = "/spec/metrics/0/resource/target/averageUtilization";
        Webhooks::patch(review, json!([{"op": "replace", "path": path, "value": 70}]))
    });
    let rule = ["autoscaling", "v2", "horizontalpodautoscalers"];
    let webhook = webhook(hooks.client_config("mark"), rule, "Equivalent");
    configure(&bench, "MutatingWebhookConfiguration", webhook).await;

    let written = bench.create(autoscaler("v1"), first_version("a")).await.unwrap();
    let written = json_of(&written.entry);
    assert_eq!(written["apiVersion"], "autoscaling/v1");
    assert_eq!(written["spec"]["targetCPUUtilizationPercentage"], 70);
    let seen = seen.lock();
    let review = &seen[0];
    assert_eq!(review["object"]["apiVersion"], "autoscaling/v2");
    assert_eq!(
        review["object"]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
        60
    );
    assert_eq!(review["kind"]["version"], "v2");
    assert_eq!(review["requestKind"]["version"], "v1");
}

#[tokio::test]
async fn whoever_names_the_callers_version_is_shown_that_one() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("judge", |review| {
        let spec = &review["object"]["spec"];
        let is_first = review["object"]["apiVersion"] == "autoscaling/v1";
        if is_first && spec["targetCPUUtilizationPercentage"] == 60 && spec["metrics"].is_null() {
            Webhooks::allow(review)
        } else {
            deny(review, &review["object"].to_string())
        }
    });
    let rule = ["autoscaling", "v1", "horizontalpodautoscalers"];
    let webhook = webhook(hooks.client_config("judge"), rule, "Equivalent");
    configure(&bench, "ValidatingWebhookConfiguration", webhook).await;
    bench.create(autoscaler("v1"), first_version("a")).await.unwrap();
    // And so where the caller speaks the other one.
    let second = json!({
        "metadata": {"name": "b"},
        "spec": {
            "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60},
            }}],
        },
    });
    bench.create(autoscaler("v2"), second.clone()).await.unwrap();
    let mut worse = second;
    worse["metadata"]["name"] = "c".into();
    worse["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 61.into();
    let refused = bench.create(autoscaler("v2"), worse).await.unwrap_err();
    assert!(
        refused.message().contains("autoscaling/v1"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn an_exact_rule_is_for_one_version() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("judge", |review| deny(review, "no"));
    let rule = ["autoscaling", "v2", "horizontalpodautoscalers"];
    let webhook = webhook(hooks.client_config("judge"), rule, "Exact");
    configure(&bench, "ValidatingWebhookConfiguration", webhook).await;
    bench.create(autoscaler("v1"), first_version("a")).await.unwrap();
    let second = json!({"metadata": {"name": "b"}, "spec": {
        "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    }});
    bench.create(autoscaler("v2"), second).await.unwrap_err();
}

#[tokio::test]
async fn policies_see_the_version_of_their_rule() {
    let bench = Bench::new().await;
    let rule = json!({
        "apiGroups": ["events.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["events"],
    });
    let policy = json!({"metadata": {"name": "p"}, "spec": {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{
            "expression": "object.apiVersion == 'events.k8s.io/v1' && object.regarding.name == 'web' \
                           && request.kind.group == 'events.k8s.io' && request.requestKind.group == ''",
        }],
    }});
    let binding =
        json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    bench
        .create(configuration("ValidatingAdmissionPolicy"), policy)
        .await
        .unwrap();
    bench
        .create(configuration("ValidatingAdmissionPolicyBinding"), binding)
        .await
        .unwrap();
    let event = |name: &str, of: &str| {
        json!({
            "metadata": {"name": name}, "reason": "Test", "type": "Normal", "message": "m",
            "involvedObject": {"kind": "Pod", "name": of, "namespace": "default"},
        })
    };
    let core = kinds::of_object("v1", "Event").unwrap();
    bench.create(core, event("a", "web")).await.unwrap();
    let refused = bench.create(core, event("b", "other")).await.unwrap_err();
    assert!(
        refused.message().contains("failed expression"),
        "{}",
        refused.message()
    );
}

/// Versions of which a webhook makes one of the other, and a webhook whose rule names the one that is not stored.
#[tokio::test]
async fn custom_resources_are_converted_for_webhooks() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("convert", |request| {
        let mut object = request["objects"][0].clone();
        let wanted = request["desiredAPIVersion"].clone();
        let (from, to) = if wanted == "example.com/v2" {
            ("size", "length")
        } else {
            ("length", "size")
        };
        let value = object["spec"][from].take();
        object["spec"] = json!({to: value});
        object["apiVersion"] = wanted;
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": {
            "uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": [object],
        }})
    });
    hooks.on("grow", |review| {
        let size = review["object"]["spec"]["size"].as_i64().unwrap_or_default();
        Webhooks::patch(
            review,
            json!([{"op": "replace", "path": "/spec/size", "value": size + 1}]),
        )
    });
    let version = |name: &str, field: &str| {
        json!({
            "name": name, "served": true, "storage": name == "v2",
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                "type": "object", "required": [field], "properties": {field: {"type": "integer"}},
            }}}},
        })
    };
    let definition = json!({
        "metadata": {"name": "planks.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "planks", "kind": "Plank"},
            "versions": [version("v1", "size"), version("v2", "length")],
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": hooks.client_config("convert"),
            }},
        },
    });
    bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, definition)
        .await
        .unwrap();
    let rule = ["example.com", "v1", "planks"];
    let webhook = webhook(hooks.client_config("grow"), rule, "Equivalent");
    configure(&bench, "MutatingWebhookConfiguration", webhook).await;

    let second = bench
        .registry
        .catalog()
        .now()
        .by_path("example.com", "v2", "planks")
        .unwrap();
    let plank = json!({
        "apiVersion": "example.com/v2", "kind": "Plank", "metadata": {"name": "p"}, "spec": {"length": 3},
    });
    let written = bench.create(second, plank).await.unwrap();
    assert_eq!(json_of(&written.entry)["spec"]["length"], 4);
    let patched = bench
        .patch(target(second, "p"), "", json!({"spec": {"length": 7}}))
        .await
        .unwrap();
    assert_eq!(json_of(&patched.entry)["spec"]["length"], 8);
}
