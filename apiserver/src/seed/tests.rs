//! Tests of `seed`.

use coracle_api::kinds;

use super::*;
use crate::registry::{ListRequest, Target};
use crate::testing::{Bench, json_of};

async fn names(registry: &Registry, resource: &'static Resource) -> Vec<String> {
    let list = registry.list(&ListRequest::all(resource)).await.unwrap();
    let names = list.entries.iter().map(|entry| entry.attributes.name.to_string());
    names.collect()
}

#[tokio::test]
async fn a_new_cluster_has_what_every_cluster_has() {
    let bench = Bench::new().await;
    let registry = &bench.registry;
    assert_eq!(
        names(registry, kinds::NAMESPACE).await,
        ["default", "kube-node-lease", "kube-public", "kube-system"]
    );
    assert_eq!(
        names(registry, kinds::PRIORITY_CLASS).await,
        ["system-cluster-critical", "system-node-critical"]
    );
    assert_eq!(names(registry, kinds::FLOW_SCHEMA).await, ["catch-all", "exempt"]);
    let services = names(registry, kinds::API_SERVICE).await;
    for name in [
        "v1.",
        "v1.apps",
        "v1.rbac.authorization.k8s.io",
        "v1.apiextensions.k8s.io",
    ] {
        assert!(services.iter().any(|own| own == name), "{name}");
    }
}

#[tokio::test]
async fn a_restart_changes_nothing_but_a_moved_endpoint() {
    let bench = Bench::new().await;
    let before = bench.registry.revision();
    let there = |port| SocketAddr::from(([127, 0, 0, 1], port));
    seed(&bench.registry, there(6443)).await.unwrap();
    assert_eq!(bench.registry.revision(), before);
    seed(&bench.registry, SocketAddr::from(([0, 0, 0, 0], 7443)))
        .await
        .unwrap();
    let target = Target::new(kinds::ENDPOINT_SLICE, "default", "kubernetes");
    let slice = json_of(&bench.registry.get(&target, "", None).await.unwrap());
    assert_eq!(slice["ports"][0]["port"], 7443);
    assert_eq!(slice["endpoints"][0]["addresses"], json!(["127.0.0.1"]));
    let endpoints = bench.get(kinds::ENDPOINTS, "kubernetes").await.unwrap();
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 7443);
}

#[tokio::test]
async fn volume_snapshots_are_served_shown_and_registered() {
    let bench = Bench::new().await;
    let catalog = bench.registry.catalog().now();
    let find = |name: &str| catalog.find("", name).unwrap();
    assert_eq!(find("vs").kind, "VolumeSnapshot");
    assert_eq!(
        find("vsclass").qualified(),
        "volumesnapshotclasses.snapshot.storage.k8s.io"
    );
    let snapshot = |source: Value| json!({"metadata": {"generateName": "s-"}, "spec": {"volumeSnapshotClassName": "c", "source": source}});
    let claim = json!({"persistentVolumeClaimName": "data"});
    bench.create(find("vs"), snapshot(claim)).await.unwrap();
    let error = bench.create(find("vs"), snapshot(json!({}))).await.unwrap_err();
    assert_eq!(error.code(), 422);
    bench.registry.tend_api_services().await.unwrap();
    let services = names(&bench.registry, kinds::API_SERVICE).await;
    assert!(
        services.iter().any(|own| own == "v1.snapshot.storage.k8s.io"),
        "{services:?}"
    );
}
