//! Batches: one by one, and all or none.

use coracle_api::{Resource, kinds};
use serde_json::{Value, json};

use super::super::{Context, DeleteOptions, PatchType, Preconditions, Write};
use crate::testing::{Bench, config_map, json_of, target};

fn create(resource: &'static Resource, object: &Value) -> Write {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let namespace = if resource.namespaced { "default" } else { "" };
    Write::Create {
        resource,
        namespace: namespace.to_owned(),
        name,
        body: object.to_string().into(),
    }
}

fn patch(name: &str, value: &str) -> Write {
    Write::Patch {
        target: target(kinds::CONFIG_MAP, name),
        subresource: String::new(),
        patch_type: PatchType::Merge,
        body: json!({"data": {"key": value}}).to_string().into(),
        preconditions: Preconditions::default(),
    }
}

fn delete(name: &str) -> Write {
    Write::Delete {
        target: target(kinds::CONFIG_MAP, name),
        options: DeleteOptions::default(),
    }
}

#[tokio::test]
async fn items_are_judged_one_by_one_and_in_order() {
    let bench = Bench::new().await;
    bench
        .create(kinds::CONFIG_MAP, config_map("taken", "1"))
        .await
        .unwrap();
    let writes = vec![
        create(kinds::CONFIG_MAP, &config_map("a", "1")),
        create(kinds::CONFIG_MAP, &config_map("taken", "2")),
        patch("a", "2"),
        patch("missing", "2"),
        patch("a", "3"),
        delete("taken"),
        create(kinds::CONFIG_MAP, &config_map("taken", "4")),
    ];
    let results = bench
        .registry
        .batch(&Context::internal(), writes, false)
        .await
        .unwrap();
    let codes: Vec<u16> = results
        .iter()
        .map(|result| result.as_ref().map_or_else(|error| error.code(), |_| 200))
        .collect();
    assert_eq!(codes, [200, 409, 200, 404, 200, 200, 200]);
    assert_eq!(
        bench.get(kinds::CONFIG_MAP, "a").await.unwrap()["data"]["key"],
        "3"
    );
    assert_eq!(
        bench.get(kinds::CONFIG_MAP, "taken").await.unwrap()["data"]["key"],
        "4"
    );
}

#[tokio::test]
async fn an_atomic_batch_is_all_or_none() {
    let bench = Bench::new().await;
    let before = bench.registry.revision();
    let ctx = Context::internal();
    let failing = vec![
        create(kinds::CONFIG_MAP, &config_map("a", "1")),
        patch("missing", "2"),
    ];
    let error = bench.registry.batch(&ctx, failing, true).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(bench.registry.revision(), before);

    let writes = vec![
        create(kinds::CONFIG_MAP, &config_map("a", "1")),
        patch("a", "2"),
        create(kinds::CONFIG_MAP, &config_map("b", "1")),
        delete("b"),
    ];
    let results = bench.registry.batch(&ctx, writes, true).await.unwrap();
    let revisions: Vec<i64> = results
        .iter()
        .map(|result| result.as_ref().unwrap().entry.revision)
        .collect();
    assert_eq!(revisions, (before + 1..=before + 4).collect::<Vec<_>>());
    assert_eq!(json_of(&results[1].as_ref().unwrap().entry)["data"]["key"], "2");
    assert_eq!(
        bench.get(kinds::CONFIG_MAP, "a").await.unwrap()["data"]["key"],
        "2"
    );
    assert!(bench.get(kinds::CONFIG_MAP, "b").await.is_err());
}

#[tokio::test]
async fn services_of_one_batch_get_different_addresses() {
    let bench = Bench::new().await;
    let service = |name: &str| {
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]},
        });
        create(kinds::SERVICE, &object)
    };
    for atomic in [false, true] {
        let names: Vec<String> = (0..50).map(|index| format!("s-{atomic}-{index}")).collect();
        let writes = names.iter().map(|name| service(name)).collect();
        let results = bench
            .registry
            .batch(&Context::internal(), writes, atomic)
            .await
            .unwrap();
        assert!(results.iter().all(Result::is_ok));
    }
    let list = bench
        .registry
        .list(&super::super::ListRequest::all(kinds::SERVICE))
        .await
        .unwrap();
    let mut addresses: Vec<&str> = list
        .entries
        .iter()
        .map(|entry| entry.attributes.field("spec.clusterIP"))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    // Those of `kubernetes` and `kube-dns` are among them.
    assert_eq!(addresses.len(), 102);
}
