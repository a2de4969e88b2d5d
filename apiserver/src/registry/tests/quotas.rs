//! Quotas on the way of writes: never exceeded, however many write at once.

use std::sync::Arc;

use coracle_api::{Resource, kinds};
use serde_json::{Value, json};

use super::super::{Context, DeleteOptions, Write};
use crate::testing::{Bench, config_map, pod, target};

fn quota() -> &'static Resource {
    kinds::of_object("v1", "ResourceQuota").unwrap()
}

async fn limit(bench: &Bench, hard: Value) {
    let object = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    bench.create(quota(), object).await.unwrap();
}

async fn used(bench: &Bench) -> Value {
    bench.registry.tell_quotas().await;
    bench.get(quota(), "q").await.unwrap()["status"]["used"].clone()
}

#[tokio::test]
async fn a_full_quota_refuses_and_makes_room_again() {
    let bench = Bench::new().await;
    bench.create(kinds::POD, pod("a")).await.unwrap();
    limit(&bench, json!({"pods": "2"})).await;
    bench.create(kinds::POD, pod("b")).await.unwrap();
    let error = bench.create(kinds::POD, pod("c")).await.unwrap_err();
    let message =
        "pods \"c\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2";
    assert_eq!((error.code(), error.message()), (403, message));
    assert_eq!(used(&bench).await, json!({"pods": "2"}));
    bench
        .delete(target(kinds::POD, "a"), DeleteOptions::default())
        .await
        .unwrap();
    assert_eq!(used(&bench).await, json!({"pods": "1"}));
    bench.create(kinds::POD, pod("c")).await.unwrap();
    // A restarted server counts the same.
    let reopened = bench.reopened();
    let ctx = Context::internal();
    let body = pod("d").to_string().into();
    reopened
        .create(&ctx, kinds::POD, "default", "d", body)
        .await
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_at_once_never_exceed_a_quota() {
    const WRITERS: usize = 64;
    const ROOM: usize = 100;
    let bench = Arc::new(Bench::new().await);
    limit(&bench, json!({"configmaps": ROOM.to_string()})).await;
    let writers = (0..WRITERS).map(|writer| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move {
            let mut created = 0;
            for index in 0..4 {
                let object = config_map(&format!("c-{writer}-{index}"), "1");
                match bench.create(kinds::CONFIG_MAP, object).await {
                    Ok(_) => created += 1,
                    Err(error) => assert!(error.message().contains("exceeded quota: q"), "{error}"),
                }
            }
            created
        })
    });
    let mut created = 0;
    for writer in writers.collect::<Vec<_>>() {
        created += writer.await.unwrap();
    }
    assert_eq!(created, ROOM);
    assert_eq!(used(&bench).await, json!({"configmaps": ROOM.to_string()}));
}

#[tokio::test]
async fn batches_fill_a_quota_to_the_brim() {
    let bench = Bench::new().await;
    limit(&bench, json!({"configmaps": "30"})).await;
    let creates = |batch: &str| {
        let create = |index: usize| Write::Create {
            resource: kinds::CONFIG_MAP,
            namespace: "default".to_owned(),
            name: String::new(),
            body: config_map(&format!("{batch}-{index}"), "1").to_string().into(),
        };
        (0..20).map(create).collect::<Vec<_>>()
    };
    let ctx = Context::internal();
    let results = bench.registry.batch(&ctx, creates("a"), false).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    // All or none: what did not fit holds nothing.
    bench.registry.batch(&ctx, creates("b"), true).await.unwrap_err();
    assert_eq!(used(&bench).await, json!({"configmaps": "20"}));
    let results = bench.registry.batch(&ctx, creates("c"), false).await.unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
}
