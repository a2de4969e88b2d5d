//! The object and summary services as clients see them.

use coracle_api::ApiError;
use coracle_proto::v1::{self as pb, summary_service_client::SummaryServiceClient};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Server;
use crate::testing;

pub(super) fn object(api_version: &str, kind: &str, body: &Value) -> Option<pb::Object> {
    Some(pb::Object {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: "default".to_owned(),
        body: Some(pb::object::Body::Json(body.to_string().into())),
        ..pb::Object::default()
    })
}

pub(super) fn create(kind: &str, body: &Value) -> pb::CreateRequest {
    pb::CreateRequest {
        object: object("v1", kind, body),
        ..pb::CreateRequest::default()
    }
}

pub(super) fn get(kind: &str, name: &str) -> pb::GetRequest {
    pb::GetRequest {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..pb::GetRequest::default()
    }
}

/// The Kubernetes Status beside the gRPC status.
fn carried(status: &Status) -> ApiError {
    let json = status
        .metadata()
        .get_bin("k8s-status-bin")
        .unwrap()
        .to_bytes()
        .unwrap();
    ApiError::from_json(&json).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_come_and_go_and_failures_carry_their_status() {
    let server = Server::in_memory().await;
    let mut objects = server.objects();
    let created = objects
        .create(create("ConfigMap", &testing::config_map("a", "1")))
        .await
        .unwrap()
        .into_inner();
    let created = created.object.unwrap();
    let Some(pb::object::Body::Json(bytes)) = created.body.clone() else {
        panic!("no JSON body")
    };
    let seen: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(seen["metadata"]["resourceVersion"], created.revision.to_string());

    let read = objects
        .get(get("cm", "a"))
        .await
        .unwrap()
        .into_inner()
        .object
        .unwrap();
    assert_eq!(read, created, "get answers the very bytes of the write");
    let request = pb::GetRequest {
        body_format: pb::BodyFormat::Struct.into(),
        ..get("configmaps", "a")
    };
    let read = objects.get(request).await.unwrap().into_inner().object.unwrap();
    let Some(pb::object::Body::Struct(fields)) = read.body else {
        panic!("no structure")
    };
    assert!(fields.fields.contains_key("data"));

    let again = objects
        .create(create("ConfigMap", &testing::config_map("a", "1")))
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    assert_eq!(carried(&again).message(), "configmaps \"a\" already exists");
    let info = again.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        ("AlreadyExists", "coracle.dev")
    );

    let bad = objects
        .create(create("Pod", &json!({"metadata": {"name": "BAD_"}})))
        .await
        .unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
    let fields: Vec<String> = bad
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|own| own.field)
        .collect();
    assert_eq!(fields, ["metadata.name", "spec.containers"]);

    let unknown = objects.get(get("Boat", "a")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let delete = pb::DeleteRequest {
        kind: "ConfigMap".to_owned(),
        name: "a".to_owned(),
        ..Default::default()
    };
    assert!(objects.delete(delete.clone()).await.unwrap().into_inner().removed);
    assert_eq!(objects.delete(delete).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_the_present_then_every_change_and_ends_with_the_server() {
    let server = Server::in_memory().await;
    let mut objects = server.objects();
    objects
        .create(create("ConfigMap", &testing::config_map("a", "1")))
        .await
        .unwrap();
    let request = pb::WatchRequest {
        kind: "ConfigMap".to_owned(),
        namespace: "default".to_owned(),
        ..pb::WatchRequest::default()
    };
    let mut stream = objects.watch(request).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap().events;
    let kinds: Vec<pb::EventType> = first.iter().map(pb::WatchEvent::r#type).collect();
    assert_eq!(kinds, [pb::EventType::Added, pb::EventType::Bookmark]);
    assert!(first[1].ends_initial_events);
    objects
        .create(create("ConfigMap", &testing::config_map("b", "1")))
        .await
        .unwrap();
    let next = stream.message().await.unwrap().unwrap().events;
    assert_eq!(next[0].object.as_ref().unwrap().name, "b");
    server.shutdown.trigger();
    while let Ok(Some(_)) = stream.message().await {}
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_answers_each_item() {
    let server = Server::in_memory().await;
    let item = |body: &Value| pb::BatchItem {
        operation: Some(pb::batch_item::Operation::Create(create("ConfigMap", body))),
    };
    let request = pb::BatchRequest {
        items: vec![
            item(&testing::config_map("a", "1")),
            pb::BatchItem::default(),
            item(&testing::config_map("a", "2")),
            item(&testing::config_map("b", "1")),
        ],
        ..pb::BatchRequest::default()
    };
    let results = server
        .objects()
        .batch(request)
        .await
        .unwrap()
        .into_inner()
        .results;
    let codes: Vec<Option<i32>> = results
        .into_iter()
        .map(|result| match result.outcome.unwrap() {
            pb::batch_result::Outcome::Object(_) => None,
            pb::batch_result::Outcome::Error(status) => Some(status.code),
        })
        .collect();
    assert_eq!(
        codes,
        [
            None,
            Some(Code::InvalidArgument as i32),
            Some(Code::AlreadyExists as i32),
            None
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_is_applied_document_by_document() {
    let server = Server::in_memory().await;
    let manifest = |image: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{a: \"1\"}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: \
             web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: c, image: \
             \"{image}\"}}]}}\n---\napiVersion: v1\nkind: Boat\nmetadata: {{name: x}}\n"
        )
    };
    let apply = |manifest| async {
        let request = pb::ApplyManifestRequest {
            manifest,
            ..pb::ApplyManifestRequest::default()
        };
        let results = server
            .objects()
            .apply_manifest(request)
            .await
            .unwrap()
            .into_inner()
            .results;
        results.iter().map(pb::ApplyResult::outcome).collect::<Vec<_>>()
    };
    use pb::ApplyOutcome::{Configured, Created, Failed, Unchanged};
    assert_eq!(apply(manifest("nginx:1.25")).await, [Created, Created, Failed]);
    assert_eq!(
        apply(manifest("nginx:1.25")).await,
        [Unchanged, Unchanged, Failed]
    );
    assert_eq!(
        apply(manifest("nginx:1.26")).await,
        [Unchanged, Configured, Failed]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations_are_applied_for_their_managers() {
    let server = Server::in_memory().await;
    let apply = |manager: &str, value: &str, force: bool| {
        // Neither kind nor version in the body: they stand beside it.
        let object = pb::Object {
            name: "a".to_owned(),
            ..object("v1", "configmaps", &json!({"data": {"key": value}})).unwrap()
        };
        let request = pb::ApplyRequest {
            object: Some(object),
            options: Some(pb::WriteOptions {
                field_manager: manager.to_owned(),
                ..pb::WriteOptions::default()
            }),
            force,
            ..pb::ApplyRequest::default()
        };
        let mut objects = server.objects();
        async move { objects.apply(request).await.map(tonic::Response::into_inner) }
    };
    assert!(apply("one", "1", false).await.unwrap().created);
    assert!(!apply("one", "2", false).await.unwrap().created);
    let conflict = apply("other", "3", false).await.unwrap_err();
    assert_eq!(
        carried(&conflict).message(),
        "Apply failed with 1 conflict: conflict with \"one\": .data.key"
    );
    assert!(apply("other", "3", true).await.is_ok());
    let nobody = apply("", "4", true).await.unwrap_err();
    assert_eq!(nobody.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summaries_are_typed() {
    let server = Server::in_memory().await;
    server
        .objects()
        .create(create("Pod", &testing::pod("p")))
        .await
        .unwrap();
    let mut summaries = SummaryServiceClient::new(server.channel(&server.admin));
    let request = pb::ListPodsRequest {
        label_selector: "app=web".to_owned(),
        ..pb::ListPodsRequest::default()
    };
    let pods = summaries.list_pods(request).await.unwrap().into_inner().pods;
    assert_eq!(pods.len(), 1);
    assert_eq!(
        (pods[0].phase(), pods[0].status.as_str()),
        (pb::PodPhase::Pending, "Pending")
    );
    assert_eq!(pods[0].images, ["nginx:1.25"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let server = Server::start(Server::new_dir(), true).await;
    let mut objects = server.objects();
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"password": "hunter2"}});
    let created = objects
        .create(create("Secret", &secret))
        .await
        .unwrap()
        .into_inner()
        .object
        .unwrap();
    drop(objects);
    let server = Server::start(server.stop().await, true).await;
    let read = server
        .objects()
        .get(get("secrets", "s"))
        .await
        .unwrap()
        .into_inner()
        .object
        .unwrap();
    assert_eq!(read, created);
    let request = pb::WatchRequest {
        kind: "Secret".to_owned(),
        from_revision: created.revision - 1,
        ..pb::WatchRequest::default()
    };
    let mut stream = server.objects().watch(request).await.unwrap().into_inner();
    let events = stream.message().await.unwrap().unwrap().events;
    assert_eq!(
        events[0].object.as_ref(),
        Some(&created),
        "history outlives the process"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_resources_are_like_any_other() {
    let server = Server::in_memory().await;
    let mut objects = server.objects();
    let definition = json!({
        "metadata": {"name": "gizmos.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "shortNames": ["gz"]},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"size": {"type": "integer", "default": 3}},
            }}}],
        },
    });
    let request = pb::CreateRequest {
        object: object("apiextensions.k8s.io/v1", "CustomResourceDefinition", &definition),
        ..pb::CreateRequest::default()
    };
    objects.create(request).await.unwrap();
    let gizmo = json!({"metadata": {"name": "a"}});
    let request = pb::CreateRequest {
        object: object("example.com/v1", "Gizmo", &gizmo),
        ..pb::CreateRequest::default()
    };
    objects.create(request).await.unwrap();
    for kind in ["gz", "gizmos.example.com", "Gizmo"] {
        let read = objects
            .get(get(kind, "a"))
            .await
            .unwrap()
            .into_inner()
            .object
            .unwrap();
        assert_eq!(
            (read.api_version.as_str(), read.kind.as_str()),
            ("example.com/v1", "Gizmo")
        );
        let Some(pb::object::Body::Json(bytes)) = read.body else {
            panic!("no JSON body")
        };
        let seen: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(seen["size"], 3);
    }
    let request = pb::DiscoverRequest {
        kind: "gizmos".to_owned(),
        with_schemas: false,
    };
    let found = objects.discover(request).await.unwrap().into_inner().resources;
    assert_eq!(found[0].short_names, ["gz"]);
}
