//! JSON merge patch, RFC 7386.

use serde_json::{Map, Value};

use super::parse_object;
use crate::status::ApiError;

/// Applies a merge patch: objects are merged, null removes, everything else replaces.
pub fn apply(object: &Value, patch: &[u8]) -> Result<Value, ApiError> {
    let patch = parse_object(patch)?;
    let mut patched = object.clone();
    merge(&mut patched, Value::Object(patch));
    Ok(patched)
}

/// Merges `patch` into `target` as RFC 7386 says. Depth is that of the parsed patch, which the parser limits.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
