//! Addresses and ports of Services.

use std::collections::BTreeSet;

use coracle_api::kinds;
use serde_json::{Value, json};

use super::super::DeleteOptions;
use crate::testing::{Bench, json_of, target};

fn service(name: &str, spec: Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    for (key, value) in spec.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

#[tokio::test]
async fn every_service_has_its_own_address_until_the_range_is_full() {
    let bench = Bench::new().await;
    let kubernetes = bench.get(kinds::SERVICE, "kubernetes").await.unwrap();
    assert_eq!(kubernetes["spec"]["clusterIP"], "10.96.0.1");
    let mut seen = BTreeSet::from(["10.96.0.1".to_owned(), "10.96.0.10".to_owned()]);
    for index in 0..252 {
        let created = bench
            .create(kinds::SERVICE, service(&format!("s{index}"), json!({})))
            .await
            .unwrap();
        let spec = &json_of(&created.entry)["spec"];
        assert_eq!(spec["clusterIPs"], json!([spec["clusterIP"]]));
        assert!(seen.insert(spec["clusterIP"].as_str().unwrap().to_owned()));
    }
    let full = bench
        .create(kinds::SERVICE, service("one-more", json!({})))
        .await
        .unwrap_err();
    assert!(full.message().contains("range is full"), "{full}");
    bench
        .delete(target(kinds::SERVICE, "s7"), DeleteOptions::default())
        .await
        .unwrap();
    bench
        .create(kinds::SERVICE, service("one-more", json!({})))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_taken_or_foreign_address_is_refused() {
    let bench = Bench::new().await;
    let taken = service("a", json!({"clusterIP": "10.96.0.1"}));
    let error = bench.create(kinds::SERVICE, taken).await.unwrap_err();
    assert_eq!(error.code(), 422);
    assert!(
        error
            .message()
            .contains("failed to allocate IP 10.96.0.1: provided IP is already allocated"),
        "{error}"
    );
    let foreign = service("a", json!({"clusterIP": "10.97.0.1"}));
    let error = bench.create(kinds::SERVICE, foreign).await.unwrap_err();
    assert!(error.message().contains("is not in the valid range"), "{error}");
    let headless = bench
        .create(kinds::SERVICE, service("a", json!({"clusterIP": "None"})))
        .await
        .unwrap();
    assert_eq!(json_of(&headless.entry)["spec"]["clusterIP"], "None");
}

#[tokio::test]
async fn node_ports_are_given_kept_and_released() {
    let bench = Bench::new().await;
    let asked = service(
        "a",
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}),
    );
    bench.create(kinds::SERVICE, asked).await.unwrap();
    let taken = service(
        "b",
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}),
    );
    let error = bench.create(kinds::SERVICE, taken).await.unwrap_err();
    assert!(
        error.message().contains("provided port is already allocated"),
        "{error}"
    );
    let out = service(
        "b",
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
    );
    let error = bench.create(kinds::SERVICE, out).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("The range of valid ports is 30000-32767"),
        "{error}"
    );

    let given = bench
        .create(kinds::SERVICE, service("b", json!({"type": "NodePort"})))
        .await
        .unwrap();
    let before = json_of(&given.entry)["spec"].clone();
    let port = before["ports"][0]["nodePort"].as_i64().unwrap();
    assert!((30_000..=32_767).contains(&port));
    // A client that leaves out what was given out keeps it.
    let again = service("b", json!({"type": "NodePort", "selector": {"app": "other"}}));
    let updated = bench
        .update(target(kinds::SERVICE, "b"), "", &again)
        .await
        .unwrap();
    let after = json_of(&updated.entry)["spec"].clone();
    assert_eq!(after["clusterIP"], before["clusterIP"]);
    assert_eq!(after["ports"][0]["nodePort"], port);
    bench
        .delete(target(kinds::SERVICE, "a"), DeleteOptions::default())
        .await
        .unwrap();
    let reused = service(
        "c",
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}),
    );
    bench.create(kinds::SERVICE, reused).await.unwrap();
}

#[tokio::test]
async fn what_is_given_out_is_known_after_a_restart() {
    let bench = Bench::new().await;
    let created = bench
        .create(kinds::SERVICE, service("a", json!({"type": "NodePort"})))
        .await
        .unwrap();
    let spec = json_of(&created.entry)["spec"].clone();
    let reopened = bench.reopened();
    let ctx = super::super::Context::internal();
    let again = service("b", json!({"clusterIP": spec["clusterIP"]}))
        .to_string()
        .into();
    let error = reopened
        .create(&ctx, kinds::SERVICE, "default", "", again)
        .await
        .unwrap_err();
    assert!(error.message().contains("already allocated"), "{error}");
    let ports =
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": spec["ports"][0]["nodePort"]}]});
    let again = service("b", ports).to_string().into();
    let error = reopened
        .create(&ctx, kinds::SERVICE, "default", "", again)
        .await
        .unwrap_err();
    assert!(error.message().contains("already allocated"), "{error}");
}
