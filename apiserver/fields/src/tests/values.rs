//! Values alone: their fields, how they differ, how they merge and what is left of them.

use super::*;

fn template(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

fn containers(below: Value) -> Value {
    json!({"f:spec": {"f:template": {"f:spec": {"f:containers": below}}}})
}

#[test]
fn fields_of_a_value() {
    let check = |value: Value, expected: Value| {
        declared(&value, view()).unwrap();
        assert_eq!(extract(&value, view()).to_value(), expected, "{value}");
    };
    check(json!({}), json!({}));
    check(
        json!({"spec": {"replicas": 1}}),
        json!({"f:spec": {"f:replicas": {}}}),
    );
    check(
        json!({"spec": {"replicas": null}}),
        json!({"f:spec": {"f:replicas": {}}}),
    );
    check(
        json!({"metadata": {"labels": {}}}),
        json!({"f:metadata": {"f:labels": {}}}),
    );
    check(
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"f:metadata": {"f:labels": {"f:a": {}}}}),
    );
    check(
        json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
        json!({"f:spec": {"f:selector": {}}}),
    );
    check(
        json!({"metadata": {"finalizers": ["b", "a"]}}),
        json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}, "v:\"b\"": {}}}}),
    );
    check(json!({"metadata": {"finalizers": []}}), json!({}));
    check(
        template(json!([{"name": "c", "command": ["a"], "ports": [{"containerPort": 80}]}])),
        containers(json!({"k:{\"name\":\"c\"}": {
            ".": {}, "f:command": {}, "f:name": {},
            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
        }})),
    );
}

#[test]
fn what_does_not_fit_the_type() {
    let check = |value: Value, expected: &str| {
        assert_eq!(declared(&value, view()).unwrap_err().to_string(), expected);
    };
    check(
        json!({"spec": {"bogus": 1}}),
        ".spec.bogus: field not declared in schema",
    );
    check(json!({"spec": 1}), ".spec: expected map, got number");
    check(
        json!({"metadata": {"finalizers": "a"}}),
        ".metadata.finalizers: expected list, got string",
    );
    check(
        template(json!([{"name": "c", "bogus": 1}])),
        ".spec.template.spec.containers[name=\"c\"].bogus: field not declared in schema",
    );
    check(
        template(json!([{"name": "c"}, {"name": "c"}])),
        ".spec.template.spec.containers: duplicate entries for key [name=\"c\"]",
    );
    check(
        template(json!([{"image": "a"}])),
        ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field \
         \"name\" (and doesn't have default value)",
    );
    check(
        template(json!([null])),
        ".spec.template.spec.containers: element 0: associative list with keys may not have a null element",
    );
}

#[test]
fn differences() {
    let check = |old: Value, new: Value, [added, modified, removed]: [Value; 3]| {
        let found = compare(&old, &new, view());
        assert_eq!(
            [
                found.added.to_value(),
                found.modified.to_value(),
                found.removed.to_value()
            ],
            [added, modified, removed],
            "{old} -> {new}"
        );
    };
    let none = || json!({});
    let replicas = |count: Value| json!({"spec": {"replicas": count}});
    let own = || json!({"f:spec": {"f:replicas": {}}});
    check(replicas(json!(1)), replicas(json!(1.0)), [none(), none(), none()]);
    check(replicas(json!(1)), replicas(json!(2)), [none(), own(), none()]);
    check(json!({"spec": {}}), replicas(json!(2)), [own(), none(), none()]);
    let with_spec = || json!({"f:spec": {".": {}, "f:replicas": {}}});
    check(json!({}), replicas(json!(2)), [with_spec(), none(), none()]);
    check(replicas(json!(2)), json!({}), [none(), none(), with_spec()]);
    // An atomic map is one field.
    let selector = |text: &str| json!({"spec": {"selector": {"matchLabels": {"a": text}}}});
    check(
        selector("b"),
        selector("c"),
        [none(), json!({"f:spec": {"f:selector": {}}}), none()],
    );
    // Items are told apart by their keys, wherever they stand.
    let one = json!({"name": "one", "image": "a"});
    let other = json!({"name": "other"});
    check(
        template(json!([one, other])),
        template(json!([other, {"name": "one", "image": "b"}, {"name": "new"}])),
        [
            containers(json!({"k:{\"name\":\"new\"}": {".": {}, "f:name": {}}})),
            containers(json!({"k:{\"name\":\"one\"}": {"f:image": {}}})),
            none(),
        ],
    );
    // Lists whose items cannot be told apart differ as a whole; items that occur twice are one thing.
    check(
        template(json!([{"image": "a"}])),
        template(json!([{"image": "b"}])),
        [none(), containers(json!({})), none()],
    );
    check(
        template(json!([one, one])),
        template(json!([one])),
        [none(), containers(json!({"k:{\"name\":\"one\"}": {}})), none()],
    );
}

