//! Lists: pages, revisions in the past, selectors and the errors of each.

use coracle_api::{FieldSelector, LabelSelector, kinds};
use serde_json::json;

use super::super::{AtRevision, DeleteOptions, ListRequest, Start, WatchRequest};
use crate::testing::{Bench, bind, config_map, pod, target};

fn names(result: &super::super::ListResult) -> Vec<String> {
    result
        .entries
        .iter()
        .map(|entry| entry.attributes.name.to_string())
        .collect()
}

#[tokio::test]
async fn all_pages_show_the_revision_of_the_first() {
    let bench = Bench::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        bench
            .create(kinds::CONFIG_MAP, config_map(name, "1"))
            .await
            .unwrap();
    }
    let first = ListRequest {
        limit: 2,
        namespace: "default".to_owned(),
        ..ListRequest::all(kinds::CONFIG_MAP)
    };
    let page = bench.registry.list(&first).await.unwrap();
    assert_eq!(
        (names(&page), page.remaining),
        (vec!["a".to_owned(), "b".to_owned()], Some(3))
    );
    bench
        .delete(target(kinds::CONFIG_MAP, "c"), DeleteOptions::default())
        .await
        .unwrap();
    bench
        .create(kinds::CONFIG_MAP, config_map("bb", "1"))
        .await
        .unwrap();
    let next = ListRequest {
        continue_token: page.continue_token.clone(),
        ..first.clone()
    };
    let second = bench.registry.list(&next).await.unwrap();
    assert_eq!(
        (names(&second), second.revision),
        (vec!["c".to_owned(), "d".to_owned()], page.revision)
    );
    let last = ListRequest {
        continue_token: second.continue_token.clone(),
        ..first.clone()
    };
    let third = bench.registry.list(&last).await.unwrap();
    assert_eq!(
        (names(&third), third.continue_token),
        (vec!["e".to_owned()], None)
    );

    bench.store_compact();
    let gone = bench.registry.list(&next).await.unwrap_err();
    assert!(
        gone.is_expired() && gone.message().contains("continue parameter is too old"),
        "{gone}"
    );
    let bad = ListRequest {
        continue_token: Some("{}".to_owned()),
        ..first
    };
    let error = bench.registry.list(&bad).await.unwrap_err();
    assert!(
        error
            .message()
            .starts_with("invalid continue token: continue key is not valid"),
        "{error}"
    );
}

#[tokio::test]
async fn the_past_can_be_read_until_it_is_compacted() {
    let bench = Bench::new().await;
    let created = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    bench
        .patch(target(kinds::CONFIG_MAP, "a"), "", json!({"data": {"key": "2"}}))
        .await
        .unwrap();
    let at = created.entry.revision;
    let then = bench
        .registry
        .get(&target(kinds::CONFIG_MAP, "a"), "", Some(at))
        .await
        .unwrap();
    assert_eq!(then.json, created.entry.json);
    let exact = ListRequest {
        revision: AtRevision::Exact(at),
        ..ListRequest::all(kinds::CONFIG_MAP)
    };
    assert_eq!(
        bench.registry.list(&exact).await.unwrap().entries[0].json,
        created.entry.json
    );
    let future = ListRequest {
        revision: AtRevision::AtLeast(1_000),
        ..ListRequest::all(kinds::CONFIG_MAP)
    };
    let error = bench.registry.list(&future).await.unwrap_err();
    assert!(
        error.message().contains("Too large resource version: 1000"),
        "{error}"
    );
    bench.store_compact();
    assert!(bench.registry.list(&exact).await.unwrap_err().is_expired());
    // RELIABILITY 6: a watch from below the compacted revision is told so, never left with a gap.
    let watch = bench
        .registry
        .watch(WatchRequest::all(kinds::CONFIG_MAP, Start::After(at)));
    assert!(watch.err().unwrap().is_expired());
}

#[tokio::test]
async fn selectors_look_at_labels_and_fields() {
    let bench = Bench::new().await;
    for name in ["a", "b", "c"] {
        bench.create(kinds::POD, pod(name)).await.unwrap();
    }
    bind(&bench, "b", "node-1").await.unwrap();
    let list = |labels: &str, fields: &str| ListRequest {
        labels: LabelSelector::parse(labels).unwrap(),
        fields: FieldSelector::parse(fields).unwrap(),
        ..ListRequest::all(kinds::POD)
    };
    let registry = &bench.registry;
    let found = |request| async move { names(&registry.list(&request).await.unwrap()) };
    assert_eq!(found(list("app=web", "")).await, ["a", "b", "c"]);
    assert_eq!(found(list("app!=web", "")).await, Vec::<String>::new());
    assert_eq!(found(list("", "spec.nodeName=node-1")).await, ["b"]);
    assert_eq!(found(list("", "spec.nodeName=")).await, ["a", "c"]);
    assert_eq!(
        found(list("", "metadata.name=c,status.phase=Pending")).await,
        ["c"]
    );
    let error = bench.registry.list(&list("", "spec.foo=1")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (400, "field label not supported: spec.foo")
    );
    let nowhere = ListRequest {
        namespace: "nowhere".to_owned(),
        ..ListRequest::all(kinds::POD)
    };
    assert_eq!(found(nowhere).await, Vec::<String>::new());
}
