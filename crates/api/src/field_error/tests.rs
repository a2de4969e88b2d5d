//! Tests of `field_error`.

use super::*;

#[test]
fn paths_are_written_as_upstream_writes_them() {
    let path = Path::new("spec")
        .child("containers")
        .index(0)
        .child("resources")
        .key("cpu");
    assert_eq!(path.to_string(), "spec.containers[0].resources[cpu]");
    assert_eq!(
        Path::root().child("metadata").child("name").as_str(),
        "metadata.name"
    );
    assert_eq!(Path::root().to_string(), "<nil>");
}

#[test]
fn messages_have_upstream_forms() {
    let path = Path::new("a.b");
    let check = |error: FieldError, expected: &str| assert_eq!(error.to_string(), expected);
    check(FieldError::required(&path, ""), "a.b: Required value");
    check(
        FieldError::required(&path, "say why"),
        "a.b: Required value: say why",
    );
    check(
        FieldError::invalid(&path, "x\"y", "must be z"),
        "a.b: Invalid value: \"x\\\"y\": must be z",
    );
    check(
        FieldError::invalid(&path, -3, "must be greater"),
        "a.b: Invalid value: -3: must be greater",
    );
    check(FieldError::duplicate(&path, "n"), "a.b: Duplicate value: \"n\"");
    check(FieldError::not_found(&path, "vol"), "a.b: Not found: \"vol\"");
    check(
        FieldError::not_supported(&path, "x", &["TCP", "SCTP", "UDP"]),
        "a.b: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
    );
    check(FieldError::forbidden(&path, "no"), "a.b: Forbidden: no");
    check(
        FieldError::too_long(&path, 63),
        "a.b: Too long: may not be more than 63 bytes",
    );
    check(
        FieldError::too_many(&path, 9, 8),
        "a.b: Too many: 9: must have at most 8 items",
    );
    check(
        FieldError::invalid(&path, Value::json(&serde_json::json!({"k": 1})), "immutable"),
        "a.b: Invalid value: {\"k\":1}: immutable",
    );
}

#[test]
fn several_errors_stand_in_brackets_and_repeats_are_said_once() {
    let one = FieldError::required(&Path::new("a"), "");
    let two = FieldError::required(&Path::new("b"), "");
    assert_eq!(aggregate(std::slice::from_ref(&one)), "a: Required value");
    assert_eq!(
        aggregate(&[one.clone(), two, one]),
        "[a: Required value, b: Required value]"
    );
}
