//! The one place where an error becomes an HTTP answer, and what else answers have in common.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use coracle_api::ApiError;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WARNING};
use http::{HeaderValue, StatusCode};

/// Warnings beyond this many bytes in all are cut, so that headers stay within what clients read.
const MAX_WARNINGS_BYTES: usize = 4 * 1024;

/// The Status of a failure, with its code.
pub(crate) fn failure(error: &ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code.is_server_error() {
        tracing::warn!(code = code.as_u16(), message = error.message(), "request failed");
    }
    let mut response = json(code, error.to_json());
    if let Some(seconds) = error.retry_after_seconds() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A JSON body with a code.
pub(crate) fn json(code: StatusCode, body: impl Into<Bytes>) -> Response {
    respond(code, "application/json", Body::from(body.into()))
}

/// Plain text with a code.
pub(crate) fn text(code: StatusCode, body: impl Into<Bytes>) -> Response {
    respond(code, "text/plain; charset=utf-8", Body::from(body.into()))
}

/// What a path that nothing is served at answers.
pub(crate) fn page_not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// Any body; answers of an API are never to be cached.
pub(crate) fn respond(code: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// Adds a `Warning: 299 - "TEXT"` header for each warning.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    let mut room = MAX_WARNINGS_BYTES;
    for warning in warnings {
        let quoted = quoted(warning);
        let Some(left) = room.checked_sub(quoted.len()) else {
            return;
        };
        room = left;
        if let Ok(value) = HeaderValue::from_str(&format!("299 - {quoted}")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// A quoted-string of RFC 9110; what headers cannot carry becomes a space.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push(' '),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_to_retry_is_a_header() {
        let response = failure(&ApiError::too_many_requests("too many", 1));
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn warnings_are_quoted() {
        let mut response = json(StatusCode::CREATED, "{}");
        warn(
            &mut response,
            &["unknown field \"bogus\"".to_owned(), "a\nb".to_owned()],
        );
        let warnings: Vec<_> = response.headers().get_all(WARNING).iter().collect();
        assert_eq!(warnings, [r#"299 - "unknown field \"bogus\"""#, r#"299 - "a b""#]);
    }

    #[test]
    fn too_many_warnings_are_cut() {
        let mut response = json(StatusCode::CREATED, "{}");
        warn(&mut response, &vec!["x".repeat(1000); 10]);
        assert_eq!(response.headers().get_all(WARNING).iter().count(), 4);
    }
}
