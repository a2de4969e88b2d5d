//! What the kinds around the workloads do that others do not: who asked for a certificate, approval, generations.

use std::sync::Arc;

use coracle_api::kinds;
use coracle_service::Peer;
use serde_json::{Value, json};

use super::super::{Context, DeleteOptions, Target};
use crate::testing::{Bench, json_of};

/// `-----BEGIN CERTIFICATE REQUEST-----` and a line that nobody reads here.
const PEM: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KYQo=";

fn approved() -> Value {
    json!({"conditions": [{"type": "Approved", "status": "True", "reason": "KubectlApprove"}]})
}

#[tokio::test]
async fn a_certificate_is_asked_for_approved_and_issued_by_different_hands() {
    let bench = Bench::new().await;
    let eva = Context::new(Arc::new(Peer::new("eva", &["dev"])));
    let request = json!({
        "metadata": {"name": "c"},
        "spec": {"request": PEM, "signerName": "example.com/s", "usages": ["client auth"], "username": "root", "uid": "1"},
        "status": approved(),
    });
    let kind = kinds::CERTIFICATE_SIGNING_REQUEST;
    let created = bench.create_with(&eva, kind, request).await.unwrap();
    let created = json_of(&created.entry);
    assert_eq!(created["spec"]["username"], "eva");
    assert_eq!(created["spec"]["groups"], json!(["dev"]));
    assert_eq!(created["spec"]["uid"], Value::Null);
    assert_eq!(created["status"], json!({}));

    let target = || Target::new(kind, "", "c");
    let ctx = Context::internal();
    let write = async |part: &str, object: &Value| {
        let body = object.to_string().into();
        let written = bench.registry.update(&ctx, target(), part, body).await.unwrap();
        json_of(&written.entry)
    };
    let mut wanted = created.clone();
    wanted["metadata"]["resourceVersion"] = Value::Null;
    wanted["status"] = approved();
    wanted["status"]["certificate"] = json!("YQ==");
    let by_status = write("status", &wanted).await;
    assert_eq!(by_status["status"], json!({"certificate": "YQ=="}));
    let by_approval = write("approval", &wanted).await;
    let condition = &by_approval["status"]["conditions"][0];
    assert_eq!(condition["type"], "Approved");
    assert!(condition["lastTransitionTime"].is_string() && condition["lastUpdateTime"].is_string());
    wanted["status"]["conditions"] = json!([]);
    let kept = write("status", &wanted).await;
    assert_eq!(&kept["status"]["conditions"][0], condition);
    let shown = bench.registry.get(&target(), "approval", None).await.unwrap();
    assert_eq!(json_of(&shown), kept);
}

#[tokio::test]
async fn generations_count_what_is_wanted() {
    let bench = Bench::new().await;
    let class = json!({"metadata": {"name": "c"}, "spec": {"controller": "example.com/x"}});
    let created = bench.create(kinds::INGRESS_CLASS, class).await.unwrap();
    assert_eq!(json_of(&created.entry)["metadata"]["generation"], 1);
    let target = Target::new(kinds::INGRESS_CLASS, "", "c");
    let ctx = Context::internal();
    let write = async |object: Value| {
        let body = object.to_string().into();
        let written = bench
            .registry
            .update(&ctx, target.clone(), "", body)
            .await
            .unwrap();
        json_of(&written.entry)["metadata"]["generation"].clone()
    };
    let spec = json!({"controller": "example.com/x"});
    assert_eq!(
        write(json!({"metadata": {"name": "c", "labels": {"a": "b"}}, "spec": spec})).await,
        1
    );
    let spec = json!({"controller": "example.com/x", "parameters": {"kind": "K", "name": "n"}});
    assert_eq!(write(json!({"metadata": {"name": "c"}, "spec": spec})).await, 2);
}

#[tokio::test]
async fn definitions_remember_the_versions_that_were_stored() {
    let bench = Bench::new().await;
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": schema});
    let definition = |versions: Value| {
        json!({"metadata": {"name": "widgets.example.com"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"}, "versions": versions}})
    };
    let kind = kinds::CUSTOM_RESOURCE_DEFINITION;
    let created = bench
        .create(kind, definition(json!([version("v1", true)])))
        .await
        .unwrap();
    assert_eq!(json_of(&created.entry)["status"]["storedVersions"], json!(["v1"]));
    let next = definition(json!([version("v1", false), version("v2", true)]));
    let target = Target::new(kind, "", "widgets.example.com");
    let written = bench
        .registry
        .update(&Context::internal(), target, "", next.to_string().into())
        .await
        .unwrap();
    let written = json_of(&written.entry);
    assert_eq!(written["status"]["storedVersions"], json!(["v1", "v2"]));
    assert_eq!(written["metadata"]["generation"], 2);
}

#[tokio::test]
async fn system_priority_classes_stay() {
    let bench = Bench::new().await;
    let target = Target::new(kinds::PRIORITY_CLASS, "", "system-node-critical");
    let error = bench.delete(target, DeleteOptions::default()).await.unwrap_err();
    assert_eq!(
        error.message(),
        "priorityclasses.scheduling.k8s.io \"system-node-critical\" is forbidden: this is a system priority class and cannot be deleted"
    );
}
