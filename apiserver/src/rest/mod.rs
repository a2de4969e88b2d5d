//! The REST door: what kubectl and client libraries speak.
//!
//! It reads paths, queries, headers and bodies, asks the registry, and writes what comes back: objects and lists as
//! the bytes that the cache shares, tables, watches as lines of JSON, logs as text. Every failure is a Kubernetes
//! Status made in one place ([`error`]). It knows nothing of how objects are kept, and judges nothing about them.

mod body;
mod discovery;
mod error;
mod gzip;
mod indent;
mod logs;
mod negotiate;
mod objects;
mod openapi;
mod path;
mod proxy;
mod query;
mod render;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod version;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use coracle_api::ApiError;
use coracle_service::{Env, Identity, Peer, Shutdown};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::Semaphore;

pub(crate) use self::error::failure;
pub(crate) use self::logs::{Nodes, authority};
use self::objects::Verb;
pub use self::openapi::OpenApi;
use self::path::Route;
use self::query::Query;
use crate::registry::Registry;

/// Reads at a time, watches and logs aside, as upstream has it.
const MAX_READS: usize = 400;
/// Writes at a time, as upstream has it.
const MAX_WRITES: usize = 200;
/// How long a request may take, watches and logs aside.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// When a client that came too many should come again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What the door stands on.
pub struct RestState {
    /// The objects.
    pub registry: Arc<Registry>,
    /// Clocks, network and randomness.
    pub env: Env,
    /// Shown to nodes when their logs are read.
    pub identity: Identity,
    /// Ends watches and followed logs.
    pub shutdown: Shutdown,
    /// What describes the objects.
    pub openapi: Arc<OpenApi>,
}

/// Serves the Kubernetes REST API. Requests must carry their [`Peer`] as an extension; health is served elsewhere.
///
/// The router answers every path, so it has a fallback of its own.
pub fn router(state: RestState) -> Router {
    Router::new()
        .fallback(handle)
        .with_state(Arc::new(Door::new(state)))
}

struct Door {
    registry: Arc<Registry>,
    nodes: Nodes,
    env: Env,
    shutdown: Shutdown,
    discovery: discovery::Kept,
    openapi: Arc<OpenApi>,
    reads: Semaphore,
    writes: Semaphore,
}

async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    if is_grpc(request.headers()) {
        return no_such_service();
    }
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let response = door
        .answer(&parts, body)
        .await
        .unwrap_or_else(|failure| error::failure(&failure));
    if is_head {
        response.map(|_| Body::empty())
    } else {
        response
    }
}

impl Door {
    fn new(state: RestState) -> Self {
        let RestState {
            registry,
            env,
            identity,
            shutdown,
            openapi,
        } = state;
        Self {
            registry,
            nodes: Nodes::new(env.clone(), identity),
            env,
            shutdown,
            discovery: discovery::Kept::default(),
            openapi,
            reads: Semaphore::new(MAX_READS),
            writes: Semaphore::new(MAX_WRITES),
        }
    }

    async fn answer(self: &Arc<Self>, parts: &Parts, body: Body) -> Result<Response, ApiError> {
        let route = path::parse(parts.uri.path(), &self.registry.catalog().now());
        if matches!(
            route,
            Route::OpenApiV2 | Route::OpenApiV3 | Route::OpenApiV3Group { .. }
        ) {
            self.openapi.follow(&self.registry);
        }
        if route == Route::Version {
            return read_only(parts).map(|()| error::json(StatusCode::OK, version::body()));
        }
        let peer = caller(parts)?;
        let headers = &parts.headers;
        match route {
            Route::Objects(target) => {
                let query = Query::of(&parts.uri)?;
                let verb =
                    Verb::of(&parts.method, &target, &query).ok_or_else(ApiError::method_not_allowed)?;
                let request = objects::Request {
                    door: self,
                    peer,
                    target,
                    parts,
                    query,
                };
                self.limited(verb, request.serve(verb, body)).await
            }
            Route::UnknownResource => Err(ApiError::resource_not_found()),
            Route::Unknown => Ok(error::page_not_found()),
            Route::OpenApiV2 => {
                read_only(parts)?;
                self.openapi.v2(headers).await
            }
            Route::OpenApiV3 => read_only(parts).map(|()| self.openapi.v3(headers)),
            Route::OpenApiV3Group { group, version } => {
                read_only(parts)?;
                let query = Query::of(&parts.uri)?;
                let found = self
                    .openapi
                    .v3_group(&group, &version, query.get("hash"), headers);
                Ok(found.await?.unwrap_or_else(error::page_not_found))
            }
            route => {
                read_only(parts)?;
                self.discovery
                    .of(&self.registry.catalog().now())
                    .answer(&route, headers)
            }
        }
    }

    /// Lets a request in where there is room, and bounds its time. What goes on for long is bounded by itself.
    async fn limited(
        &self,
        verb: Verb,
        serve: impl Future<Output = Result<Response, ApiError>>,
    ) -> Result<Response, ApiError> {
        if verb.is_long() {
            return serve.await;
        }
        let room = if verb.is_read() { &self.reads } else { &self.writes };
        let Ok(_permit) = room.try_acquire() else {
            let message = "too many requests, please try again later";
            return Err(ApiError::too_many_requests(message, RETRY_AFTER_SECONDS));
        };
        let timed = self.env.transport_clock.timeout(REQUEST_TIMEOUT, serve).await;
        timed.unwrap_or_else(|_| {
            Err(ApiError::timeout(
                "request did not complete within the allotted timeout",
            ))
        })
    }
}

/// Whether a request is a call of gRPC. One that comes to this door names a service that there is not.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// In the words of gRPC, which knows no paths.
fn no_such_service() -> Response {
    let response: http::Response<Body> = tonic::Status::unimplemented("unknown service").into_http();
    response.into_response()
}

/// The caller, whom `auth` has let in.
fn caller(parts: &Parts) -> Result<Arc<Peer>, ApiError> {
    parts.extensions.get().cloned().ok_or_else(ApiError::unauthorized)
}

fn read_only(parts: &Parts) -> Result<(), ApiError> {
    match parts.method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(ApiError::method_not_allowed()),
    }
}
