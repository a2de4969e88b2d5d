//! From a gRPC status back to the Kubernetes failure that it carries.
//!
//! The server sends the whole Kubernetes Status beside the gRPC code, so nothing is lost on this door. What the
//! transport itself reports (refused, broken, too slow) becomes a transient [`ApiError`].

use coracle_api::{ApiError, Reason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Binary metadata that holds the Kubernetes Status as JSON.
pub const STATUS_METADATA: &str = "k8s-status-bin";
/// Key of the same JSON in ErrorInfo's metadata, for results inside a batch.
pub const STATUS_KEY: &str = "status";

/// The failure that a call's status carries.
#[must_use]
pub fn from_status(status: &Status) -> ApiError {
    if let Some(error) = status
        .metadata()
        .get_bin(STATUS_METADATA)
        .and_then(|value| value.to_bytes().ok())
        .and_then(|json| ApiError::from_json(&json))
    {
        return error;
    }
    if let Some(info) = status.get_details_error_info() {
        if let Some(error) = info
            .metadata
            .get(STATUS_KEY)
            .and_then(|json| ApiError::from_json(json.as_bytes()))
        {
            return error;
        }
        if let Some(reason) = Reason::parse(&info.reason) {
            return ApiError::new(reason, status.message());
        }
    }
    let message = status.message();
    match status.code() {
        Code::NotFound => ApiError::new(Reason::NotFound, message),
        Code::AlreadyExists => ApiError::new(Reason::AlreadyExists, message),
        Code::Aborted => ApiError::new(Reason::Conflict, message),
        Code::InvalidArgument => ApiError::bad_request(message),
        Code::OutOfRange => ApiError::new(Reason::Expired, message),
        Code::FailedPrecondition => ApiError::new(Reason::Fenced, message),
        Code::Unauthenticated => ApiError::new(Reason::Unauthorized, message),
        Code::PermissionDenied => ApiError::new(Reason::Forbidden, message),
        Code::ResourceExhausted => ApiError::too_many_requests(message, 1),
        Code::DeadlineExceeded | Code::Cancelled => ApiError::timeout(message),
        Code::Internal | Code::DataLoss => ApiError::internal(message),
        // Unknown is what tonic reports for a connection that broke in the middle of a call.
        _ => ApiError::unavailable(message),
    }
}

/// The failure of one item of a batch.
#[must_use]
pub fn from_rpc_status(status: tonic_types::Status) -> ApiError {
    use prost::Message;
    let code = Code::from(status.code);
    let details = bytes::Bytes::from(status.encode_to_vec());
    from_status(&Status::with_details(code, status.message, details))
}
