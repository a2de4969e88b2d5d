//! What webhooks and policies want kept of a write in the audit log.

use coracle_api::kinds;
use serde_json::json;

use crate::{
    registry::Context,
    testing::{Bench, config_map, webhooks::Webhooks},
};

#[tokio::test]
async fn webhooks_annotate_what_they_see() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    for path in ["change", "judge"] {
        hooks.on(path, |request| {
            let mut review = Webhooks::allow(request);
            review["response"]["auditAnnotations"] = json!({"seen": "yes"});
            review
        });
    }
    for (kind, path) in [
        ("MutatingWebhookConfiguration", "change"),
        ("ValidatingWebhookConfiguration", "judge"),
    ] {
        let resource = kinds::of_object("admissionregistration.k8s.io/v1", kind).unwrap();
        let webhook = json!({
            "name": format!("{path}.example.com"), "clientConfig": hooks.client_config(path),
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
            "admissionReviewVersions": ["v1"], "sideEffects": "None",
        });
        let object = json!({"metadata": {"name": path}, "webhooks": [webhook]});
        bench.create(resource, object).await.unwrap();
    }
    let ctx = Context::internal();
    bench
        .create_with(&ctx, kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let kept = ctx.annotations.take();
    let kept: Vec<(&str, &str)> = kept
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("change.example.com/seen", "yes"),
            ("judge.example.com/seen", "yes")
        ]
    );
}
