//! `/k8s/PATH`: the apiserver's REST door in the viewer's name, for everything that is not live.
//!
//! Only what the front end needs passes: its media types in, the answer's body and kind out. What a pod answers
//! (the `proxy` subresource) never passes, for a page of a pod's must not run in this origin.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use coracle_api::ApiError;

use crate::{run::Console, session::Session, upstream::Error};

/// Where it is mounted.
pub(crate) const PREFIX: &str = "/k8s";
/// What passes from the browser to the apiserver.
const ASKED: [HeaderName; 3] = [header::ACCEPT, header::CONTENT_TYPE, header::CONTENT_LENGTH];
/// What passes back.
const ANSWERED: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::WARNING,
    header::RETRY_AFTER,
    header::CONTENT_LENGTH,
];
/// Subresources of which the answer is somebody else's, or no answer but a connection.
const REFUSED: [&str; 4] = ["proxy", "exec", "attach", "portforward"];
/// What a browser may do with an answer that somebody opens as a page: show it.
const SANDBOX: &str = "sandbox; default-src 'none'";

/// Passes a request on.
pub async fn forward(
    State(console): State<Console>,
    Extension(session): Extension<Arc<Session>>,
    request: Request,
) -> Response {
    let Some(uri) = target(request.uri()) else {
        return status(&ApiError::bad_request("this path is not served here"));
    };
    let (parts, body) = request.into_parts();
    let mut asked = http::Request::new(tonic::body::Body::new(body));
    *asked.uri_mut() = uri;
    *asked.method_mut() = parts.method.clone();
    for name in ASKED {
        if let Some(value) = parts.headers.get(&name) {
            asked.headers_mut().insert(name, value.clone());
        }
    }
    if parts.method == Method::GET {
        asked.headers_mut().remove(header::CONTENT_LENGTH);
    }
    match console.upstream.send(Some(&session.viewer), asked).await {
        Ok(answer) => pass_back(answer),
        Err(error) => {
            console.probe.suspect();
            failure(&error)
        }
    }
}

/// The path at the apiserver; `None` for one that is not passed on.
pub(crate) fn target(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_prefix(PREFIX)?;
    // Escapes could hide a name from the look below, and no path that the front end makes has any in that place.
    let is_refused = path
        .split('/')
        .any(|part| REFUSED.contains(&part) || part.contains("%2") || part == "..");
    let is_known = ["/api/", "/apis/", "/api", "/apis", "/version", "/openapi/"]
        .iter()
        .any(|start| path == *start || (start.ends_with('/') && path.starts_with(start)));
    if is_refused || !is_known {
        return None;
    }
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    text.parse().ok()
}

fn pass_back(answer: http::Response<tonic::body::Body>) -> Response {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = parts.status;
    for name in ANSWERED {
        for value in parts.headers.get_all(&name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    response
}

/// An error of ours in the form that the apiserver's have.
pub(crate) fn failure(error: &Error) -> Response {
    match error {
        Error::Unreachable(_) => status(&ApiError::unavailable(error.to_string())),
        Error::Viewer(_) => status(&ApiError::bad_request(error.to_string())),
        Error::Answer(_) | Error::Refused { .. } => status(&ApiError::internal(error.to_string())),
    }
}

pub(crate) fn status(error: &ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        error.to_json(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_api_is_passed_on() {
        let passed = |text: &str| target(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(
            passed("/k8s/api/v1/pods?limit=5&watch=1").as_deref(),
            Some("/api/v1/pods?limit=5&watch=1")
        );
        assert_eq!(
            passed("/k8s/apis/apps/v1/namespaces/x/deployments/y/scale").as_deref(),
            Some("/apis/apps/v1/namespaces/x/deployments/y/scale")
        );
        for refused in [
            "/k8s/api/v1/namespaces/x/pods/y/proxy/",
            "/k8s/api/v1/namespaces/x/services/y/proxy",
            "/k8s/api/v1/namespaces/x/pods/y/exec?command=sh",
            "/k8s/api/v1/namespaces/x/pods/y%2fproxy/",
            "/k8s/coracle.v1.BootstrapService/SignCertificate",
            "/k8s/metrics",
            "/k8s/api/../metrics",
        ] {
            assert_eq!(passed(refused), None, "{refused}");
        }
    }
}
