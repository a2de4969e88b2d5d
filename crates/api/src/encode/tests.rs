//! Tests of `encode`.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::*;

fn pod(name: Option<&str>) -> Pod {
    Pod {
        metadata: ObjectMeta {
            name: name.map(str::to_owned),
            resource_version: Some("7".to_owned()),
            ..ObjectMeta::default()
        },
        ..Pod::default()
    }
}

#[test]
fn the_revision_is_spliced_in_and_stripped_again() {
    for name in [Some("x"), None] {
        let canonical = encode(&mut pod(name));
        let text = std::str::from_utf8(&canonical.json).unwrap();
        assert!(
            text.starts_with(r#"{"apiVersion":"v1","kind":"Pod","metadata":{"#),
            "{text}"
        );
        assert!(!text.contains("resourceVersion"));
        let spliced = canonical.at_revision(42);
        let value: Value = serde_json::from_slice(&spliced).unwrap();
        assert_eq!(value["metadata"]["resourceVersion"], "42");
        assert_eq!(strip_resource_version(&spliced).unwrap(), (canonical, 42));
        assert_eq!(revision_of(&spliced), Some(42));
    }
}

#[test]
fn what_was_not_spliced_is_not_stripped() {
    let canonical = encode(&mut pod(Some("x")));
    assert!(strip_resource_version(&canonical.json).is_none());
    assert!(strip_resource_version(b"{}").is_none());
    assert_eq!(revision_of(b""), None);
}

#[test]
fn values_are_put_in_order() {
    let value = json!({"aaa": 1, "kind": "K", "apiVersion": "g/v1", "metadata": {"name": "n", "resourceVersion": "1"}});
    let canonical = encode_value(&value).unwrap();
    assert_eq!(
        &canonical.json[..],
        br#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"n"},"aaa":1}"#
    );
    assert!(encode_value(&json!({"kind": "K"})).is_none());
}
