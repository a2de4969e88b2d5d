//! Evicting pods under disruption budgets, binding by a Binding's name, and the subresources of running pods.

use coracle_api::{ApiError, kinds};
use serde_json::{Value, json};

use super::super::{Context, Write};
use crate::testing::{Bench, bind, binding, json_of, pod, target};

async fn evict(bench: &Bench, name: &str) -> Result<(), ApiError> {
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
    let body = body.to_string().into();
    let ctx = Context::internal();
    let pod = target(kinds::POD, name);
    let evicted = bench
        .registry
        .create_subresource(&ctx, pod, "eviction", body)
        .await;
    evicted.map(|_| ())
}

/// A pod that runs and is ready, or not.
async fn running(bench: &Bench, name: &str, ready: bool) {
    bench.create(kinds::POD, pod(name)).await.unwrap();
    bind(bench, name, "node-1").await.unwrap();
    let ready = if ready { "True" } else { "False" };
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
    bench
        .patch(target(kinds::POD, name), "status", status)
        .await
        .unwrap();
}

async fn budget(bench: &Bench, name: &str) {
    let budget = json!({"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    bench.create(kinds::POD_DISRUPTION_BUDGET, budget).await.unwrap();
}

async fn worked_out(bench: &Bench, name: &str, allowed: i32, healthy: i32) {
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": healthy,
        "desiredHealthy": 1, "expectedPods": 2}});
    let target = target(kinds::POD_DISRUPTION_BUDGET, name);
    bench.patch(target, "status", status).await.unwrap();
}

#[tokio::test]
async fn an_eviction_charges_the_budget_until_it_is_spent() {
    let bench = Bench::new().await;
    running(&bench, "a", true).await;
    running(&bench, "b", true).await;
    budget(&bench, "web").await;

    let early = evict(&bench, "a").await.unwrap_err();
    assert_eq!((early.code(), early.retry_after_seconds()), (429, Some(10)));

    worked_out(&bench, "web", 1, 2).await;
    evict(&bench, "a").await.unwrap();
    let gone = bench.get(kinds::POD, "a").await.unwrap();
    assert!(gone["metadata"]["deletionTimestamp"].is_string());
    let conditions = gone["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|own| own["type"] == "DisruptionTarget" && own["reason"] == "EvictionByEvictionAPI")
    );
    let charged = bench.get(kinds::POD_DISRUPTION_BUDGET, "web").await.unwrap();
    assert_eq!(charged["status"]["disruptionsAllowed"], 0);
    assert!(charged["status"]["disruptedPods"]["a"].is_string());
    assert_eq!(charged["status"]["conditions"][0]["reason"], "InsufficientPods");

    let spent = evict(&bench, "b").await.unwrap_err();
    assert_eq!(spent.code(), 429);
    assert_eq!(
        spent.message(),
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    let cause = &spent.details().unwrap().causes[0];
    assert_eq!(cause.reason, "DisruptionBudget");
    assert_eq!(
        cause.message,
        "The disruption budget web needs 1 healthy pods and has 2 currently"
    );
    assert!(bench.get(kinds::POD, "b").await.unwrap()["metadata"]["deletionTimestamp"].is_null());
    // One that goes already disturbs nobody.
    evict(&bench, "a").await.unwrap();
}

#[tokio::test]
async fn pods_that_disturb_nobody_are_free() {
    let bench = Bench::new().await;
    bench.create(kinds::POD, pod("pending")).await.unwrap();
    running(&bench, "sick", false).await;
    budget(&bench, "web").await;
    evict(&bench, "pending").await.unwrap();
    worked_out(&bench, "web", 0, 1).await;
    evict(&bench, "sick").await.unwrap();
    let budget = bench.get(kinds::POD_DISRUPTION_BUDGET, "web").await.unwrap();
    assert_eq!(budget["status"].get("disruptedPods"), None);
}

#[tokio::test]
async fn two_budgets_are_one_too_many() {
    let bench = Bench::new().await;
    running(&bench, "a", true).await;
    budget(&bench, "one").await;
    budget(&bench, "two").await;
    let refused = evict(&bench, "a").await.unwrap_err();
    assert_eq!(refused.code(), 500);
    assert!(
        refused
            .message()
            .starts_with("This pod has more than one PodDisruptionBudget")
    );
}

#[tokio::test]
async fn concurrent_evictions_never_spend_the_same_disruption() {
    let bench = Bench::new().await;
    let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    for name in &names {
        running(&bench, name, true).await;
    }
    budget(&bench, "web").await;
    worked_out(&bench, "web", 3, 8).await;
    let evictions = names.iter().map(|name| evict(&bench, name));
    let outcomes = futures::future::join_all(evictions).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);

    // Nor do those of one transaction.
    worked_out(&bench, "web", 1, 8).await;
    let left = names
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| outcome.is_err());
    let writes = left.take(2).map(|(name, _)| Write::CreateSubresource {
        target: target(kinds::POD, name),
        subresource: "eviction".to_owned(),
        body: json!({"metadata": {"name": name}}).to_string().into(),
    });
    let batch = bench
        .registry
        .batch(&Context::internal(), writes.collect(), true)
        .await;
    assert_eq!(batch.unwrap_err().code(), 429);
}

