//! Field sets and their JSON.

use super::*;

#[test]
fn json_is_upstreams() {
    let check = |json: &str| {
        let value: Value = serde_json::from_str(json).unwrap();
        let set = FieldSet::from_value(&value).unwrap();
        assert_eq!(set.to_json(), json);
        assert_eq!(set.to_value(), value);
        assert_eq!(FieldSet::from_value(&set.to_value()), Some(set));
    };
    check("{}");
    check(r#"{"f:spec":{}}"#);
    check(r#"{"f:metadata":{"f:labels":{".":{},"f:app":{},"f:app.kubernetes.io/name":{}}}}"#);
    check(r#"{"f:a":{},"f:b":{"k:{\"name\":\"c\"}":{".":{},"f:image":{}}}}"#);
    // Numbers sort as numbers, fields before items.
    check(
        r#"{"f:p":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{},"k:{\"port\":443,\"protocol\":\"TCP\"}":{}}}"#,
    );
    check(r#"{"f:z":{},"v:1":{},"v:\"a\"":{},"v:true":{},"i:0":{},"i:10":{}}"#);
}

#[test]
fn what_is_unknown_is_dropped_and_what_is_broken_refused() {
    let check = |json: Value, expected: Option<Value>| {
        assert_eq!(
            FieldSet::from_value(&json).map(|set| set.to_value()),
            expected,
            "{json}"
        );
    };
    check(json!({"x:new": {}, "f:a": {}}), Some(json!({"f:a": {}})));
    check(json!({"fa": {}}), None);
    check(json!({"k:[1]": {}}), None);
    check(json!({"k:{": {}}), None);
    check(json!({"i:x": {}}), None);
    check(json!({"f:a": 1}), None);
    check(json!([]), None);
}

#[test]
fn algebra() {
    let one = set(json!({"f:a": {".": {}, "f:x": {}}, "f:b": {"f:y": {}}, "f:c": {}}));
    let other = set(json!({"f:a": {"f:x": {}, "f:z": {}}, "f:c": {}, "f:d": {}}));
    let check = |found: FieldSet, expected: Value| assert_eq!(found.to_value(), expected);
    check(
        one.union(&other),
        json!({"f:a": {".": {}, "f:x": {}, "f:z": {}}, "f:b": {"f:y": {}}, "f:c": {}, "f:d": {}}),
    );
    check(one.intersection(&other), json!({"f:a": {"f:x": {}}, "f:c": {}}));
    check(one.difference(&other), json!({"f:a": {}, "f:b": {"f:y": {}}}));
    check(other.difference(&one), json!({"f:a": {"f:z": {}}, "f:d": {}}));
    check(
        one.without(&set(json!({"f:a": {}, "f:b": {"f:q": {}}}))),
        json!({"f:b": {"f:y": {}}, "f:c": {}}),
    );
    check(
        FieldSet::of_fields([&["metadata", "name"][..], &["metadata"], &["kind"]]),
        json!({"f:kind": {}, "f:metadata": {".": {}, "f:name": {}}}),
    );
    assert!(one.contains(&[Element::field("b"), Element::field("y")]));
    assert!(!one.contains(&[Element::field("b")]));
    assert!(!one.contains(&[]));
}

#[test]
fn paths_read_as_messages_write_them() {
    let set = set(json!({"f:spec": {
        "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:ports": {
            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {"f:name": {}},
        }}},
        "f:finalizers": {"v:\"a\"": {}, "i:3": {}},
        "f:replicas": {},
    }}));
    let paths: Vec<String> = set.paths().iter().map(ToString::to_string).collect();
    assert_eq!(
        paths,
        [
            ".spec.replicas",
            ".spec.containers[name=\"c\"]",
            ".spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].name",
            ".spec.finalizers[=\"a\"]",
            ".spec.finalizers[3]",
        ]
    );
}

#[test]
fn named_fields_stand_and_fall_with_what_is_in_them() {
    let found = set(json!({
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {"f:image": {}}}}}},
    }))
    .with_named_fields(view());
    let expected = json!({
        "f:metadata": {".": {}, "f:labels": {".": {}, "f:app": {}}},
        "f:spec": {".": {}, "f:template": {".": {}, "f:spec": {".": {}, "f:containers": {
            ".": {}, "k:{\"name\":\"c\"}": {"f:image": {}},
        }}}},
    });
    assert_eq!(found.to_value(), expected);
}
