//! Strategic merge patch: a merge that knows which lists are maps in disguise.
//!
//! Directives inside the patch: `$patch: delete|replace|merge`, `$retainKeys`, `$setElementOrder/FIELD`,
//! `$deleteFromPrimitiveList/FIELD`; null removes. Source: sig-api-machinery's `strategic-merge-patch.md` and the
//! behaviour of a real apiserver.

use serde_json::{Map, Value};

use super::order::arrange;
use super::parse_object;
use super::rule::{self, Rule};
use crate::kinds::Resource;
use crate::schema::View;
use crate::status::ApiError;

pub(super) const DIRECTIVE: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder/";
pub(super) const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

type Object = Map<String, Value>;

/// Applies a strategic merge patch to an object of `resource`.
pub fn apply(resource: &Resource, object: &Value, patch: &[u8]) -> Result<Value, ApiError> {
    apply_value(resource, object, parse_object(patch)?)
}

/// As [`apply`], with the patch parsed already.
pub fn apply_value(resource: &Resource, object: &Value, patch: Object) -> Result<Value, ApiError> {
    let live = object.as_object().cloned().unwrap_or_default();
    merge_object(live, patch, rule::shape(resource)).map(Value::Object)
}

fn refuse(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(message)
}

fn merge_object(mut live: Object, mut patch: Object, of: View<'_>) -> Result<Object, ApiError> {
    match patch.remove(DIRECTIVE) {
        None => {}
        Some(Value::String(directive)) => match directive.as_str() {
            "merge" => {}
            "delete" => return Ok(Object::new()),
            "replace" => return merge_object(Object::new(), patch, of),
            other => return Err(refuse(format!("Unknown patch type: {other} found in a map"))),
        },
        Some(other) => return Err(refuse(format!("Unknown patch type: {other} found in a map"))),
    }
    retain_keys(&mut live, &mut patch)?;
    let (orders, deletions) = take_list_directives(&mut patch)?;
    for field in orders.keys().chain(deletions.keys()) {
        // A list that only has directives is still merged, with nothing.
        if !patch.contains_key(field) && live.get(field).is_some_and(Value::is_array) {
            patch.insert(field.clone(), Value::Array(Vec::new()));
        }
    }
    for (field, value) in patch {
        if value.is_null() {
            live.remove(&field);
            continue;
        }
        let directives = ListDirectives {
            order: orders.get(&field),
            deletions: deletions.get(&field),
        };
        let merged = merge_field(live.remove(&field), value, Rule::of(of, &field), directives)?;
        live.insert(field, merged);
    }
    Ok(live)
}

/// Drops the fields that a `$retainKeys` directive does not name.
fn retain_keys(live: &mut Object, patch: &mut Object) -> Result<(), ApiError> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let Value::Array(keys) = directive else {
        return Err(refuse("invalid patch format of retainKeys"));
    };
    let keeps = |field: &str| keys.iter().any(|key| key.as_str() == Some(field));
    if patch
        .iter()
        .any(|(field, value)| !value.is_null() && !field.starts_with('$') && !keeps(field))
    {
        return Err(refuse("invalid patch format of retainKeys"));
    }
    live.retain(|field, _| keeps(field));
    Ok(())
}

type ListsByField = Map<String, Value>;

/// Takes `$setElementOrder/FIELD` and `$deleteFromPrimitiveList/FIELD` out of the patch, by field.
fn take_list_directives(patch: &mut Object) -> Result<(ListsByField, ListsByField), ApiError> {
    let mut orders = ListsByField::new();
    let mut deletions = ListsByField::new();
    let directives: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ELEMENT_ORDER) || key.starts_with(DELETE_FROM_LIST))
        .cloned()
        .collect();
    for directive in directives {
        let Some(list) = patch.remove(&directive) else {
            continue;
        };
        let (lists, field, message) = match directive.strip_prefix(ELEMENT_ORDER) {
            Some(field) => (&mut orders, field, "invalid patch format of setElementOrder list"),
            None => {
                let field = directive.trim_start_matches(DELETE_FROM_LIST);
                (&mut deletions, field, "invalid patch format of primitive list")
            }
        };
        if !list.is_array() {
            return Err(refuse(message));
        }
        lists.insert(field.to_owned(), list);
    }
    Ok((orders, deletions))
}

