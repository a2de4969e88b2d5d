//! What every request passes first: authentication, impersonation, the limit of requests under way, authorization.
//!
//! REST requests are authorized here, by path alone; calls of the object services by the services themselves, which
//! know what their messages are about; other gRPC services here, as paths.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coracle_api::ApiError;
use coracle_auth::{Attributes, MASTERS, RequestInfo, audit::Event, impersonation::Impersonation};
use coracle_service::{Peer, identity::AUTHENTICATED};
use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Auth;
use crate::{grpc, registry::Annotations, rest};

/// What anybody may ask for, whatever the roles say.
const PUBLIC_PATHS: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];
const PUBLIC_SERVICES: [&str; 2] = ["/coracle.v1.BootstrapService/", "/grpc.health.v1.Health/"];
/// Services that ask for authorization themselves.
const OBJECT_SERVICES: [&str; 2] = ["/coracle.v1.ObjectService/", "/coracle.v1.SummaryService/"];
/// When a client that came too many should come again, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What of a request goes into the audit log.
#[derive(Default)]
struct Noted {
    event: Option<Event>,
    is_long: bool,
    /// What those who judge the request have to say for the log.
    annotations: Arc<Annotations>,
}

/// Lets a request in, or answers in the language of the door it came to.
pub(crate) async fn guard(State(auth): State<Arc<Auth>>, request: Request, next: Next) -> Response {
    let is_grpc = rest::is_grpc(request.headers());
    let method = request.method().to_string();
    let response = auth.answer(request, next, is_grpc).await;
    let door = if is_grpc { "grpc" } else { "rest" };
    auth.answers.count(door, &method, response.status().as_u16());
    response
}

fn refuse(error: &ApiError, is_grpc: bool) -> Response {
    if is_grpc {
        let response: http::Response<Body> = grpc::error::status(error.clone()).into_http();
        return response.into_response();
    }
    rest::failure(error)
}

impl Auth {
    async fn answer(&self, mut request: Request, next: Next, is_grpc: bool) -> Response {
        let mut noted = Noted::default();
        let permit = match self.admit(&mut request, is_grpc, &mut noted).await {
            Ok(permit) => permit,
            Err(error) => return self.note(noted, None, refuse(&error, is_grpc)).await,
        };
        request.extensions_mut().insert(Arc::clone(&noted.annotations));
        let (request, body) = match (self.auditor.get(), &noted.event) {
            (Some(auditor), Some(event)) => auditor.take_body(event, request).await,
            _ => (request, None),
        };
        let response = next.run(request).await;
        drop(permit);
        self.note(noted, body, response).await
    }

    async fn admit(
        &self,
        request: &mut Request,
        is_grpc: bool,
        noted: &mut Noted,
    ) -> Result<Option<SemaphorePermit<'_>>, ApiError> {
        let caller = self.authenticate(request)?;
        let peer = self.impersonate(Arc::clone(&caller), request.headers())?;
        let path = request.uri().path();
        if is_grpc {
            let is_public = PUBLIC_SERVICES.iter().any(|service| path.starts_with(service));
            let asks_itself = OBJECT_SERVICES.iter().any(|service| path.starts_with(service));
            if asks_itself && peer.is_anonymous() {
                return Err(ApiError::unauthorized());
            }
            if !is_public && !asks_itself {
                self.require(&Attributes::path(&peer, "post", path)).await?;
            }
            let permit = self.room(path, &peer)?;
            request.extensions_mut().insert(peer);
            return Ok(permit);
        }
        if !PUBLIC_PATHS.contains(&path.trim_end_matches('/')) {
            let info = RequestInfo::of(request.method().as_str(), path, request.uri().query());
            if let Some(auditor) = self.auditor.get() {
                let other = (!Arc::ptr_eq(&caller, &peer)).then_some(&*caller);
                noted.event = auditor.begin(&info, request, &peer, other);
                noted.is_long = info.is_long();
            }
            self.require(&info.attributes(&peer)).await?;
        }
        request.extensions_mut().insert(peer);
        Ok(None)
    }

    /// Writes what is to be kept of an answered request.
    async fn note(&self, noted: Noted, body: Option<Value>, response: Response) -> Response {
        match (self.auditor.get(), noted.event) {
            (Some(auditor), Some(mut event)) => {
                event.annotate(noted.annotations.take());
                auditor.finish(event, body, response, noted.is_long).await
            }
            _ => response,
        }
    }

    /// Who the caller is: whom a bearer token proves, else whom the certificate does, else nobody.
    fn authenticate(&self, request: &Request) -> Result<Arc<Peer>, ApiError> {
        if let Some(token) = bearer(request.headers()) {
            let now = self.env.cluster_clock.now();
            let found = self
                .authenticator
                .authenticate(self.authorizer.lookup(), token, &[], now);
            let found = found.ok_or_else(ApiError::unauthorized)?;
            return Ok(Arc::new(found.user));
        }
        let Some(peer) = request.extensions().get::<Arc<Peer>>() else {
            return Ok(Arc::new(Peer::anonymous()));
        };
        if peer.is_anonymous() || peer.is_in(AUTHENTICATED) {
            return Ok(Arc::clone(peer));
        }
        let mut named = Peer::clone(peer);
        named.groups.push(AUTHENTICATED.to_owned());
        Ok(Arc::new(named))
    }

    fn impersonate(&self, peer: Arc<Peer>, headers: &HeaderMap) -> Result<Arc<Peer>, ApiError> {
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        match Impersonation::of(texts)? {
            None => Ok(peer),
            Some(wanted) => {
                let taken = wanted.take(&peer, &self.authorizer)?;
                tracing::debug!(user = peer.user, acts_as = taken.user, "impersonate");
                Ok(Arc::new(taken))
            }
        }
    }

    /// A place among the calls of this kind that are under way; watches and administrators need none.
    fn room(&self, path: &str, peer: &Peer) -> Result<Option<SemaphorePermit<'_>>, ApiError> {
        let Some(room) = self.room_of(path).filter(|_| !peer.is_in(MASTERS)) else {
            return Ok(None);
        };
        let full = || {
            let message = "too many requests, please try again later";
            ApiError::too_many_requests(message, RETRY_AFTER_SECONDS)
        };
        room.try_acquire().map(Some).map_err(|_| full())
    }

    fn room_of(&self, path: &str) -> Option<&Semaphore> {
        let (_, call) = path.strip_prefix("/coracle.v1.")?.split_once('/')?;
        if call.starts_with("Watch") {
            None
        } else if ["Get", "List", "Discover"]
            .iter()
            .any(|prefix| call.starts_with(prefix))
        {
            Some(&self.reads)
        } else {
            Some(&self.writes)
        }
    }
}

/// The token of an `Authorization: Bearer` header; other schemes are none of ours.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().unwrap_or("Bearer ");
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
