//! What a definition says, checked against objects.

use coracle_api::Path;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use serde_json::{Map, Value, json};

use crate::cel::{Budget, OBJECT_BUDGET};
use crate::schema::Node;
use crate::{Definition, JsonPath, defaulting, prune, rules, structural, validate};

mod properties;
mod rule_tests;

pub(super) fn node(schema: Value) -> Result<Node, Vec<String>> {
    let schema: JSONSchemaProps = serde_json::from_value(schema).unwrap();
    structural::compile(&schema, &Path::root())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// A schema whose `spec` has these properties.
pub(super) fn spec(properties: Value) -> Node {
    node(json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}))
        .unwrap()
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn mistakes(root: &Node, value: Value) -> Vec<String> {
    let errors = validate::validate(&object(value), root);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_structural() {
    let check = |schema: Value, expected: &[&str]| assert_eq!(node(schema).map(drop).unwrap_err(), expected);
    check(
        json!({}),
        &["type: Required value: must not be empty at the root"],
    );
    check(
        json!({"type": "array", "items": {"type": "string"}}),
        &["type: Invalid value: \"array\": must be object at the root"],
    );
    check(
        json!({"type": "object", "properties": {"spec": {}}}),
        &["properties[spec].type: Required value: must not be empty for specified object fields"],
    );
    check(
        json!({"type": "object", "properties": {"a": {"type": "array"}}}),
        &["properties[a].items: Required value: must be specified"],
    );
    check(
        json!({"type": "object", "properties": {"a": {"type": "strin"}}}),
        &[
            "properties[a].type: Unsupported value: \"strin\": supported values: \"array\", \"boolean\", \"integer\", \
           \"number\", \"object\", \"string\"",
        ],
    );
    check(
        json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "["}}})
            .as_object()
            .unwrap()
            .clone()
            .into(),
        &node(json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "["}}}))
            .map(drop)
            .unwrap_err()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    check(
        json!({"type": "object", "properties": {"a": {"type": "string", "uniqueItems": true}}}),
        &[
            "properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity \
           becomes quadratic",
        ],
    );
    check(
        json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}}),
        &[
            "properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata \
           is implicitly specified",
        ],
    );
    check(
        json!({"type": "object", "properties": {"a": {"type": "object", "anyOf": [{"type": "object"}]}}}),
        &["properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
    );
    check(
        json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}),
        &[
            "properties[a].default: Invalid value: \"string\": properties[a].default in body must be of type integer: \
           \"string\"",
        ],
    );
    check(
        json!({"type": "object", "properties": {"a": {
            "type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        }}}),
        &[
            "properties[a].items.properties[name].default: Required value: this property is in \
           x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ],
    );
}

#[test]
fn values_and_their_types() {
    let root = spec(json!({
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10},
        "color": {"type": "string", "enum": ["red", "green"]},
        "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
        "ratio": {"type": "number", "exclusiveMinimum": true, "minimum": 0, "multipleOf": 0.5},
        "port": {"x-kubernetes-int-or-string": true},
        "note": {"type": "string", "nullable": true},
        "tags": {"type": "array", "maxItems": 2, "minItems": 1, "items": {"type": "string"}},
        "when": {"type": "string", "format": "date-time"},
        "small": {"type": "integer", "format": "int32"},
        "labels": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string"}},
    }));
    let check = |spec: Value, expected: &[&str]| {
        let found = mistakes(&root, json!({"spec": spec.clone()}));
        assert_eq!(found, expected, "{spec}");
    };
    check(
        json!({"replicas": 3, "color": "red", "name": "abc", "ratio": 1.5, "port": "http", "note": null,
            "tags": ["a"], "when": "2026-11-23T01:02:03Z", "small": 1, "labels": {"a": "b"}}),
        &[],
    );
    check(json!({"port": 80, "replicas": 1.0}), &[]);
    check(
        json!({"replicas": "three"}),
        &[
            "spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"",
        ],
    );
    check(
        json!({"replicas": 0}),
        &["spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1"],
    );
    check(
        json!({"replicas": 11}),
        &["spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10"],
    );
    check(
        json!({"color": "blue"}),
        &["spec.color: Unsupported value: \"blue\": supported values: \"red\", \"green\""],
    );
    check(
        json!({"name": "abcde"}),
        &["spec.name: Too long: may not be more than 4 bytes"],
    );
    check(
        json!({"name": "A"}),
        &[
            "spec.name: Invalid value: \"A\": spec.name in body should be at least 2 chars long",
            "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
        ],
    );
    check(
        json!({"ratio": 0}),
        &["spec.ratio: Invalid value: 0: spec.ratio in body should be greater than 0"],
    );
    check(
        json!({"ratio": 0.75}),
        &["spec.ratio: Invalid value: 0.75: spec.ratio in body should be a multiple of 0.5"],
    );
    check(
        json!({"port": true}),
        &[
            "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
        ],
    );
    check(
        json!({"color": null}),
        &["spec.color: Invalid value: \"null\": spec.color in body must be of type string: \"null\""],
    );
    check(
        json!({"tags": ["a", "b", "c"]}),
        &["spec.tags: Too many: 3: must have at most 2 items"],
    );
    check(
        json!({"tags": []}),
        &["spec.tags: Invalid value: []: spec.tags in body should have at least 1 items"],
    );
    check(
        json!({"tags": [1]}),
        &[
            "spec.tags[0]: Invalid value: \"integer\": spec.tags[0] in body must be of type string: \"integer\"",
        ],
    );
    check(
        json!({"when": "noon"}),
        &["spec.when: Invalid value: \"noon\": spec.when in body must be of type date-time: \"noon\""],
    );
    check(
        json!({"labels": {"a": "b", "c": "d"}}),
        &["spec.labels: Too many: 2: must have at most 1 item"],
    );
    check(
        json!({"labels": {"a": 1}}),
        &[
            "spec.labels.a: Invalid value: \"integer\": spec.labels.a in body must be of type string: \"integer\"",
        ],
    );
}

#[test]
fn required_fields_and_combinations() {
    let root = node(
        json!({"type": "object", "required": ["spec"], "properties": {"spec": {
            "type": "object", "required": ["a"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "integer"}},
            "oneOf": [{"required": ["b"]}, {"required": ["c"]}],
            "not": {"properties": {"a": {"enum": ["never"]}}},
        }}}),
    )
    .unwrap();
    let check = |value: Value, expected: &[&str]| assert_eq!(mistakes(&root, value), expected);
    check(json!({"spec": {"a": "x", "b": "y"}}), &[]);
    check(json!({}), &["spec: Required value"]);
    check(
        json!({"spec": {"a": "x", "b": "y", "c": 1}}),
        &[
            "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid \
           alternatives",
        ],
    );
    check(
        json!({"spec": {"a": "x"}}),
        &[
            "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
            "spec.b: Required value",
        ],
    );
    check(
        json!({"spec": {"a": "never", "b": "y"}}),
        &["<nil>: Invalid value: \"\": \"spec\" must not validate the schema (not)"],
    );
}

#[test]
fn lists_of_distinct_items() {
    let root = spec(json!({
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
            "items": {"type": "object", "required": ["port"], "properties": {
                "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"},
            }},
        },
    }));
    let check = |spec: Value, expected: &[&str]| assert_eq!(mistakes(&root, json!({"spec": spec})), expected);
    check(
        json!({"set": ["a", "b"], "ports": [{"port": 1}, {"port": 1, "protocol": "UDP"}]}),
        &[],
    );
    check(
        json!({"set": ["a", "b", "a"]}),
        &["spec.set[2]: Duplicate value: \"a\""],
    );
    check(
        json!({"ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}]}),
        &["spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}"],
    );
}

#[test]
fn what_is_unknown_is_dropped() {
    let root = spec(json!({
        "a": {"type": "string"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
            "known": {"type": "object", "properties": {"x": {"type": "string"}}},
        }},
        "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
        "template": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {"type": "string"}}}},
    }));
    let mut body = object(json!({
        "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "x"}, "extra": 1,
        "spec": {
            "a": "b", "z": 1,
            "free": {"any": {"thing": 1}, "known": {"x": "1", "y": "2"}},
            "list": [{"x": "1"}, {"y": "2"}],
            "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "other": 1},
            "map": {"k": {"x": "1", "y": "2"}},
        },
    }));
    let mut unknown = Vec::new();
    prune::prune(&mut body, &root, &mut unknown);
    unknown.sort();
    assert_eq!(
        unknown,
        [
            "extra",
            "spec.free.known.y",
            "spec.list[1].y",
            "spec.map.k.y",
            "spec.template.other",
            "spec.z"
        ]
    );
    assert_eq!(
        Value::Object(body),
        json!({
            "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "x"},
            "spec": {
                "a": "b",
                "free": {"any": {"thing": 1}, "known": {"x": "1"}},
                "list": [{"x": "1"}, {}],
                "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
                "map": {"k": {"x": "1"}},
            },
        })
    );
}

