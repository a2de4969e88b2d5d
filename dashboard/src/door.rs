//! The routes, and who may take which.

use axum::{
    Router, middleware,
    routing::{any, get, post},
};
use coracle_service::Health;

use crate::{assets, guard, live, proxy, run::Console, sign_in, streams};

/// Everything a browser, or `coracle dashboard`, can ask for.
pub fn router(console: Console, health: &Health) -> Router {
    let signed_in = Router::new()
        .route("/api/me", get(sign_in::me))
        .route("/api/sign-out", post(sign_in::sign_out))
        .route("/api/live", any(live::socket::open))
        .route("/api/live/names", get(live::socket::names))
        .route("/api/streams", any(streams::open))
        .route("/k8s/{*path}", any(proxy::forward))
        .layer(middleware::from_fn_with_state(
            console.clone(),
            sign_in::require_session,
        ));
    Router::new()
        .route("/api/sign-in", post(sign_in::sign_in))
        .route("/api/links", post(sign_in::make_link))
        .merge(signed_in)
        .fallback(assets::serve)
        .layer(middleware::from_fn_with_state(console.clone(), guard::check))
        .with_state(console)
        // Probes name no host that the guard knows.
        .merge(health.router())
}
