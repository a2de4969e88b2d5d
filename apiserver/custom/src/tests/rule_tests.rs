//! `x-kubernetes-validations`.

use serde_json::{Value, json};

use super::{judge, node};
use crate::schema::Node;

fn with_rules(properties: Value, rules: Value) -> Result<Node, Vec<String>> {
    node(json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": properties, "x-kubernetes-validations": rules},
    }}))
}

#[test]
fn rules_speak_of_declared_fields() {
    let root = with_rules(
        json!({
            "min": {"type": "integer"}, "max": {"type": "integer"}, "x-y": {"type": "string"},
            "until": {"type": "string", "format": "date-time"}, "wait": {"type": "string", "format": "duration"},
        }),
        json!([
            {"rule": "self.min <= self.max", "message": "min must not exceed max"},
            {"rule": "!has(self.x__dash__y) || self.x__dash__y != 'bad'", "reason": "FieldValueForbidden", "fieldPath": ".x-y"},
            {"rule": "!has(self.max) || self.max < 100", "messageExpression": "'max is ' + string(self.max)"},
            {"rule": "!has(self.wait) || self.wait < duration('1h')"},
        ]),
    )
    .unwrap();
    let check =
        |spec: Value, expected: &[&str]| assert_eq!(judge(&root, json!({"spec": spec}), None), expected);
    check(json!({"min": 1, "max": 2}), &[]);
    check(
        json!({"min": 3, "max": 2}),
        &["spec: Invalid value: \"object\": min must not exceed max"],
    );
    check(
        json!({"min": 1}),
        &["spec: Invalid value: \"object\": no such key: max evaluating rule: min must not exceed max"],
    );
    check(
        json!({"min": 1, "max": 2, "x-y": "bad"}),
        &["spec.x-y: Forbidden: failed rule: !has(self.x__dash__y) || self.x__dash__y != 'bad'"],
    );
    check(
        json!({"min": 1, "max": 200}),
        &["spec: Invalid value: \"object\": max is 200"],
    );
    check(
        json!({"min": 1, "max": 2, "wait": "2h"}),
        &["spec: Invalid value: \"object\": failed rule: !has(self.wait) || self.wait < duration('1h')"],
    );
}

#[test]
fn rules_about_change() {
    let root = with_rules(
        json!({"class": {"type": "string", "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "class is immutable"},
        ]}}),
        json!([
            {"rule": "!oldSelf.hasValue() || has(self.class) == has(oldSelf.value().class)", "optionalOldSelf": true,
             "message": "class stays"},
        ]),
    )
    .unwrap();
    let of = |class: Option<&str>| match class {
        Some(class) => json!({"spec": {"class": class}}),
        None => json!({"spec": {}}),
    };
    assert!(judge(&root, of(Some("a")), None).is_empty());
    assert!(judge(&root, of(Some("a")), Some(of(Some("a")))).is_empty());
    assert_eq!(
        judge(&root, of(Some("b")), Some(of(Some("a")))),
        ["spec.class: Invalid value: \"string\": class is immutable"]
    );
    assert_eq!(
        judge(&root, of(Some("b")), Some(of(None))),
        ["spec: Invalid value: \"object\": class stays"]
    );
}

#[test]
fn items_of_lists_meet_their_former_selves() {
    let root = with_rules(
        json!({"parts": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "maxItems": 10,
            "items": {
                "type": "object", "required": ["name"],
                "properties": {"name": {"type": "string", "maxLength": 10}, "size": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size", "message": "parts never shrink"}],
            },
        }}),
        json!([]),
    )
    .unwrap();
    let old = json!({"spec": {"parts": [{"name": "a", "size": 2}, {"name": "b", "size": 5}]}});
    let new = json!({"spec": {"parts": [{"name": "b", "size": 4}, {"name": "a", "size": 2}, {"name": "c", "size": 0}]}});
    assert_eq!(
        judge(&root, new, Some(old)),
        ["spec.parts[0]: Invalid value: \"object\": parts never shrink"]
    );
}

#[test]
fn rules_that_are_refused() {
    let check = |rules: Value, expected: &str| {
        let properties = json!({
            "size": {"type": "integer"}, "name": {"type": "string"},
            "list": {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}},
        });
        let errors = with_rules(properties, rules).map(drop).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(expected), "{errors:?}");
    };
    check(
        json!([{"rule": "self.sise > 1"}]),
        "properties[spec].x-kubernetes-validations[0].rule: Invalid value: \"self.sise > 1\": compilation failed: \
         undefined field 'sise'",
    );
    check(
        json!([{"rule": "self.size + 1"}]),
        "cel expression must evaluate to a bool",
    );
    check(json!([{"rule": ""}]), "Required value: rule is not specified");
    check(
        json!([{"rule": "true", "message": "a\nb"}]),
        "message must not contain line breaks",
    );
    check(
        json!([{"rule": "true", "reason": "Because"}]),
        "Unsupported value: \"Because\"",
    );
    check(
        json!([{"rule": "true", "fieldPath": ".nothing"}]),
        "does not refer to a valid field",
    );
    check(
        json!([{"rule": "self.list.all(a, a.all(b, b.all(c, c.contains('x'))))"}]),
        "estimated rule cost exceeds budget by factor of more than 100x",
    );
}
