//! Tests of `patch`.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::kinds::{CONFIG_MAP, DEPLOYMENT, POD, SERVICE};

mod every_kind;

fn strategic(resource: &Resource, object: Value, patch: Value) -> Value {
    strategic::apply(resource, &object, patch.to_string().as_bytes()).unwrap()
}

#[test]
fn json_patches_apply_whole_or_not_at_all() {
    let object = json!({"a": {"b": [1, 2]}});
    let patched = json::apply(
        &object,
        br#"[{"op":"test","path":"/a/b/0","value":1},{"op":"replace","path":"/a/b/0","value":7}]"#,
    );
    assert_eq!(patched.unwrap(), json!({"a": {"b": [7, 2]}}));
    let guarded = br#"[{"op":"test","path":"/a/c","value":null},{"op":"add","path":"/a/c","value":[1]}]"#;
    let patched = json::apply(&object, guarded).unwrap();
    assert_eq!(patched, json!({"a": {"b": [1, 2], "c": [1]}}));
    assert_eq!(json::apply(&patched, guarded).unwrap_err().code(), 422);
    let check = |patch: &str, code: u16| {
        assert_eq!(
            json::apply(&object, patch.as_bytes()).unwrap_err().code(),
            code,
            "{patch}"
        );
    };
    check(r#"[{"op":"test","path":"/a/b/0","value":9}]"#, 422);
    check(r#"[{"op":"remove","path":"/x"}]"#, 422);
    check(r#"[{"op":"test","path":"/x/y","value":null}]"#, 422);
    check(r#"[{"op":"test","path":"/a/b/7","value":null}]"#, 422);
    check(r#"{"op":"remove"}"#, 400);
    check("nonsense", 400);
    let operations = vec![r#"{"op":"add","path":"/z","value":1}"#; json::OPERATIONS_MAX + 1].join(",");
    check(&format!("[{operations}]"), 413);
    let double = |n: usize| format!(r#"{{"op":"copy","from":"","path":"/a/{n}"}}"#);
    let doubling = (0..64).map(double).collect::<Vec<_>>().join(",");
    check(&format!("[{doubling}]"), 413);
}

/// The examples of RFC 7386, appendix A, that a patch of an object can take.
#[test]
fn merge_patches_follow_the_rfc() {
    let check = |object: Value, patch: Value, expected: Value| {
        assert_eq!(
            merge::apply(&object, patch.to_string().as_bytes()).unwrap(),
            expected
        );
    };
    check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
    check(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}));
    check(json!({"a": "b"}), json!({"a": null}), json!({}));
    check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
    check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
    check(
        json!({"a": {"b": "c"}}),
        json!({"a": {"b": "d", "c": null}}),
        json!({"a": {"b": "d"}}),
    );
    check(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}));
    check(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}));
    check(
        json!({}),
        json!({"a": {"bb": {"ccc": null}}}),
        json!({"a": {"bb": {}}}),
    );
    for broken in ["[]", "1", "{", ""] {
        assert_eq!(
            merge::apply(&json!({}), broken.as_bytes()).unwrap_err().code(),
            400
        );
    }
}

fn containers(items: Value) -> Value {
    json!({"spec": {"containers": items}})
}

#[test]
fn containers_are_merged_by_name() {
    let live = containers(
        json!([{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]),
    );
    let patch = containers(json!([{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]}]));
    assert_eq!(
        strategic(POD, live, patch),
        containers(json!([
            {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]},
            {"name": "b"}
        ]))
    );
}

#[test]
fn what_kubectl_set_image_sends() {
    let template = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "c1", "image": image, "ports": [{"containerPort": 80}]}]}}}});
    let patch = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "c1"}],
        "containers": [{"image": "nginx:1.25", "name": "c1"}]}}}});
    assert_eq!(
        strategic(DEPLOYMENT, template("nginx:1.24"), patch),
        template("nginx:1.25")
    );
}

