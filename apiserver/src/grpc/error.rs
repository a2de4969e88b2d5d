//! [`ApiError`] as gRPC tells it: mapped here and nowhere else.
//!
//! The code is the nearest that gRPC has; ErrorInfo (domain `coracle.dev`) carries the Kubernetes reason, BadRequest a
//! violation per field, and binary metadata the whole Kubernetes Status, from which our own clients rebuild the error.

use std::collections::HashMap;

use coracle_api::{ApiError, Reason};
use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::{ErrorDetails, StatusExt};

/// Binary metadata that holds the Kubernetes Status as JSON.
const STATUS_METADATA: &str = "k8s-status-bin";
/// Key of the same JSON in ErrorInfo's metadata, for results inside a batch, which have no metadata of their own.
const STATUS_KEY: &str = "status";
const DOMAIN: &str = "coracle.dev";
/// Trailers travel in one header block, which peers limit to 16 KiB: what is larger than this is cut.
const MAX_STATUS_BYTES: usize = 3 << 10;
const MAX_VIOLATIONS: usize = 16;

/// The status of a failed call.
pub(crate) fn status(error: ApiError) -> Status {
    let mut metadata = MetadataMap::new();
    let json = status_json(&error);
    if json.len() <= MAX_STATUS_BYTES {
        metadata.insert_bin(STATUS_METADATA, MetadataValue::from_bytes(&json));
    }
    let details = details(&error, HashMap::new());
    Status::with_error_details_and_metadata(
        code(error.reason()),
        shortened(error.message()),
        details,
        metadata,
    )
}

/// The outcome of a failed part of a call that succeeded as a whole.
pub(super) fn rpc_status(error: &ApiError) -> tonic_types::Status {
    use prost::Message;
    let json = String::from_utf8_lossy(&status_json(error)).into_owned();
    let details = details(error, HashMap::from([(STATUS_KEY.to_owned(), json)]));
    let status = Status::with_error_details(code(error.reason()), error.message(), details);
    tonic_types::Status::decode(status.details()).unwrap_or_default()
}

fn details(error: &ApiError, mut metadata: HashMap<String, String>) -> ErrorDetails {
    let about = error.details();
    for (key, value) in about
        .into_iter()
        .flat_map(|about| [("name", &about.name), ("kind", &about.kind)])
    {
        if !value.is_empty() {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    if let (Reason::Expired, Some(oldest)) = (error.reason(), oldest_revision(error.message())) {
        metadata.insert("oldest_revision".to_owned(), oldest.to_owned());
    }
    let mut details = ErrorDetails::with_error_info(error.reason().as_str(), DOMAIN, metadata);
    if matches!(error.reason(), Reason::Invalid | Reason::BadRequest) {
        for cause in about.iter().flat_map(|about| &about.causes).take(MAX_VIOLATIONS) {
            details.add_bad_request_violation(cause.field.as_str(), cause.message.as_str());
        }
    }
    if let Some(seconds) = error.retry_after_seconds() {
        details.set_retry_info(Some(std::time::Duration::from_secs(seconds.into())));
    }
    details
}

/// The Status as JSON, without its causes where it would be too large with them.
fn status_json(error: &ApiError) -> Vec<u8> {
    let json = error.to_json();
    if json.len() <= MAX_STATUS_BYTES {
        return json;
    }
    let mut about = error.details().cloned().unwrap_or_default();
    about.causes.clear();
    ApiError::new(error.reason(), shortened(error.message()))
        .with_details(about)
        .to_json()
}

fn shortened(message: &str) -> &str {
    let mut end = message.len().min(MAX_STATUS_BYTES / 2);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// `too old resource version: 1 (50236)`
fn oldest_revision(message: &str) -> Option<&str> {
    message.rsplit_once('(')?.1.strip_suffix(')')
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::Unauthorized => Code::Unauthenticated,
        Reason::Forbidden => Code::PermissionDenied,
        Reason::NotFound => Code::NotFound,
        Reason::AlreadyExists => Code::AlreadyExists,
        Reason::Conflict => Code::Aborted,
        Reason::Gone | Reason::Expired => Code::OutOfRange,
        Reason::Invalid
        | Reason::BadRequest
        | Reason::NotAcceptable
        | Reason::UnsupportedMediaType
        | Reason::RequestEntityTooLarge => Code::InvalidArgument,
        Reason::MethodNotAllowed => Code::Unimplemented,
        Reason::TooManyRequests => Code::ResourceExhausted,
        Reason::Timeout | Reason::ServerTimeout => Code::DeadlineExceeded,
        Reason::ServiceUnavailable => Code::Unavailable,
        Reason::Fenced => Code::FailedPrecondition,
        Reason::InternalError => Code::Internal,
        Reason::Unknown => Code::Unknown,
    }
}
