//! Request bodies: how much is read, which formats are understood, and what a missing `Content-Type` means.
//!
//! The registry reads JSON only; YAML and protobuf become JSON here. A body without a `Content-Type` is JSON, as some
//! clients send it; a missing `kind` or `apiVersion` is the registry's to supply.

use axum::body::Body;
use bytes::Bytes;
use coracle_api::{ApiError, protobuf, yaml};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;

use super::query::{self, Query};
use crate::registry::{DeleteOptions, PatchType, Propagation};

#[cfg(test)]
mod tests;

/// The largest body that is read, as upstream has it.
pub(crate) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

const ACCEPTED: &[&str] = &["application/json", "application/yaml", protobuf::MEDIA_TYPE];
const ACCEPTED_PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    super::objects::apply::MEDIA_TYPE,
];

/// Reads the whole body.
///
/// # Errors
/// Request entity too large above [`MAX_BODY_BYTES`]; bad request where the client stopped in the middle.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::request_entity_too_large(format_args!("limit is {MAX_BODY_BYTES}"));
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(ApiError::bad_request(format!("read request body: {error}"))),
    }
}

/// Reads the body as the JSON of one object.
///
/// # Errors
/// As [`read`]; unsupported media type; bad request where YAML is not one object.
pub(crate) async fn object(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let format = Format::of(headers)?;
    format.to_json(read(headers, body).await?)
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Yaml,
    Protobuf,
}

impl Format {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        match media_type(headers) {
            "" | "application/json" => Ok(Self::Json),
            "application/yaml" => Ok(Self::Yaml),
            protobuf::MEDIA_TYPE => Ok(Self::Protobuf),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }

    fn to_json(self, body: Bytes) -> Result<Bytes, ApiError> {
        match self {
            Self::Json => Ok(body),
            Self::Yaml => yaml_to_json(&body),
            Self::Protobuf => protobuf::to_json(&body, None)
                .map(Bytes::from)
                .map_err(|error| ApiError::bad_request(error.to_string())),
        }
    }
}

/// The format of a patch.
///
/// # Errors
/// Unsupported media type, in the form that makes kubectl say that server-side apply is not available.
pub(crate) fn patch_type(headers: &HeaderMap) -> Result<PatchType, ApiError> {
    match media_type(headers) {
        "application/json-patch+json" => Ok(PatchType::Json),
        "application/merge-patch+json" => Ok(PatchType::Merge),
        "application/strategic-merge-patch+json" => Ok(PatchType::StrategicMerge),
        _ => Err(ApiError::unsupported_media_type(ACCEPTED_PATCHES)),
    }
}

/// The media type without its parameters; empty where there is none.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn yaml_to_json(body: &[u8]) -> Result<Bytes, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::bad_request(format!("error converting YAML to JSON: yaml: {error}")))?;
    let documents = yaml::documents(text)
        .map_err(|error| ApiError::bad_request(format!("error converting YAML to JSON: yaml: {error}")))?;
    match documents.as_slice() {
        [document] => Ok(Bytes::from(document.to_string())),
        several => Err(ApiError::bad_request(format!(
            "the body must be one YAML document, not {}",
            several.len()
        ))),
    }
}

/// `DeleteOptions` of `meta.k8s.io/v1`, or of `v1` as kubectl writes it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    grace_period_seconds: Option<i64>,
    propagation_policy: Option<String>,
    orphan_dependents: Option<bool>,
    preconditions: Option<WirePreconditions>,
    dry_run: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WirePreconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// Reads how to delete, from the body or, where that is empty, from the query; and whether it is a dry run.
///
/// # Errors
/// As [`object`]; bad request or invalid where the options cannot be followed.
pub(crate) async fn delete_options(
    headers: &HeaderMap,
    body: Body,
    query: &Query,
) -> Result<(DeleteOptions, bool), ApiError> {
    let format = Format::of(headers);
    let body = read(headers, body).await?;
    // An empty body has no format to object to.
    let body = if body.is_empty() {
        body
    } else {
        format?.to_json(body)?
    };
    let wire = if body.is_empty() {
        Wire {
            grace_period_seconds: query.number("gracePeriodSeconds")?,
            propagation_policy: query.get("propagationPolicy").map(str::to_owned),
            orphan_dependents: query.flag("orphanDependents"),
            preconditions: None,
            dry_run: Some(query.all("dryRun").map(str::to_owned).collect()),
        }
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            ApiError::bad_request(format!(
                "the object provided is unrecognized (must be of type DeleteOptions): {error}"
            ))
        })?
    };
    wire.check()
}

impl Wire {
    fn check(self) -> Result<(DeleteOptions, bool), ApiError> {
        use coracle_api::{FieldError, Path};
        let invalid = |error| query::invalid("DeleteOptions", error);
        let propagation = match (self.propagation_policy.as_deref(), self.orphan_dependents) {
            (Some(policy), Some(_)) => {
                let why = "orphanDependents and deletionPropagation cannot be both set";
                return Err(invalid(FieldError::invalid(
                    &Path::new("propagationPolicy"),
                    policy,
                    why,
                )));
            }
            (Some("Orphan"), None) | (None, Some(true)) => Propagation::Orphan,
            (Some("Foreground"), None) => Propagation::Foreground,
            (Some("Background"), None) | (None, Some(false)) => Propagation::Background,
            (None, None) => Propagation::OfKind,
            (Some(other), None) => {
                let supported = ["Foreground", "Background", "Orphan"];
                return Err(invalid(FieldError::not_supported(
                    &Path::new("propagationPolicy"),
                    other,
                    &supported,
                )));
            }
        };
        let preconditions = self.preconditions.unwrap_or_default();
        let revision = match preconditions.resource_version.as_deref() {
            None | Some("") => None,
            Some(text) => Some(text.parse().map_err(|_| {
                invalid(FieldError::invalid(
                    &Path::new("preconditions").child("resourceVersion"),
                    text,
                    "must be a resource version of this server",
                ))
            })?),
        };
        let values = self.dry_run.unwrap_or_default();
        let dry_run = query::dry_run(values.iter().map(String::as_str), "DeleteOptions")?;
        // Upstream takes a negative grace period for the shortest one there is.
        let grace = self
            .grace_period_seconds
            .map(|seconds| if seconds < 0 { 1 } else { seconds });
        let uid = preconditions.uid.filter(|uid| !uid.is_empty());
        Ok((
            DeleteOptions {
                grace,
                uid,
                revision,
                propagation,
            },
            dry_run,
        ))
    }
}
