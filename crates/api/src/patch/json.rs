//! JSON patch, RFC 6902.

use serde_json::Value;

use crate::status::ApiError;

/// Most operations in a patch; upstream's limit.
pub const OPERATIONS_MAX: usize = 10_000;
/// Most bytes that `copy` operations may add: each can double the object, so a short patch could fill the memory.
pub const COPIES_MAX_BYTES: usize = 3 * 1024 * 1024;

/// Applies a JSON patch; all operations or none.
///
/// What cannot be read is 400; what can be read and does not fit the object is 422, as upstream answers.
pub fn apply(object: &Value, patch: &[u8]) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_slice(patch)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    if patch.0.len() > OPERATIONS_MAX {
        let why = format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
            patch.0.len()
        );
        return Err(ApiError::request_entity_too_large(why));
    }
    let mut patched = object.clone();
    let mut copied = 0;
    for operation in &patch.0 {
        if let json_patch::PatchOperation::Copy(copy) = operation {
            copied += patched.pointer(copy.from.as_str()).map_or(0, size_bytes);
        }
        if copied > COPIES_MAX_BYTES {
            let why = format!("the copies of a JSON patch may have at most {COPIES_MAX_BYTES} bytes");
            return Err(ApiError::request_entity_too_large(why));
        }
        operate(&mut patched, operation).map_err(|_| ApiError::unprocessable())?;
    }
    Ok(patched)
}

/// One operation. As in Go, a field that is missing passes a test for null: clients add a list under that test.
///
/// # Errors
/// Where it does not fit the object, which may have changed in part.
pub fn operate(
    object: &mut Value,
    operation: &json_patch::PatchOperation,
) -> Result<(), json_patch::PatchError> {
    if let json_patch::PatchOperation::Test(test) = operation
        && test.value.is_null()
        && let Some((parent, _)) = test.path.as_str().rsplit_once('/')
        && object.pointer(parent).is_some_and(Value::is_object)
        && object.pointer(test.path.as_str()).is_none()
    {
        return Ok(());
    }
    json_patch::patch(object, std::slice::from_ref(operation))
}

/// About how long the value is as JSON.
fn size_bytes(value: &Value) -> usize {
    const SCALAR: usize = 8;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => SCALAR,
        Value::String(text) => SCALAR + text.len(),
        Value::Array(items) => SCALAR + items.iter().map(size_bytes).sum::<usize>(),
        Value::Object(fields) => {
            SCALAR
                + fields
                    .iter()
                    .map(|(key, value)| SCALAR + key.len() + size_bytes(value))
                    .sum::<usize>()
        }
    }
}
