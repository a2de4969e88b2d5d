//! Client-side apply: from what was applied last, what is wanted now and what is there, the strategic patch that
//! brings the wanted without undoing what others did.
//!
//! A field that was applied last and is not wanted any more is removed; a field that was never applied is left alone.
//! `kubectl apply` thinks the same way and keeps its memory in the same annotation, so the two can take turns.

use serde_json::{Map, Value, json};

use super::rule::{self, Rule};
use super::strategic::{DELETE_FROM_LIST, DIRECTIVE, ELEMENT_ORDER, RETAIN_KEYS};
use crate::kinds::Resource;
use crate::schema::View;

/// Where the last applied manifest is remembered.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

type Object = Map<String, Value>;

/// The manifest that was applied last, where the object remembers one.
pub fn last_applied(object: &Value) -> Option<Value> {
    let text = object
        .get("metadata")?
        .get("annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    serde_json::from_str(text).ok()
}

/// The manifest with the annotation that remembers it: its own JSON without that annotation, on one line, as kubectl
/// writes it. `None` where the manifest or its metadata is not an object.
pub fn with_last_applied(mut manifest: Value) -> Option<Value> {
    let metadata = manifest
        .as_object_mut()?
        .entry("metadata")
        .or_insert_with(|| json!({}));
    let annotations = metadata
        .as_object_mut()?
        .entry("annotations")
        .or_insert_with(|| json!({}));
    if annotations.is_null() {
        *annotations = json!({});
    }
    annotations.as_object_mut()?.remove(LAST_APPLIED);
    let mut text = manifest.to_string();
    text.push('\n');
    manifest["metadata"]["annotations"][LAST_APPLIED] = Value::String(text);
    Some(manifest)
}

/// The strategic merge patch that turns `live` into `wanted`, given what was applied `last`; empty where nothing is
/// to do.
pub fn diff(resource: &Resource, last: Option<&Value>, wanted: &Value, live: &Value) -> Object {
    let nothing = Object::new();
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let last = object(last).unwrap_or_default();
    let wanted = wanted.as_object().unwrap_or(&nothing);
    let live = live.as_object().unwrap_or(&nothing);
    diff_object(&last, wanted, live, rule::shape(resource), false)
}

fn diff_object(last: &Object, wanted: &Object, live: &Object, of: View<'_>, union: bool) -> Object {
    let mut patch = Object::new();
    for (field, wanted) in wanted {
        let Some(live) = live.get(field) else {
            if !wanted.is_null() {
                patch.insert(field.clone(), wanted.clone());
            }
            continue;
        };
        diff_field(
            &mut patch,
            field,
            last.get(field),
            wanted,
            live,
            Rule::of(of, field),
        );
    }
    for field in last
        .keys()
        .filter(|field| !wanted.contains_key(*field) && live.contains_key(*field))
    {
        patch.insert(field.clone(), Value::Null);
    }
    if union && !patch.is_empty() {
        let mut kept: Vec<&String> = wanted
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, _)| key)
            .collect();
        kept.sort();
        patch.insert(RETAIN_KEYS.to_owned(), json!(kept));
    }
    patch
}

fn diff_field(
    patch: &mut Object,
    field: &str,
    last: Option<&Value>,
    wanted: &Value,
    live: &Value,
    rule: Rule<'_>,
) {
    match (wanted, live, rule) {
        (Value::Object(wanted), Value::Object(live), _) => {
            let (of, union) = match rule {
                Rule::Object { of, union } => (of, union),
                Rule::List { .. } | Rule::Set | Rule::Plain => (View::any(), false),
            };
            let nothing = Object::new();
            let last = last.and_then(Value::as_object).unwrap_or(&nothing);
            let change = diff_object(last, wanted, live, of, union);
            if !change.is_empty() {
                patch.insert(field.to_owned(), Value::Object(change));
            }
        }
        (Value::Array(wanted), Value::Array(live), Rule::List { key, item, union }) => {
            let last = last.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            diff_list(patch, field, last, wanted, live, ListRule { key, item, union });
        }
        (Value::Array(wanted), Value::Array(live), Rule::Set) => {
            let last = last.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            diff_set(patch, field, last, wanted, live);
        }
        _ if wanted != live => {
            patch.insert(field.to_owned(), wanted.clone());
        }
        _ => {}
    }
}

#[derive(Clone, Copy)]
struct ListRule<'a> {
    key: &'a str,
    item: View<'a>,
    union: bool,
}

fn diff_list(
    patch: &mut Object,
    field: &str,
    last: &[Value],
    wanted: &[Value],
    live: &[Value],
    rule: ListRule<'_>,
) {
    let ListRule { key, item: of, union } = rule;
    let find = |list: &[Value], wanted: &Value| -> Option<Object> {
        let found = list
            .iter()
            .find(|item| item.get(key).is_some() && item.get(key) == wanted.get(key));
        found.and_then(Value::as_object).cloned()
    };
    let mut changes = Vec::new();
    for item in wanted {
        let (Some(live), Some(object)) = (find(live, item), item.as_object()) else {
            changes.push(item.clone());
            continue;
        };
        let last = find(last, item).unwrap_or_default();
        let mut change = diff_object(&last, object, &live, of, union);
        if !change.is_empty() {
            change.insert(key.to_owned(), item[key].clone());
            changes.push(Value::Object(change));
        }
    }
    for item in last {
        if find(wanted, item).is_none() && find(live, item).is_some() {
            changes.push(json!({ DIRECTIVE: "delete", key: item[key] }));
        }
    }
    let identity = |item: &Value| item.get(key).cloned().unwrap_or_default();
    let places: Vec<Value> = live.iter().map(identity).collect();
    let order: Vec<Value> = wanted.iter().map(identity).collect();
    if changes.is_empty() && is_ordered(&order, &places) {
        return;
    }
    let order: Vec<Value> = order
        .into_iter()
        .map(|identity| json!({ key: identity }))
        .collect();
    patch.insert(format!("{ELEMENT_ORDER}{field}"), Value::Array(order));
    if !changes.is_empty() {
        patch.insert(field.to_owned(), Value::Array(changes));
    }
}

fn diff_set(patch: &mut Object, field: &str, last: &[Value], wanted: &[Value], live: &[Value]) {
    let added: Vec<&Value> = wanted.iter().filter(|item| !live.contains(item)).collect();
    let removed: Vec<&Value> = last
        .iter()
        .filter(|item| !wanted.contains(item) && live.contains(item))
        .collect();
    if added.is_empty() && removed.is_empty() && is_ordered(wanted, live) {
        return;
    }
    patch.insert(format!("{ELEMENT_ORDER}{field}"), json!(wanted));
    if !added.is_empty() {
        patch.insert(field.to_owned(), json!(added));
    }
    if !removed.is_empty() {
        patch.insert(format!("{DELETE_FROM_LIST}{field}"), json!(removed));
    }
}

/// Whether the items of `wanted` stand in `live` in the same order.
fn is_ordered(wanted: &[Value], live: &[Value]) -> bool {
    wanted
        .iter()
        .map(|item| live.iter().position(|other| other == item))
        .is_sorted()
}
