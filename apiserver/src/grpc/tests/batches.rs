//! Configurations applied in batches, and the documents that describe kinds.

use coracle_proto::v1 as pb;
use serde_json::{Value, json};
use tonic::Code;

use super::Server;
use super::calls::{create, object};
use crate::testing;

/// A batch item that applies a ConfigMap's one key for a manager.
fn apply(manager: &str, name: &str, value: &str, force: bool) -> pb::BatchItem {
    let object = pb::Object {
        name: name.to_owned(),
        ..object("v1", "configmaps", &json!({"data": {"key": value}})).unwrap()
    };
    let options = pb::WriteOptions {
        field_manager: manager.to_owned(),
        ..pb::WriteOptions::default()
    };
    let request = pb::ApplyRequest {
        object: Some(object),
        options: Some(options),
        force,
        ..pb::ApplyRequest::default()
    };
    pb::BatchItem {
        operation: Some(pb::batch_item::Operation::Apply(request)),
    }
}

/// The key of each object that was answered, and the message of each error.
async fn run(server: &Server, items: Vec<pb::BatchItem>, atomic: bool) -> Result<Vec<String>, tonic::Status> {
    let request = pb::BatchRequest {
        items,
        atomic,
        ..pb::BatchRequest::default()
    };
    let results = server.objects().batch(request).await?.into_inner().results;
    let told = |result: pb::BatchResult| match result.outcome.unwrap() {
        pb::batch_result::Outcome::Object(object) => {
            let Some(pb::object::Body::Json(json)) = object.body else {
                panic!("no JSON body")
            };
            let object: Value = serde_json::from_slice(&json).unwrap();
            object["data"]["key"].as_str().unwrap_or_default().to_owned()
        }
        pb::batch_result::Outcome::Error(status) => status.message,
    };
    Ok(results.into_iter().map(told).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_applies_for_the_manager_of_each_item() {
    let server = Server::in_memory().await;
    let mut made = create("ConfigMap", &testing::config_map("made", "1"));
    made.options = Some(pb::WriteOptions {
        field_manager: "maker".to_owned(),
        ..pb::WriteOptions::default()
    });
    let made = pb::BatchItem {
        operation: Some(pb::batch_item::Operation::Create(made)),
    };
    let items = vec![
        made,
        apply("one", "a", "1", false),
        apply("one", "a", "2", false),
        apply("other", "a", "3", false),
        apply("other", "made", "4", false),
        apply("", "b", "5", false),
    ];
    let results = run(&server, items, false).await.unwrap();
    let conflict = "Apply failed with 1 conflict: conflict with";
    assert_eq!(results[..3], ["1", "1", "2"]);
    assert_eq!(results[3], format!("{conflict} \"one\": .data.key"));
    assert!(
        results[4].starts_with(&format!("{conflict} \"maker\"")),
        "{}",
        results[4]
    );
    assert!(results[5].contains("fieldManager"), "{}", results[5]);
    let forced = run(&server, vec![apply("other", "a", "3", true)], false).await;
    assert_eq!(forced.unwrap(), ["3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_all_or_none_applies_all_or_none() {
    let server = Server::in_memory().await;
    run(&server, vec![apply("one", "a", "1", false)], false)
        .await
        .unwrap();
    let items = || vec![apply("other", "b", "1", false), apply("other", "a", "2", false)];
    let refused = run(&server, items(), true).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted, "{refused}");
    let found = server
        .objects()
        .get(pb::GetRequest {
            kind: "configmaps".to_owned(),
            namespace: "default".to_owned(),
            name: "b".to_owned(),
            ..pb::GetRequest::default()
        })
        .await;
    assert_eq!(found.unwrap_err().code(), Code::NotFound);
    let forced = vec![apply("other", "b", "1", false), apply("other", "a", "2", true)];
    assert_eq!(run(&server, forced, true).await.unwrap(), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_items_other_options_are_refused() {
    let server = Server::in_memory().await;
    let mut item = apply("one", "a", "1", false);
    if let Some(pb::batch_item::Operation::Apply(request)) = &mut item.operation {
        request.options.as_mut().unwrap().dry_run = true;
    }
    let results = run(&server, vec![item, apply("a\nb", "b", "1", false)], false)
        .await
        .unwrap();
    assert!(
        results[0].starts_with("items of a batch have no dry run"),
        "{}",
        results[0]
    );
    assert!(results[1].starts_with("fieldManager: "), "{}", results[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_are_described_on_request() {
    let server = Server::in_memory().await;
    let definition = json!({
        "metadata": {"name": "gizmos.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "gizmos", "kind": "Gizmo"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"size": {"type": "integer", "description": "How big."}},
            }}}],
        },
    });
    let request = pb::CreateRequest {
        object: object("apiextensions.k8s.io/v1", "CustomResourceDefinition", &definition),
        ..pb::CreateRequest::default()
    };
    server.objects().create(request).await.unwrap();
    let discover = async |kind: &str, with_schemas| {
        let request = pb::DiscoverRequest {
            kind: kind.to_owned(),
            with_schemas,
        };
        server.objects().discover(request).await.unwrap().into_inner()
    };
    let found = discover("gizmos", true).await;
    assert_eq!((found.resources.len(), found.documents.len()), (1, 1));
    assert_eq!(found.documents[0].api_version, "example.com/v1");
    let document: Value = serde_json::from_slice(&found.documents[0].json).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let own = schemas.values().find(|own| {
        let kinds = own["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|own| own["kind"] == "Gizmo"))
    });
    assert_eq!(own.unwrap()["properties"]["size"]["description"], "How big.");
    assert!(discover("gizmos", false).await.documents.is_empty());
    // Every version of a group has one document, however many kinds there are.
    let found = discover("", true).await;
    let mut versions: Vec<&str> = found
        .resources
        .iter()
        .map(|own| own.api_version.as_str())
        .collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(found.documents.len(), versions.len());
}