#[test]
fn items_are_deleted_replaced_and_ordered() {
    let live = containers(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]));
    let check = |patch: Value, expected: Value| {
        assert_eq!(
            strategic(POD, live.clone(), json!({"spec": patch})),
            containers(expected)
        );
    };
    check(
        json!({"containers": [{"name": "b", "$patch": "delete"}]}),
        json!([{"name": "a"}, {"name": "c"}]),
    );
    check(
        json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}),
        json!([{"name": "z"}]),
    );
    check(
        json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}),
        json!([{"name": "b"}, {"name": "c"}, {"name": "a"}]),
    );
    check(
        json!({"$setElementOrder/containers": [{"name": "n"}, {"name": "a"}, {"name": "b"}, {"name": "c"}], "containers": [{"name": "n"}]}),
        json!([{"name": "n"}, {"name": "a"}, {"name": "b"}, {"name": "c"}]),
    );
    check(
        json!({"containers": [{"name": "a", "image": "x", "tty": null}]}),
        json!([{"name": "a", "image": "x"}, {"name": "b"}, {"name": "c"}]),
    );
}

#[test]
fn unions_keep_only_what_is_named() {
    let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(
        strategic(DEPLOYMENT, live, patch),
        json!({"spec": {"strategy": {"type": "Recreate"}}})
    );
    let live = json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}});
    let patch =
        json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "nfs"], "nfs": {"path": "/"}}]}});
    assert_eq!(
        strategic(POD, live, patch),
        json!({"spec": {"volumes": [{"name": "v", "nfs": {"path": "/"}}]}})
    );
}

#[test]
fn finalizers_are_a_set() {
    let live = || json!({"metadata": {"finalizers": ["a", "b"]}});
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    assert_eq!(
        strategic(CONFIG_MAP, live(), finalizers(json!(["c", "a"]))),
        finalizers(json!(["c", "a", "b"]))
    );
    let deletion = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}});
    assert_eq!(strategic(CONFIG_MAP, live(), deletion), finalizers(json!(["b"])));
    assert_eq!(
        strategic(CONFIG_MAP, live(), json!({"metadata": {"finalizers": null}})),
        json!({"metadata": {}})
    );
}

#[test]
fn maps_can_be_replaced_or_emptied() {
    let live = || json!({"data": {"a": "1", "b": "2"}});
    let check = |patch: Value, expected: Value| assert_eq!(strategic(CONFIG_MAP, live(), patch), expected);
    check(
        json!({"data": {"$patch": "replace", "c": "3"}}),
        json!({"data": {"c": "3"}}),
    );
    check(json!({"data": {"$patch": "delete"}}), json!({"data": {}}));
    check(json!({"data": {"b": null}}), json!({"data": {"a": "1"}}));
}

#[test]
fn directives_never_reach_the_object() {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "$setElementOrder/env": [{"name": "X"}], "env": [{"name": "X", "value": null}]}]}}}});
    let patched = strategic(DEPLOYMENT, json!({}), patch);
    assert_eq!(
        patched,
        json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "X"}]}]}}}})
    );
}

#[test]
fn bad_strategic_patches_are_refused() {
    let live = containers(json!([{"name": "a"}]));
    for patch in [
        containers(json!([{"image": "x"}])),
        containers(json!(["a"])),
        containers(json!([{"name": "a", "$patch": "merge"}])),
        containers(json!([{"$patch": "delete"}])),
        json!({"spec": {"$patch": "burn"}}),
        json!({"spec": {"$patch": 1}}),
        json!({"spec": {"$setElementOrder/containers": 1}}),
        json!({"spec": {"$retainKeys": ["a"], "b": 1}}),
        json!([1]),
    ] {
        let error = strategic::apply(POD, &live, patch.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), 400, "{patch}");
    }
}

fn three_way(resource: &Resource, last: Value, wanted: &Value, live: &Value) -> (Value, Value) {
    let patch = three_way::diff(resource, Some(&last), wanted, live);
    let patched = strategic::apply_value(resource, live, patch.clone()).unwrap();
    (Value::Object(patch), patched)
}

