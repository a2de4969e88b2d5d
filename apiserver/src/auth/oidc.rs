//! How others check service accounts' tokens: OpenID Connect discovery, and the public keys.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};
use coracle_auth::token::ISSUER;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::json;

use super::Auth;

/// Both documents; who may read them, the roles say.
pub(crate) fn router(auth: &Arc<Auth>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(configuration))
        .route("/openid/v1/jwks", get(keys))
        .with_state(Arc::clone(auth))
}

async fn configuration() -> impl axum::response::IntoResponse {
    let body = json!({
        "issuer": ISSUER,
        "jwks_uri": format!("{ISSUER}/openid/v1/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    document("application/json", body.to_string())
}

async fn keys(State(auth): State<Arc<Auth>>) -> impl axum::response::IntoResponse {
    document("application/jwk-set+json", auth.signer.key_set().to_string())
}

fn document(content_type: &'static str, body: String) -> impl axum::response::IntoResponse {
    let header = HeaderValue::from_static;
    (
        [
            (CONTENT_TYPE, header(content_type)),
            (CACHE_CONTROL, header("public, max-age=3600")),
        ],
        body,
    )
}
