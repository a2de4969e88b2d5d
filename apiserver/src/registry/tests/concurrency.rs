//! RELIABILITY rows 7 and 8 on the registry: compare-and-swap counts, and reads are never stale.

use coracle_api::kinds;
use serde_json::json;

use crate::testing::{Bench, config_map, deployment, json_of, target};

const CLIENTS: usize = 64;

/// Updates that each client tries; the long form is asked for with `CORACLE_LONG=1`.
fn updates_per_client() -> usize {
    #[allow(clippy::disallowed_methods, reason = "the one switch of the long tests")]
    let is_long = std::env::var_os("CORACLE_LONG").is_some();
    if is_long { 1_600 } else { 40 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_final_count_equals_the_updates_that_succeeded() {
    let bench = std::sync::Arc::new(Bench::new().await);
    bench
        .create(kinds::CONFIG_MAP, config_map("count", "0"))
        .await
        .unwrap();
    let clients = (0..CLIENTS).map(|_| {
        let bench = std::sync::Arc::clone(&bench);
        tokio::spawn(async move {
            let mut successes = 0_u64;
            for _ in 0..updates_per_client() {
                let mut object = bench.get(kinds::CONFIG_MAP, "count").await.unwrap();
                let count: u64 = object["data"]["key"].as_str().unwrap().parse().unwrap();
                object["data"]["key"] = (count + 1).to_string().into();
                match bench
                    .update(target(kinds::CONFIG_MAP, "count"), "", &object)
                    .await
                {
                    Ok(written) => {
                        successes += 1;
                        // Row 8: what is read after the acknowledgement is never older than it.
                        let seen = bench
                            .registry
                            .get(&target(kinds::CONFIG_MAP, "count"), "", None)
                            .await
                            .unwrap();
                        assert!(seen.revision >= written.entry.revision);
                    }
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
            successes
        })
    });
    let mut successes = 0;
    for client in clients.collect::<Vec<_>>() {
        successes += client.await.unwrap();
    }
    let object = bench.get(kinds::CONFIG_MAP, "count").await.unwrap();
    assert_eq!(object["data"]["key"], successes.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_without_a_revision_all_hold() {
    let bench = std::sync::Arc::new(Bench::new().await);
    bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let clients = (0..CLIENTS).map(|index| {
        let bench = std::sync::Arc::clone(&bench);
        tokio::spawn(async move {
            let patch = json!({"data": {format!("k{index}"): "1"}});
            bench
                .patch(target(kinds::CONFIG_MAP, "a"), "", patch)
                .await
                .unwrap()
        })
    });
    for client in clients.collect::<Vec<_>>() {
        let written = client.await.unwrap();
        assert!(json_of(&written.entry)["data"].as_object().unwrap().len() > 1);
    }
    let object = bench.get(kinds::CONFIG_MAP, "a").await.unwrap();
    assert_eq!(object["data"].as_object().unwrap().len(), CLIENTS + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scale_patches_without_a_revision_all_hold() {
    let bench = std::sync::Arc::new(Bench::new().await);
    bench.create(kinds::DEPLOYMENT, deployment("web")).await.unwrap();
    let clients = (0..CLIENTS).map(|index| {
        let bench = std::sync::Arc::clone(&bench);
        tokio::spawn(async move {
            let (part, patch) = match index % 2 {
                0 => ("scale", json!({"spec": {"replicas": index}})),
                _ => ("", json!({"metadata": {"labels": {format!("k{index}"): "1"}}})),
            };
            bench.patch(target(kinds::DEPLOYMENT, "web"), part, patch).await
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap().unwrap();
    }
}