#[derive(Clone, Copy)]
struct ListDirectives<'a> {
    order: Option<&'a Value>,
    deletions: Option<&'a Value>,
}

fn merge_field(
    live: Option<Value>,
    patch: Value,
    rule: Rule<'_>,
    directives: ListDirectives<'_>,
) -> Result<Value, ApiError> {
    match patch {
        Value::Object(patch) => {
            let of = match rule {
                Rule::Object { of, .. } => of,
                Rule::List { .. } | Rule::Set | Rule::Plain => View::any(),
            };
            let live = match live {
                Some(Value::Object(live)) => live,
                _ => Object::new(),
            };
            merge_object(live, patch, of).map(Value::Object)
        }
        Value::Array(patch) => {
            let live = match live {
                Some(Value::Array(live)) => live,
                _ => Vec::new(),
            };
            let merged = match rule {
                Rule::List { key, item, .. } => merge_list(live, patch, key, item, directives)?,
                Rule::Set => merge_set(live, patch, directives),
                Rule::Object { .. } | Rule::Plain => patch,
            };
            Ok(Value::Array(merged))
        }
        scalar => Ok(scalar),
    }
}

fn merge_set(live: Vec<Value>, patch: Vec<Value>, directives: ListDirectives<'_>) -> Vec<Value> {
    let deleted = list_of(directives.deletions);
    let mut merged: Vec<Value> = Vec::with_capacity(live.len() + patch.len());
    let kept = live.iter().filter(|item| !deleted.contains(item));
    for item in kept.chain(&patch) {
        if !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    let wanted = if directives.order.is_some() {
        list_of(directives.order)
    } else {
        &patch
    };
    arrange(merged, wanted, &live, |one, other| one == other)
}

fn merge_list(
    live: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    of: View<'_>,
    directives: ListDirectives<'_>,
) -> Result<Vec<Value>, ApiError> {
    let same = |one: &Value, other: &Value| one.get(key).is_some() && one.get(key) == other.get(key);
    let mut merged = live.clone();
    let mut changes = Vec::with_capacity(patch.len());
    let mut replaces = false;
    for item in patch {
        let directive = item
            .get(DIRECTIVE)
            .map(|directive| directive.as_str().unwrap_or_default());
        match directive {
            None => changes.push(item),
            Some("delete") => {
                if item.get(key).is_none() {
                    return Err(missing_key(&item, key));
                }
                merged.retain(|other| !same(other, &item));
            }
            Some("replace") => replaces = true,
            Some("merge") => return Err(refuse("merging lists cannot yet be specified in the patch")),
            Some(other) => return Err(refuse(format!("Unknown patch type: {other} found in a list"))),
        }
    }
    if replaces {
        merged.clear();
    }
    for item in &changes {
        let Value::Object(change) = item else {
            return Err(refuse(format!(
                "expected an object in a list that is merged by {key}"
            )));
        };
        if !change.contains_key(key) {
            return Err(missing_key(item, key));
        }
        match merged.iter_mut().find(|other| same(other, item)) {
            Some(Value::Object(other)) => *other = merge_object(std::mem::take(other), change.clone(), of)?,
            _ => merged.push(Value::Object(merge_object(Object::new(), change.clone(), of)?)),
        }
    }
    let wanted = if directives.order.is_some() {
        list_of(directives.order)
    } else {
        &changes
    };
    Ok(arrange(merged, wanted, &live, same))
}

fn list_of(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn missing_key(item: &Value, key: &str) -> ApiError {
    refuse(format!("map: {item} does not contain declared merge key: {key}"))
}
