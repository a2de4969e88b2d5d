//! Makes the schemas of `k8s-openapi` those that Kubernetes publishes: how fields merge, which kinds there are, and
//! references in the form of version 3.

use coracle_api::schema::{self, Field, ListMerge, Shape, Struct, View};
use serde_json::{Map, Value, json};

/// Schemas that are written in another form inside custom resources than in Kubernetes' own documents.
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// Completes every schema.
pub(crate) fn all(schemas: &mut Map<String, Value>) {
    for (name, schema) in schemas.iter_mut() {
        if let Value::Object(schema) = schema {
            one(name, schema);
        }
    }
    for (name, api_version, kind) in schema::builtin_kinds() {
        if let Some(Value::Object(schema)) = schemas.get_mut(name) {
            schema.insert(
                "x-kubernetes-group-version-kind".to_owned(),
                json!([group_version_kind(api_version, kind)]),
            );
            // Upstream's types embed their metadata, which makes it optional.
            drop_required(schema, "metadata");
        }
    }
}

/// `{"group", "version", "kind"}`
pub(crate) fn group_version_kind(api_version: &str, kind: &str) -> Value {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({ "group": group, "kind": kind, "version": version })
}

fn drop_required(schema: &mut Map<String, Value>, field: &str) {
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != field);
        if required.is_empty() {
            schema.remove("required");
        }
    }
}

fn one(name: &str, schema: &mut Map<String, Value>) {
    match name {
        QUANTITY => {
            schema.remove("x-kubernetes-int-or-string");
            schema.insert(
                "oneOf".to_owned(),
                json!([{ "type": "string" }, { "type": "number" }]),
            );
            return;
        }
        INT_OR_STRING => {
            schema.remove("x-kubernetes-int-or-string");
            schema.insert("format".to_owned(), "int-or-string".into());
            schema.insert(
                "oneOf".to_owned(),
                json!([{ "type": "integer" }, { "type": "string" }]),
            );
            return;
        }
        _ => {}
    }
    let view = schema::builtin_type(name);
    let shape = view.and_then(|view| match view.shape() {
        Shape::Struct(of) => Some((view, of)),
        _ => None,
    });
    if shape.is_some_and(|(_, of)| of.is_atomic) {
        schema.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for (field, property) in properties.iter_mut() {
        let Value::Object(property) = property else {
            continue;
        };
        if let Some((view, of)) = shape {
            merging(view, of, field, property);
        }
        wrap_references(property);
    }
}

/// Says how a field merges.
fn merging(view: View<'_>, of: &Struct, name: &str, property: &mut Map<String, Value>) {
    let (Some(Field { patch, default, .. }), Some(child)) = (of.field(name), view.field(name)) else {
        return;
    };
    if let Some(default) = default {
        property.insert("default".to_owned(), default.clone());
    }
    match child.shape() {
        Shape::List { merge, .. } => {
            let list_type = match merge {
                ListMerge::Atomic => "atomic",
                ListMerge::Set => "set",
                ListMerge::Map(keys) => {
                    property.insert("x-kubernetes-list-map-keys".to_owned(), json!(keys));
                    "map"
                }
            };
            property.insert("x-kubernetes-list-type".to_owned(), list_type.into());
        }
        Shape::Map { is_atomic: true, .. } => {
            property.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        _ => {}
    }
    let strategy = match (&patch.merge_key, patch.retain_keys) {
        (Some(_), true) => "merge,retainKeys",
        (Some(_), false) => "merge",
        (None, true) => "retainKeys",
        (None, false) => return,
    };
    property.insert("x-kubernetes-patch-strategy".to_owned(), strategy.into());
    if let Some(key) = patch.merge_key.as_deref().filter(|key| !key.is_empty()) {
        property.insert("x-kubernetes-patch-merge-key".to_owned(), key.into());
    }
}

/// Version 3 ignores what stands beside a `$ref`, so one with a description becomes an `allOf` of one.
fn wrap_references(property: &mut Map<String, Value>) {
    if property.len() > 1
        && let Some(reference) = property.remove("$ref")
    {
        property.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
}
