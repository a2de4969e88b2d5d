//! JSON patch, RFC 6902.

use serde_json::Value;

use crate::status::ApiError;

/// Most operations in a patch; upstream's limit.
pub const OPERATIONS_MAX: usize = 10_000;

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
    json_patch::patch(&mut patched, &patch).map_err(|_| ApiError::unprocessable())?;
    Ok(patched)
}
