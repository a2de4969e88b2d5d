//! Writes that are not applied.

use super::*;

fn object(labels: Value, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": labels},
        "spec": {"replicas": replicas},
    })
}

#[test]
fn who_changes_owns() {
    let mut tracked = Object::new();
    tracked.value = blank(view());
    tracked.update("one", object(json!({"a": "1"}), 1));
    assert_eq!(
        owned(&tracked.managers, "one"),
        json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:spec": {"f:replicas": {}}})
    );
    tracked.update("other", object(json!({"a": "1", "b": "1"}), 2));
    assert_eq!(
        owned(&tracked.managers, "one"),
        json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}})
    );
    assert_eq!(
        owned(&tracked.managers, "other"),
        json!({"f:metadata": {"f:labels": {"f:b": {}}}, "f:spec": {"f:replicas": {}}})
    );
    // Nothing changed, nothing owned.
    tracked.update("third", object(json!({"a": "1", "b": "1"}), 2));
    assert_eq!(names(&tracked.managers), ["one", "other"]);
    // What is removed is nobody's, and who owns nothing goes.
    tracked.update("third", object(json!({"b": "1"}), 3));
    tracked.update("third", object(json!({"b": "2"}), 3));
    assert_eq!(names(&tracked.managers), ["one", "third"]);
    assert_eq!(
        owned(&tracked.managers, "one"),
        json!({"f:metadata": {"f:labels": {}}})
    );
}

#[test]
fn subresources_and_versions_are_managers_of_their_own() {
    let old = object(json!({}), 1);
    let new = object(json!({}), 2);
    let status = Writer {
        subresource: "status",
        ..writer("one", 2)
    };
    let beta = Writer {
        api_version: "apps/v1beta1",
        ..writer("one", 3)
    };
    let newer = object(json!({"a": "1"}), 2);
    let managers = Managers::default()
        .update(&blank(view()), &old, view(), &NOTHING, writer("one", 1))
        .update(&old, &new, view(), &NOTHING, status)
        .update(&new, &newer, view(), &NOTHING, beta);
    assert_eq!(managers.iter().count(), 3);
    let encoded: Vec<_> = managers
        .encode()
        .into_iter()
        .map(|entry| (entry.api_version, entry.subresource))
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        encoded,
        [
            (some("apps/v1"), None),
            (some("apps/v1"), some("status")),
            (some("apps/v1beta1"), None),
        ]
    );
}

#[test]
fn old_updates_are_folded() {
    let mut tracked = Object::new();
    tracked.value = object(json!({}), 1);
    let mut labels = json!({});
    for count in 0..15 {
        labels[format!("l{count:02}")] = json!("1");
        tracked.update(&format!("m{count:02}"), object(labels.clone(), 1));
    }
    let names = names(&tracked.managers);
    assert_eq!(names.len(), MAX_UPDATE_MANAGERS);
    assert_eq!(names[0], "ancient-changes");
    assert_eq!(names[1], "m06");
    let ancient = owned(&tracked.managers, "ancient-changes");
    let ancient = ancient["f:metadata"]["f:labels"].as_object().unwrap();
    assert_eq!(ancient.keys().next_back().unwrap(), "f:l05");
}

#[test]
fn broken_entries_are_told() {
    let check = |entry: Value, expected: &str| {
        let entries = [serde_json::from_value(entry).unwrap()];
        assert_eq!(Managers::decode(&entries).unwrap_err().to_string(), expected);
    };
    check(
        json!({"manager": "a", "operation": "Foo"}),
        "failed to decode managed fields: entry 0: operation must be `Apply` or `Update`",
    );
    check(
        json!({"manager": "a", "operation": "Apply", "fieldsType": "FieldsV2"}),
        "failed to decode managed fields: entry 0: fieldsType must be `FieldsV1`",
    );
    check(
        json!({"manager": "a", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"nonsense": 1}}),
        "failed to decode managed fields: entry 0: fieldsV1 is not a set of fields",
    );
}
