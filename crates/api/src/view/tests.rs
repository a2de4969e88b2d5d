//! Tests of `view`.

use super::*;

#[test]
fn metadata_is_read_from_a_whole_object() {
    let json = br#"{"apiVersion":"v1","kind":"Pod","metadata":{"resourceVersion":"17","name":"web-1","namespace":"d",
        "uid":"u","generation":2,"labels":{"z":"1","app":"we\"b","a":""},"creationTimestamp":"2026-11-22T15:51:44Z",
        "deletionTimestamp":"2026-11-22T15:52:20Z","managedFields":[{"x":[1,2]}],"finalizers":["f"],
        "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"r","controller":true,"blockOwnerDeletion":true}]},
        "spec":{"containers":[{"name":"c"}]}}"#;
    let meta = metadata(json).unwrap();
    assert_eq!(
        (meta.name.as_ref(), meta.namespace.as_ref(), meta.uid.as_ref()),
        ("web-1", "d", "u")
    );
    assert_eq!((meta.resource_version, meta.generation), (17, 2));
    assert_eq!(meta.labels.get("app"), Some("we\"b"));
    assert_eq!(meta.labels.get("a"), Some(""));
    assert_eq!(meta.labels.get("b"), None);
    assert_eq!(
        meta.labels.iter().map(|(key, _)| key).collect::<Vec<_>>(),
        ["a", "app", "z"]
    );
    assert!(meta.is_deleting());
    assert_eq!(
        meta.controller().map(|owner| owner.kind.as_ref()),
        Some("ReplicaSet")
    );
    assert_eq!(meta.finalizers.len(), 1);
}

#[test]
fn nulls_and_absence_are_the_same() {
    let nulls = br#"{"metadata":{"name":"x","labels":null,"namespace":null,"resourceVersion":null,"creationTimestamp":null,"ownerReferences":null}}"#;
    assert_eq!(
        metadata(nulls).unwrap(),
        metadata(br#"{"metadata":{"name":"x"}}"#).unwrap()
    );
    assert_eq!(metadata(b"{}").unwrap(), MetaView::default());
    assert!(metadata(br#"{"metadata":{"resourceVersion":"x"}}"#).is_err());
}

#[test]
fn of_equal_keys_the_last_stays() {
    let labels: Labels = [("a", "1"), ("b", "2"), ("a", "3")].into_iter().collect();
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
}
