//! Patches in the formats that the API takes, each a pure function from a document to a document.
//!
//! None of these looks at what the result means: the caller decodes, defaults and validates it like any other body.

use serde_json::Value;

use crate::kinds::Resource;
use crate::status::ApiError;

pub mod json;
pub mod merge;
mod order;
mod rule;
pub mod strategic;
pub mod three_way;

#[cfg(test)]
mod tests;

/// The format of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' strategic merge patch.
    StrategicMerge,
}

impl PatchType {
    /// The format of a media type, parameters ignored.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        match media_type.split(';').next().map(str::trim) {
            Some("application/json-patch+json") => Some(Self::Json),
            Some("application/merge-patch+json") => Some(Self::Merge),
            Some("application/strategic-merge-patch+json") => Some(Self::StrategicMerge),
            _ => None,
        }
    }

    /// The media type of the format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::StrategicMerge => "application/strategic-merge-patch+json",
        }
    }
}

/// What custom resources take.
const CUSTOM_PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];

/// Applies a patch to an object of `resource`.
pub fn apply(
    patch_type: PatchType,
    resource: &Resource,
    object: &Value,
    patch: &[u8],
) -> Result<Value, ApiError> {
    match patch_type {
        PatchType::Json => json::apply(object, patch),
        PatchType::Merge => merge::apply(object, patch),
        PatchType::StrategicMerge if !rule::is_known(resource) => {
            // Nobody knows which lists of a custom resource are maps in disguise.
            Err(ApiError::unsupported_media_type(CUSTOM_PATCHES))
        }
        PatchType::StrategicMerge => strategic::apply(resource, object, patch),
    }
}

/// Reads a patch that must be an object.
fn parse_object(patch: &[u8]) -> Result<serde_json::Map<String, Value>, ApiError> {
    match serde_json::from_slice(patch) {
        Ok(Value::Object(patch)) => Ok(patch),
        Ok(_) => Err(ApiError::bad_request(
            "error decoding patch: the patch must be a JSON object",
        )),
        Err(error) => Err(ApiError::bad_request(format!("error decoding patch: {error}"))),
    }
}
