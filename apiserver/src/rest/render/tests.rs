//! Forms of objects and lists.

use std::sync::Arc;

use axum::body::to_bytes;
use coracle_api::kinds;
use serde_json::{Value, json};

use super::*;
use crate::registry::Attributes;

fn config_map(name: &str, size: usize) -> Bytes {
    let head = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"resourceVersion":"7","name":"{name}"}}"#
    );
    Bytes::from(format!(r#"{head},"data":{{"a":"{}"}}}}"#, "x".repeat(size)))
}

fn entry(name: &str, size: usize) -> Entry {
    let key = kinds::CONFIG_MAP.store_key("default", name).into();
    Entry {
        key,
        revision: 7,
        json: config_map(name, size),
        attributes: Arc::new(Attributes::default()),
    }
}

fn renderer(form: Form, query: &str) -> Renderer {
    let query = Query::of(&format!("/?{query}").parse().unwrap()).unwrap();
    let target = Target {
        resource: kinds::CONFIG_MAP,
        namespace: String::new(),
        name: None,
        subresource: None,
        is_watched: false,
    };
    let representation = Representation {
        encoding: Encoding::Json,
        form,
    };
    Renderer::new(&target, representation, &query, Timestamp::UNIX_EPOCH).unwrap()
}

async fn list(form: Form, query: &str, entries: Vec<Entry>) -> (Value, Vec<u8>) {
    let result = ListResult {
        entries,
        revision: 9,
        continue_token: Some("abc".to_owned()),
        remaining: Some(3),
    };
    let bytes = to_bytes(renderer(form, query).list(result), usize::MAX)
        .await
        .unwrap()
        .to_vec();
    (serde_json::from_slice(&bytes).unwrap(), bytes)
}

#[tokio::test]
async fn lists_copy_their_objects() {
    for (count, size) in [(0, 0), (1, 10), (3, 10), (200, 1000)] {
        let entries: Vec<_> = (0..count)
            .map(|index| entry(&format!("c{index}"), size))
            .collect();
        let (list, _) = list(Form::Object, "", entries).await;
        assert_eq!(
            (&list["kind"], &list["apiVersion"]),
            (&json!("ConfigMapList"), &json!("v1"))
        );
        let metadata = json!({ "resourceVersion": "9", "continue": "abc", "remainingItemCount": 3 });
        assert_eq!(list["metadata"], metadata);
        assert_eq!(list["items"].as_array().unwrap().len(), count);
        if count > 0 {
            assert_eq!(
                list["items"][count - 1]["metadata"]["name"],
                format!("c{}", count - 1)
            );
        }
    }
}

#[tokio::test]
async fn long_lists_come_in_pieces() {
    let entries = (0..200).map(|index| entry(&format!("c{index}"), 1000)).collect();
    let result = ListResult {
        entries,
        revision: 9,
        continue_token: None,
        remaining: None,
    };
    let pieces = Pieces {
        renderer: renderer(Form::Object, ""),
        list: Some(result),
        entries: Vec::new().into_iter(),
        empty: true,
    };
    let sizes: Vec<usize> = pieces.map(|piece| piece.len()).collect();
    assert!(sizes.len() > 2, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < 2 * PIECE_BYTES), "{sizes:?}");
}

#[tokio::test]
async fn tables_have_columns_rows_and_metadata() {
    let (table, _) = list(Form::Table("v1"), "", vec![entry("a", 1), entry("b", 1)]).await;
    assert_eq!(
        (&table["kind"], &table["apiVersion"]),
        (&json!("Table"), &json!("meta.k8s.io/v1"))
    );
    let column = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Unique within its namespace and kind.",
    });
    assert_eq!(table["columnDefinitions"][0], column);
    assert_eq!(table["rows"][1]["cells"], json!(["b", 1, "<unknown>"]));
    let object = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": "7", "name": "b" },
    });
    assert_eq!(table["rows"][1]["object"], object);
    let (table, _) = list(Form::Table("v1"), "includeObject=Object", vec![entry("a", 1)]).await;
    assert_eq!(table["rows"][0]["object"]["kind"], "ConfigMap");
    let (table, _) = list(Form::Table("v1"), "includeObject=None", vec![entry("a", 1)]).await;
    assert_eq!(table["rows"][0].get("object"), None);
}

#[tokio::test]
async fn metadata_alone() {
    let (list, _) = list(Form::Metadata("v1"), "", vec![entry("a", 1)]).await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert_eq!(list["items"][0].get("data"), None);
}

#[tokio::test]
async fn pretty_lists_and_objects() {
    let (_, text) = list(Form::Object, "pretty=true", vec![entry("a", 1)]).await;
    assert!(text.starts_with(b"{\n  \"kind\": \"ConfigMapList\",\n"));
    let object = renderer(Form::Object, "pretty=1").object(&config_map("a", 1));
    assert!(object.starts_with(b"{\n  \"apiVersion\": \"v1\",\n"));
    let shared = config_map("a", 1);
    assert_eq!(
        renderer(Form::Object, "").object(&shared).as_ptr(),
        shared.as_ptr()
    );
}

#[test]
fn one_object_as_a_table() {
    let table = renderer(Form::Table("v1"), "").object(&config_map("a", 1));
    let table: Value = serde_json::from_slice(&table).unwrap();
    assert_eq!(table["metadata"], json!({ "resourceVersion": "7" }));
    assert_eq!(table["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn bookmarks() {
    let bookmark = |form, end| {
        let mut out = Vec::new();
        renderer(form, "").bookmark(&mut out, 12, end);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let plain = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "resourceVersion": "12" } });
    assert_eq!(bookmark(Form::Object, false), plain);
    let end = bookmark(Form::Object, true);
    assert_eq!(
        end["metadata"]["annotations"],
        json!({ "k8s.io/initial-events-end": "true" })
    );
    assert_eq!(bookmark(Form::Table("v1"), false)["rows"], json!([]));
}