#[test]
fn merging() {
    let check = |live: Value, applied: Value, expected: Value| {
        assert_eq!(merge(&live, &applied, view()), expected, "{live} + {applied}");
    };
    check(
        json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
        json!({"metadata": {"labels": {"b": "3", "c": "4"}}}),
        json!({"metadata": {"labels": {"a": "1", "b": "3", "c": "4"}}}),
    );
    check(
        json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}}),
        json!({"spec": {"selector": {"matchLabels": {"b": "1"}}}}),
        json!({"spec": {"selector": {"matchLabels": {"b": "1"}}}}),
    );
    // Nothing applied to a map leaves it as it is.
    check(
        json!({"metadata": {"labels": {"a": "1"}}}),
        json!({"metadata": {"labels": {}}}),
        json!({"metadata": {"labels": {"a": "1"}}}),
    );
    check(
        json!({"spec": {}}),
        json!({"spec": {"replicas": 0}}),
        json!({"spec": {"replicas": 0}}),
    );
    check(
        template(json!([{"name": "c", "image": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}])),
        template(json!([{"name": "c", "ports": [{"containerPort": 80, "name": "http"}]}])),
        template(json!([{
            "name": "c", "image": "a", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}],
        }])),
    );
}

#[test]
fn the_order_of_merged_lists() {
    let check = |live: &str, applied: &str, expected: &str| {
        let list = |text: &str| {
            let items: Vec<String> = text.chars().map(String::from).collect();
            json!({"metadata": {"finalizers": items}})
        };
        assert_eq!(
            merge(&list(live), &list(applied), view()),
            list(expected),
            "{live} + {applied}"
        );
    };
    check("abc", "", "abc");
    check("", "abc", "abc");
    check("abc", "abc", "abc");
    check("abc", "cba", "cba");
    check("ab", "cd", "abcd");
    check("abc", "b", "abc");
    check("abc", "ca", "bca");
    check("abcd", "db", "acdb");
    check("ac", "abc", "abc");
    check("axc", "abc", "axbc");
    check("abcde", "bxd", "abcxde");
    check("abc", "bad", "bcad");
}

#[test]
fn removing() {
    let check = |value: Value, gone: Value, expected: Value| {
        assert_eq!(
            remove(&value, &set(gone.clone()), &NOTHING, view()),
            expected,
            "{value} - {gone}"
        );
    };
    let labels = |labels: Value| json!({"metadata": {"labels": labels, "name": "n"}});
    check(
        labels(json!({"a": "1", "b": "2"})),
        json!({"f:metadata": {"f:labels": {"f:a": {}}}}),
        labels(json!({"b": "2"})),
    );
    check(
        labels(json!({"a": "1"})),
        json!({"f:metadata": {"f:labels": {"f:a": {}}}}),
        json!({"metadata": {"name": "n"}}),
    );
    check(
        template(json!([{"name": "c", "image": "a"}, {"name": "d", "image": "a"}])),
        containers(json!({"k:{\"name\":\"c\"}": {}, "k:{\"name\":\"d\"}": {"f:image": {}}})),
        template(json!([{"name": "d"}])),
    );
    check(
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}}),
        json!({"metadata": {"finalizers": ["b"]}}),
    );
    check(json!({"spec": {"replicas": 1}}), json!({"f:spec": {}}), json!({}));
}
