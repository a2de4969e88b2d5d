//! Who may come in, on both doors alike.
//!
//! Until roles exist, whoever proves a certificate of the cluster's authority may do everything, and whoever proves
//! nothing may ask for health and version and may join. Wrong certificates never get here: TLS refuses them. A bearer
//! token is refused, whatever certificate comes with it, because nothing here can tell whose it is.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use coracle_api::ApiError;
use coracle_service::Peer;
use http::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};

use crate::grpc;

/// What anybody may ask for.
const PUBLIC_PATHS: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];
const PUBLIC_SERVICES: [&str; 2] = ["/coracle.v1.BootstrapService/", "/grpc.health.v1.Health/"];

/// Lets a request in, or answers 401 in the language of the door it came to.
pub(crate) async fn authenticate(request: Request, next: Next) -> Response {
    if is_allowed(&request) {
        return next.run(request).await;
    }
    let is_grpc = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let error = ApiError::unauthorized();
    if is_grpc {
        let response: http::Response<Body> = grpc::error::status(error).into_http();
        return response;
    }
    let json = HeaderValue::from_static("application/json");
    (StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, json)], error.to_json()).into_response()
}

fn is_allowed(request: &Request) -> bool {
    let path = request.uri().path();
    let is_public = PUBLIC_PATHS.contains(&path.trim_end_matches('/'))
        || PUBLIC_SERVICES.iter().any(|service| path.starts_with(service));
    let is_proven = request
        .extensions()
        .get::<Arc<Peer>>()
        .is_some_and(|peer| !peer.is_anonymous());
    is_public || (is_proven && !request.headers().contains_key(AUTHORIZATION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, peer: Option<Peer>, token: bool, expected: bool) {
        let mut request = Request::builder().uri(path);
        if token {
            request = request.header(AUTHORIZATION, "Bearer abc");
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(Arc::new(peer));
        }
        assert_eq!(is_allowed(&request), expected, "{path}");
    }

    #[test]
    fn only_health_version_and_joining_are_public() {
        let member = || {
            Some(Peer {
                user: "system:node:a".to_owned(),
                groups: vec!["system:nodes".to_owned()],
            })
        };
        check("/api/v1/pods", member(), false, true);
        check("/api/v1/pods", member(), true, false);
        check("/api/v1/pods", Some(Peer::anonymous()), false, false);
        check("/api/v1/pods", None, false, false);
        check(
            "/coracle.v1.ObjectService/Get",
            Some(Peer::anonymous()),
            false,
            false,
        );
        check(
            "/coracle.v1.BootstrapService/GetCa",
            Some(Peer::anonymous()),
            false,
            true,
        );
        check("/grpc.health.v1.Health/Check", None, false, true);
        check("/readyz", None, false, true);
        check("/version/", None, false, true);
        check("/versions", None, false, false);
    }
}
