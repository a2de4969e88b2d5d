//! Deleting: at once, gracefully, with finalizers; namespaces; Events that the sweeper removes.

use std::time::Duration;

use coracle_api::{MetaView, kinds};
use serde_json::json;

use super::super::{Context, DeleteOptions, ListRequest, Propagation, Target};
use crate::{
    config::EventRetention,
    sweeper,
    testing::{Bench, bind, config_map, deployment, json_of, pod, target},
};

fn at_once() -> DeleteOptions {
    DeleteOptions {
        grace: Some(0),
        ..DeleteOptions::default()
    }
}

#[tokio::test]
async fn most_objects_go_at_once() {
    let bench = Bench::new().await;
    let created = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let wrong = DeleteOptions {
        uid: Some("other".to_owned()),
        ..DeleteOptions::default()
    };
    assert!(
        bench
            .delete(target(kinds::CONFIG_MAP, "a"), wrong)
            .await
            .unwrap_err()
            .is_conflict()
    );
    let gone = bench
        .delete(target(kinds::CONFIG_MAP, "a"), DeleteOptions::default())
        .await
        .unwrap();
    assert!(gone.removed);
    assert_eq!(gone.entry.attributes.uid, created.entry.attributes.uid);
    let again = bench
        .delete(target(kinds::CONFIG_MAP, "a"), DeleteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(again.message(), "configmaps \"a\" not found");
}

#[tokio::test]
async fn a_bound_pod_ends_gracefully_and_an_unbound_one_at_once() {
    let bench = Bench::new().await;
    bench.create(kinds::POD, pod("free")).await.unwrap();
    assert!(
        bench
            .delete(target(kinds::POD, "free"), DeleteOptions::default())
            .await
            .unwrap()
            .removed
    );

    bench.create(kinds::POD, pod("bound")).await.unwrap();
    bind(&bench, "bound", "node-1").await.unwrap();
    let marked = bench
        .delete(target(kinds::POD, "bound"), DeleteOptions::default())
        .await
        .unwrap();
    assert!(!marked.removed);
    let object = json_of(&marked.entry);
    assert_eq!(object["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(object["metadata"]["generation"], 2);
    let repeated = bench
        .delete(target(kinds::POD, "bound"), DeleteOptions::default())
        .await
        .unwrap();
    assert_eq!(
        repeated.entry.revision, marked.entry.revision,
        "a repeated delete changes nothing"
    );
    let sooner = DeleteOptions {
        grace: Some(5),
        ..DeleteOptions::default()
    };
    let object = json_of(
        &bench
            .delete(target(kinds::POD, "bound"), sooner)
            .await
            .unwrap()
            .entry,
    );
    assert_eq!(object["metadata"]["deletionGracePeriodSeconds"], 5);
    let refused = bind(&bench, "bound", "node-2").await.unwrap_err();
    assert!(refused.message().contains("is being deleted"), "{refused}");
    assert!(
        bench
            .delete(target(kinds::POD, "bound"), at_once())
            .await
            .unwrap()
            .removed
    );
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let bench = Bench::new().await;
    let mut object = config_map("a", "1");
    object["metadata"]["finalizers"] = json!(["example.com/one"]);
    bench.create(kinds::CONFIG_MAP, object).await.unwrap();
    let marked = bench
        .delete(target(kinds::CONFIG_MAP, "a"), DeleteOptions::default())
        .await
        .unwrap();
    assert!(!marked.removed && marked.entry.attributes.deleting);
    let released = bench
        .patch(
            target(kinds::CONFIG_MAP, "a"),
            "",
            json!({"metadata": {"finalizers": null}}),
        )
        .await;
    assert!(released.unwrap().removed);
    assert!(bench.get(kinds::CONFIG_MAP, "a").await.is_err());
}

#[tokio::test]
async fn propagation_is_written_down_as_a_finalizer() {
    let bench = Bench::new().await;
    for (name, propagation, finalizer) in [
        ("fg", Propagation::Foreground, "foregroundDeletion"),
        ("orphans", Propagation::Orphan, "orphan"),
    ] {
        bench.create(kinds::DEPLOYMENT, deployment(name)).await.unwrap();
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        let marked = bench
            .delete(target(kinds::DEPLOYMENT, name), options)
            .await
            .unwrap();
        assert!(!marked.removed);
        let object = json_of(&marked.entry);
        assert_eq!(object["metadata"]["finalizers"], json!([finalizer]));
        assert_eq!(object["metadata"]["deletionGracePeriodSeconds"], 0);
        assert_eq!(object["metadata"]["generation"], 2);
    }
}

#[tokio::test]
async fn a_namespace_ends_through_its_finalize_subresource() {
    let bench = Bench::new().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "probe"}});
    let created = json_of(&bench.create(kinds::NAMESPACE, namespace).await.unwrap().entry);
    assert_eq!(created["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(created["status"]["phase"], "Active");
    assert_eq!(
        created["metadata"]["labels"]["kubernetes.io/metadata.name"],
        "probe"
    );

    let marked = bench
        .delete(target(kinds::NAMESPACE, "probe"), DeleteOptions::default())
        .await
        .unwrap();
    assert!(!marked.removed);
    let mut object = json_of(&marked.entry);
    assert_eq!(object["status"]["phase"], "Terminating");
    let body = config_map("late", "1").to_string().into();
    let late = bench
        .registry
        .create(&Context::internal(), kinds::CONFIG_MAP, "probe", "", body)
        .await
        .unwrap_err();
    assert_eq!(late.code(), 403);
    let why = "configmaps \"late\" is forbidden: unable to create new content in namespace probe because it is being \
               terminated";
    assert_eq!(late.message(), why);
    assert_eq!(late.details().unwrap().causes[0].reason, "NamespaceTerminating");

    object["spec"] = json!({});
    let finalized = bench
        .update(target(kinds::NAMESPACE, "probe"), "finalize", &object)
        .await
        .unwrap();
    assert!(finalized.removed);
    assert!(bench.get(kinds::NAMESPACE, "probe").await.is_err());

    let immortal = bench
        .delete(target(kinds::NAMESPACE, "default"), DeleteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        immortal.message(),
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
}

#[tokio::test]
async fn a_collection_goes_page_by_page() {
    let bench = Bench::new().await;
    for index in 0..1_203 {
        let mut object = config_map(&format!("c{index:04}"), "1");
        object["metadata"]["labels"] = json!({"even": (index % 2 == 0).to_string()});
        bench.create(kinds::CONFIG_MAP, object).await.unwrap();
    }
    let request = ListRequest {
        namespace: "default".to_owned(),
        labels: coracle_api::LabelSelector::parse("even=true").unwrap(),
        ..ListRequest::all(kinds::CONFIG_MAP)
    };
    let ctx = Context::internal();
    let deleted = bench
        .registry
        .delete_collection(&ctx, &request, &DeleteOptions::default())
        .await
        .unwrap();
    assert_eq!(deleted.entries.len(), 602);
    assert_eq!(bench.registry.count(kinds::CONFIG_MAP), 601);
}

#[tokio::test]
async fn events_are_swept_by_count_and_age() {
    let bench = Bench::new().await;
    for index in 0..30 {
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("e{index:02}")},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Test",
        });
        bench.create(kinds::EVENT, event).await.unwrap();
    }
    let retention = EventRetention {
        age: Duration::from_secs(3_600),
        count: 20,
        interval: Duration::from_secs(1),
    };
    let now = bench.env.cluster_clock.now();
    assert_eq!(sweeper::sweep(&bench.registry, retention, now).await.unwrap(), 10);
    let left = bench
        .registry
        .list(&ListRequest::all(kinds::EVENT))
        .await
        .unwrap()
        .entries;
    assert_eq!(
        left.first().map(|entry| &*entry.attributes.name),
        Some("e10"),
        "the oldest went"
    );
    let created = serde_json::from_slice::<serde_json::Value>(&left[0].json).unwrap();
    serde_json::from_value::<MetaView>(created["metadata"].clone()).unwrap();
    let later = now.checked_add(jiff::SignedDuration::from_secs(3_700)).unwrap();
    assert_eq!(
        sweeper::sweep(&bench.registry, retention, later).await.unwrap(),
        20
    );
    assert_eq!(bench.registry.count(kinds::EVENT), 0);
}

#[tokio::test]
async fn eviction_deletes_the_pod() {
    let bench = Bench::new().await;
    bench.create(kinds::POD, pod("p")).await.unwrap();
    bind(&bench, "p", "node-1").await.unwrap();
    let body = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"},
        "deleteOptions": {"gracePeriodSeconds": 7},
    });
    let target = Target::new(kinds::POD, "default", "p");
    let evicted = bench
        .registry
        .create_subresource(&Context::internal(), target, "eviction", body.to_string().into())
        .await
        .unwrap();
    assert_eq!(
        json_of(&evicted.entry)["metadata"]["deletionGracePeriodSeconds"],
        7
    );
}