#[test]
fn defaults() {
    let root = spec(json!({
        "replicas": {"type": "integer", "default": 1},
        "note": {"type": "string", "nullable": true, "default": "n"},
        "size": {"type": "string", "default": "s"},
        "inner": {"type": "object", "default": {}, "properties": {"x": {"type": "string", "default": "y"}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer", "default": 7}}}},
    }));
    let mut body = object(json!({"spec": {"note": null, "size": null, "list": [{}, {"x": 1}]}}));
    defaulting::apply(&mut body, &root);
    assert_eq!(
        Value::Object(body),
        json!({"spec": {
            "replicas": 1, "note": null, "size": "s", "inner": {"x": "y"}, "list": [{"x": 7}, {"x": 1}],
        }})
    );
}

#[test]
fn paths() {
    let object = object(json!({
        "spec": {"replicas": 3, "a.b": "dotted", "list": [{"n": 1}, {"n": 2}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
    }));
    let check = |path: &str, expected: Option<Value>| {
        let found = JsonPath::parse(path).unwrap().find(&object).cloned();
        assert_eq!(found, expected, "{path}");
    };
    check(".spec.replicas", Some(json!(3)));
    check(".spec['a.b']", Some(json!("dotted")));
    check(".spec.a\\.b", Some(json!("dotted")));
    check(".spec.list[1].n", Some(json!(2)));
    check(".spec.list[-1].n", Some(json!(2)));
    check(".spec.list[*].n", Some(json!(1)));
    check(
        ".status.conditions[?(@.type==\"Ready\")].status",
        Some(json!("True")),
    );
    check(".status.conditions[?(@.type=='Gone')].status", None);
    check(".spec.missing.deep", None);
    for wrong in ["spec", ".spec[", ".spec[x]", ".spec[?(x)]", ".a..b", ""] {
        assert!(JsonPath::parse(wrong).is_err(), "{wrong}");
    }
}

pub(super) fn definition(change: impl FnOnce(&mut Value)) -> CustomResourceDefinition {
    let mut object = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                }}},
            }],
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