#[test]
fn apply_removes_what_it_gave_and_leaves_the_rest() {
    let last = json!({"spec": {"ports": [{"port": 80}, {"port": 81}], "type": "ClusterIP"}});
    let wanted = json!({"spec": {"ports": [{"port": 80, "name": "http"}]}});
    let live = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 81}, {"port": 99}], "type": "ClusterIP", "clusterIP": "10.0.0.1"}});
    let (patch, patched) = three_way(SERVICE, last, &wanted, &live);
    assert_eq!(
        patch,
        json!({"spec": {
            "$setElementOrder/ports": [{"port": 80}],
            "ports": [{"port": 80, "name": "http"}, {"$patch": "delete", "port": 81}],
            "type": null}})
    );
    assert_eq!(
        patched,
        json!({"spec": {"ports": [{"port": 80, "name": "http", "protocol": "TCP"}, {"port": 99}], "clusterIP": "10.0.0.1"}})
    );
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let manifest = json!({"spec": {"strategy": {"type": "Recreate"}, "template": {"spec": {"containers": [{"name": "a", "args": ["x"]}]}}}});
    let live = json!({"spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "template": {"spec": {"containers": [{"name": "a", "args": ["x"], "image": "i"}]}}}});
    assert!(three_way::diff(DEPLOYMENT, Some(&manifest), &manifest, &live).is_empty());
}

#[test]
fn changing_a_strategy_drops_the_other_ones_fields() {
    let last = json!({"spec": {"strategy": {"type": "RollingUpdate"}}});
    let wanted = json!({"spec": {"strategy": {"type": "Recreate"}}});
    let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}});
    let (_, patched) = three_way(DEPLOYMENT, last, &wanted, &live);
    assert_eq!(patched, wanted);
}

#[test]
fn what_was_applied_is_remembered_as_kubectl_remembers_it() {
    let manifest = json!({"kind": "A", "metadata": {"name": "x"}});
    let marked = three_way::with_last_applied(manifest.clone()).unwrap();
    let text = marked["metadata"]["annotations"][three_way::LAST_APPLIED]
        .as_str()
        .unwrap();
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text:?}");
    let remembered: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        remembered,
        json!({"kind": "A", "metadata": {"name": "x", "annotations": {}}})
    );
    assert_eq!(three_way::last_applied(&marked).unwrap()["metadata"]["name"], "x");
    assert_eq!(three_way::with_last_applied(marked.clone()).unwrap(), marked);
    assert!(three_way::last_applied(&manifest).is_none());
    assert!(three_way::with_last_applied(json!([])).is_none());
}

fn spec() -> impl Strategy<Value = Value> {
    let env = prop::collection::btree_map("[XYZ]", "[0-3]", 0..3).prop_map(|env| {
        env.into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect::<Vec<_>>()
    });
    let container = (prop::option::of("[i-k]"), prop::option::of(env));
    let containers = prop::collection::btree_map("[abc]", container, 0..4).prop_map(|containers| {
        let item = |(name, (image, env)): (String, (Option<String>, Option<Vec<Value>>))| {
            let mut item = json!({"name": name});
            if let Some(image) = image {
                item["image"] = json!(image);
            }
            if let Some(env) = env {
                item["env"] = json!(env);
            }
            item
        };
        containers.into_iter().map(item).collect::<Vec<_>>()
    });
    (containers.prop_shuffle(), prop::collection::btree_map("[pqr]", "[0-3]", 0..3), prop::collection::btree_set("[fgh]", 0..3))
        .prop_map(|(containers, labels, finalizers)| {
            json!({"metadata": {"labels": labels, "finalizers": finalizers}, "spec": {"containers": containers}})
        })
}

/// Whether everything in `part` is in `whole` too; lists of named items by name, sets as sets.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| contains(found, value))),
        (Value::Array(whole), Value::Array(part)) => part.iter().all(|item| {
            whole.iter().any(|found| match item.get("name") {
                Some(name) => found.get("name") == Some(name) && contains(found, item),
                None => found == item,
            })
        }),
        _ => whole == part,
    }
}

proptest! {
    #[test]
    fn after_apply_the_wanted_is_there_and_a_second_apply_does_nothing(last in spec(), wanted in spec(), live in spec()) {
        let (_, patched) = three_way(POD, last, &wanted, &live);
        prop_assert!(contains(&patched, &wanted), "{patched} lacks part of {wanted}");
        let again = three_way::diff(POD, Some(&wanted), &wanted, &patched);
        prop_assert!(again.is_empty(), "{again:?}");
    }

    #[test]
    fn with_nobody_else_apply_yields_exactly_the_wanted(last in spec(), wanted in spec()) {
        let (_, patched) = three_way(POD, last.clone(), &wanted, &last);
        prop_assert_eq!(patched, wanted);
    }
}
