//! Failures as Kubernetes tells them: a `Status` with a code, a reason, a message and details.
//!
//! Each error is made once, here, with exactly upstream's message, and mapped once at each door. What an error means
//! for a caller (retry, give up) hangs on [`Reason`], never on the message.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::field_error::{FieldError, aggregate, quote};
use crate::kinds::Resource;

mod reason;
#[cfg(test)]
mod tests;
mod wire;

pub use reason::Reason;

/// A failed request, as small as a pointer.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: u16,
    reason: Reason,
    message: String,
    details: Option<Details>,
}

/// What a failure is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// API group of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Plural of the resource, or the kind where the object was invalid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// UID of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// One entry per mistake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// After how many seconds to try again; zero for no advice.
    #[serde(skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// One mistake among several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// Machine-readable kind of mistake, for example `FieldValueRequired`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Path of the field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl ApiError {
    /// An error of any reason, with the reason's usual code and no details.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code: reason.code(),
            reason,
            message: message.into(),
            details: None,
        }))
    }

    /// The same error with these details.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.0.details = Some(details);
        self
    }

    /// The same error with another HTTP code than its reason's usual one.
    #[must_use]
    pub fn with_code(mut self, code: u16) -> Self {
        self.0.code = code;
        self
    }

    /// The same error with advice to try again after this many seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    fn about(self, resource: &Resource, name: &str) -> Self {
        self.with_details(Details {
            name: name.to_owned(),
            group: resource.group.to_owned(),
            kind: resource.plural.to_owned(),
            ..Details::default()
        })
    }

    /// No object of this name: `pods "x" not found`.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(Reason::NotFound, format!("{resource} {} not found", quote(name))).about(resource, name)
    }

    /// No such resource or path: `the server could not find the requested resource`.
    pub fn resource_not_found() -> Self {
        Self::new(
            Reason::NotFound,
            "the server could not find the requested resource",
        )
        .with_details(Details::default())
    }

    /// A name that is taken: `pods "x" already exists`.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(
            Reason::AlreadyExists,
            format!("{resource} {} already exists", quote(name)),
        )
        .about(resource, name)
    }

    /// A write that rests on an older revision than the present one.
    pub fn conflict(resource: &Resource, name: &str) -> Self {
        Self::conflict_because(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// A write that cannot be done in the object's present state.
    pub fn conflict_because(resource: &Resource, name: &str, why: impl fmt::Display) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {resource} {}: {why}",
            quote(name)
        );
        Self::new(Reason::Conflict, message).about(resource, name)
    }

    /// The UID precondition of a write does not hold.
    pub fn uid_conflict(resource: &Resource, name: &str, wanted: &str, found: &str) -> Self {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
        Self::conflict_because(resource, name, why)
    }

    /// An object with mistakes in fields: `Pod "x" is invalid: ...`, one cause each.
    pub fn invalid(resource: &Resource, name: &str, errors: Vec<FieldError>) -> Self {
        Self::invalid_kind(resource.group, resource.kind, name, errors)
    }

    /// As [`ApiError::invalid`], for a kind that has no row in the table, such as `Scale` or `PatchOptions`.
    pub fn invalid_kind(group: &str, kind: &str, name: &str, errors: Vec<FieldError>) -> Self {
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let mut message = format!("{qualified} {} is invalid", quote(name));
        if !errors.is_empty() {
            message.push_str(": ");
            message.push_str(&aggregate(&errors));
        }
        let causes = errors
            .iter()
            .map(|error| Cause {
                reason: error.kind.reason().to_owned(),
                message: error.body(),
                field: error.field.clone(),
            })
            .collect();
        Self::new(Reason::Invalid, message).with_details(Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
            causes,
            ..Details::default()
        })
    }

    /// A patch that can be read and cannot be applied; upstream tells no more than this.
    pub fn unprocessable() -> Self {
        Self::new(
            Reason::Invalid,
            "the server rejected our request due to an error in our request",
        )
        .with_details(Details::default())
    }

    /// A request that cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// No valid credentials.
    pub fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized")
    }

    /// The caller may not do this to the object: `pods "x" is forbidden: WHY`.
    pub fn forbidden(resource: &Resource, name: &str, why: impl fmt::Display) -> Self {
        let message = if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} {} is forbidden: {why}", quote(name))
        };
        Self::new(Reason::Forbidden, message).about(resource, name)
    }

    /// The resource exists and does not serve this verb.
    pub fn method_not_allowed() -> Self {
        Self::new(
            Reason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        )
        .with_details(Details::default())
    }

    /// No representation that the client accepts.
    pub fn not_acceptable(available: &[&str]) -> Self {
        let message = format!(
            "406: Not Acceptable\n\nAvailable representations: {}",
            available.join(", ")
        );
        Self::new(Reason::NotAcceptable, message).with_details(Details::default())
    }

    /// A body in a format that is not known here.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(Reason::UnsupportedMediaType, message)
    }

    /// A list or watch from a revision whose history is gone; `oldest` is the oldest retained one.
    pub fn expired(requested: i64, oldest: i64) -> Self {
        Self::new(
            Reason::Expired,
            format!("too old resource version: {requested} ({oldest})"),
        )
    }

    /// A page token whose revision is gone.
    pub fn continue_expired() -> Self {
        Self::new(
            Reason::Expired,
            "The provided continue parameter is too old to display a consistent list result. You can start a new \
             list without the continue parameter.",
        )
    }

    /// A list or watch from a revision that has not happened yet.
    pub fn too_large_resource_version(requested: i64, current: i64) -> Self {
        let message = format!("Timeout: Too large resource version: {requested}, current: {current}");
        Self::new(Reason::Timeout, message).with_details(Details {
            causes: vec![Cause {
                reason: "ResourceVersionTooLarge".to_owned(),
                message: "Too large resource version".to_owned(),
                field: String::new(),
            }],
            retry_after_seconds: 1,
            ..Details::default()
        })
    }

    /// More requests than the server takes now.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(Reason::TooManyRequests, message).with_retry_after(retry_after_seconds)
    }

    /// A body above the limit.
    pub fn request_entity_too_large(why: impl fmt::Display) -> Self {
        Self::new(
            Reason::RequestEntityTooLarge,
            format!("Request entity too large: {why}"),
        )
    }

    /// A bug or a broken machine; `why` is shown to the client.
    pub fn internal(why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self::new(Reason::InternalError, format!("Internal error occurred: {why}")).with_details(Details {
            causes: vec![Cause {
                message: why,
                ..Cause::default()
            }],
            ..Details::default()
        })
    }

    /// The server cannot take the request now.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::new(Reason::ServiceUnavailable, why)
    }

    /// The request took too long.
    pub fn timeout(why: impl fmt::Display) -> Self {
        Self::new(Reason::Timeout, format!("Timeout: {why}"))
    }

    /// The writer's leader lease is no longer its own: it must stop.
    pub fn fenced(lease: &str, holder: &str) -> Self {
        let message = format!("lease {} is no longer held by {}", quote(lease), quote(holder));
        Self::new(Reason::Fenced, message)
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.0.code
    }

    /// The machine-readable reason.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What it is about, where that is known.
    pub fn details(&self) -> Option<&Details> {
        self.0.details.as_ref()
    }

    /// Advice on when to try again, in seconds.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.details()
            .map(|details| details.retry_after_seconds)
            .filter(|seconds| *seconds > 0)
    }

    /// Whether the object or resource does not exist.
    pub fn is_not_found(&self) -> bool {
        self.0.reason == Reason::NotFound
    }

    /// Whether the name is taken.
    pub fn is_already_exists(&self) -> bool {
        self.0.reason == Reason::AlreadyExists
    }

    /// Whether the write lost to another one; read again and retry.
    pub fn is_conflict(&self) -> bool {
        self.0.reason == Reason::Conflict
    }

    /// Whether the revision asked for is gone; list anew.
    pub fn is_expired(&self) -> bool {
        matches!(self.0.reason, Reason::Expired | Reason::Gone)
    }

    /// Whether the writer lost its leader lease.
    pub fn is_fenced(&self) -> bool {
        self.0.reason == Reason::Fenced
    }

    /// Whether the same request may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.0.reason,
            Reason::TooManyRequests | Reason::ServiceUnavailable | Reason::Timeout | Reason::ServerTimeout
        )
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ApiError({} {}: {})",
            self.0.code, self.0.reason, self.0.message
        )
    }
}

impl std::error::Error for ApiError {}
