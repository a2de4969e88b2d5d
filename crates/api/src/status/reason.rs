//! The machine-readable reasons of a failure, their codes and their names.

use std::fmt;

/// Why a request failed; decides the HTTP code and what a client does next.
///
/// Source: `metav1.StatusReason`. `Fenced` is Coracle's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the API's own")]
pub enum Reason {
    Unknown,
    Unauthorized,
    Forbidden,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    Expired,
    Invalid,
    BadRequest,
    MethodNotAllowed,
    NotAcceptable,
    UnsupportedMediaType,
    RequestEntityTooLarge,
    TooManyRequests,
    Timeout,
    ServerTimeout,
    InternalError,
    ServiceUnavailable,
    /// The writer's leader lease has passed to another.
    Fenced,
}

const TABLE: &[(Reason, &str, u16)] = &[
    (Reason::Unknown, "", 500),
    (Reason::Unauthorized, "Unauthorized", 401),
    (Reason::Forbidden, "Forbidden", 403),
    (Reason::NotFound, "NotFound", 404),
    (Reason::AlreadyExists, "AlreadyExists", 409),
    (Reason::Conflict, "Conflict", 409),
    (Reason::Gone, "Gone", 410),
    (Reason::Expired, "Expired", 410),
    (Reason::Invalid, "Invalid", 422),
    (Reason::BadRequest, "BadRequest", 400),
    (Reason::MethodNotAllowed, "MethodNotAllowed", 405),
    (Reason::NotAcceptable, "NotAcceptable", 406),
    (Reason::UnsupportedMediaType, "UnsupportedMediaType", 415),
    (Reason::RequestEntityTooLarge, "RequestEntityTooLarge", 413),
    (Reason::TooManyRequests, "TooManyRequests", 429),
    (Reason::Timeout, "Timeout", 504),
    (Reason::ServerTimeout, "ServerTimeout", 500),
    (Reason::InternalError, "InternalError", 500),
    (Reason::ServiceUnavailable, "ServiceUnavailable", 503),
    (Reason::Fenced, "Fenced", 412),
];

impl Reason {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        TABLE
            .iter()
            .find(|(reason, ..)| *reason == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The usual HTTP status code.
    pub fn code(self) -> u16 {
        TABLE
            .iter()
            .find(|(reason, ..)| *reason == self)
            .map_or(500, |(.., code)| *code)
    }

    /// The reason of this name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|(_, known, _)| *known == name && !name.is_empty())
            .map(|(reason, ..)| *reason)
    }

    /// The reason of this name, else the first that has this code, as for answers of proxies without a Status.
    pub fn from_parts(name: &str, code: u16) -> Self {
        let by_code = || {
            TABLE
                .iter()
                .skip(1)
                .find(|(.., known)| *known == code)
                .map(|(reason, ..)| *reason)
        };
        Self::parse(name).or_else(by_code).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