#[tokio::test]
async fn a_binding_binds_the_pod_of_its_name() {
    let bench = Bench::new().await;
    bench.create(kinds::POD, pod("a")).await.unwrap();
    bench
        .create(kinds::BINDING, binding("a", "node-7"))
        .await
        .unwrap();
    assert_eq!(
        bench.get(kinds::POD, "a").await.unwrap()["spec"]["nodeName"],
        "node-7"
    );
    let missing = bench
        .create(kinds::BINDING, binding("b", "node-7"))
        .await
        .unwrap_err();
    assert_eq!(missing.message(), "pods \"b\" not found");
}

#[tokio::test]
async fn containers_to_debug_with_are_only_added() {
    let bench = Bench::new().await;
    running(&bench, "a", true).await;
    let patch = |containers: Value, image: &str| json!({"spec": {"ephemeralContainers": containers, "containers": [{"name": "c", "image": image}]}});
    let debugger = json!({"name": "debugger", "image": "busybox", "targetContainerName": "c"});
    let part = "ephemeralcontainers";
    let before = bench.get(kinds::POD, "a").await.unwrap();
    let added = bench
        .patch(target(kinds::POD, "a"), part, patch(json!([debugger]), "other"))
        .await
        .unwrap();
    let added = json_of(&added.entry);
    assert_eq!(
        added["spec"]["ephemeralContainers"][0]["imagePullPolicy"],
        "Always"
    );
    assert_eq!(added["spec"]["containers"], before["spec"]["containers"]);
    assert_eq!(added["metadata"]["generation"], 2);
    let removed = bench
        .patch(target(kinds::POD, "a"), part, patch(json!([]), "x"))
        .await
        .unwrap_err();
    assert_eq!(
        removed.message(),
        "Pod \"a\" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debugger\" may not be removed\n"
    );
    let stray = json!([debugger, {"name": "c", "image": "x", "targetContainerName": "none"}]);
    let stray = bench
        .patch(target(kinds::POD, "a"), part, patch(stray, "x"))
        .await
        .unwrap_err();
    assert!(
        stray
            .message()
            .contains("targetContainerName: Not found: \"none\""),
        "{stray:?}"
    );
    assert!(
        stray.message().contains("name: Duplicate value: \"c\""),
        "{stray:?}"
    );
    let shown = bench
        .registry
        .get(&target(kinds::POD, "a"), part, None)
        .await
        .unwrap();
    assert_eq!(json_of(&shown), added);
}

#[tokio::test]
async fn a_running_pod_is_resized_within_its_class() {
    let bench = Bench::new().await;
    let mut burstable = pod("a");
    burstable["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "100m"}});
    bench.create(kinds::POD, burstable).await.unwrap();
    let resize = async |resources: Value| {
        let patch = json!({"spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "c", "resources": resources}]}});
        bench
            .patch(target(kinds::POD, "a"), "resize", patch)
            .await
            .map(|written| json_of(&written.entry))
    };
    let resized = resize(json!({"requests": {"cpu": "200m"}})).await.unwrap();
    assert_eq!(
        resized["spec"]["containers"][0]["resources"]["requests"]["cpu"],
        "200m"
    );
    assert_eq!(resized["spec"].get("nodeSelector"), None);
    let other_class = resize(json!({})).await.unwrap_err();
    assert!(
        other_class
            .message()
            .ends_with("Pod QOS Class may not change as a result of resizing"),
        "{other_class:?}"
    );
    let other = resize(json!({"requests": {"cpu": "200m", "ephemeral-storage": "1Gi"}}))
        .await
        .unwrap_err();
    assert!(
        other
            .message()
            .ends_with("only cpu and memory resources are mutable"),
        "{other:?}"
    );
}