#[test]
fn definitions() {
    let check = |change: fn(&mut Value), expected: &[&str]| {
        let found = Definition::compile(&definition(change)).map(drop);
        let found: Vec<String> = found
            .err()
            .into_iter()
            .flatten()
            .map(|error| error.to_string())
            .collect();
        assert_eq!(found, expected);
    };
    check(|_| {}, &[]);
    check(
        |object| {
            object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = json!({});
        },
        &[
            "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified \
           object fields",
        ],
    );
    check(
        |object| {
            object["spec"]["versions"][0]["additionalPrinterColumns"] =
                json!([{"name": "Size", "type": "integer", "jsonPath": "spec.size"}]);
        },
        &[
            "spec.additionalPrinterColumns[0].jsonPath: Invalid value: \"spec.size\": is an invalid path: it must begin \
           with a dot",
        ],
    );
    check(
        |object| {
            object["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1beta1"], "clientConfig": {"url": "https://localhost"},
            }});
        },
        &[
            "spec.conversion.webhook.conversionReviewVersions: Invalid value: \"v1beta1\": must include v1, the only \
           version that is spoken here",
        ],
    );
    check(
        |object| {
            object["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": ".spec.colour"}]);
        },
        &[
            "spec.selectableFields[0].jsonPath: Invalid value: \".spec.colour\": must point to a string, integer or \
           boolean field declared in the schema",
        ],
    );
}

pub(super) fn judge(root: &Node, new: Value, old: Option<Value>) -> Vec<String> {
    let old = old.map(object);
    let errors = rules::judge(&object(new), old.as_ref(), root, &mut Budget::new(OBJECT_BUDGET));
    errors.iter().map(ToString::to_string).collect()
}
