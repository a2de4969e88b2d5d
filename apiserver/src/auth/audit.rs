//! Audit events of requests: what the policy wants kept of each, from its coming to its answer.
//!
//! Over REST bodies are kept where the policy says so, up to [`MAX_BODY_BYTES`]; of gRPC calls never more than who
//! asked for what, because their bodies are of another form, and each object of a batch has an event of its own.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use coracle_api::ApiError;
use coracle_auth::{
    Attributes, RequestInfo,
    audit::{self, Event, Level, Log, Outcome, Policy},
};
use coracle_service::{Env, Peer};
use http::header::USER_AGENT;
use serde_json::Value;

/// The largest body that is kept; of a larger one nothing is.
const MAX_BODY_BYTES: usize = 3 << 20;

/// What is kept, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which requests.
    pub policy: Policy,
    /// The file.
    pub log: audit::Settings,
}

/// The audit log of one server.
pub(super) struct Auditor {
    policy: Policy,
    log: Log,
    env: Env,
}

impl Auditor {
    pub(super) fn open(settings: Settings, env: &Env) -> Result<Self, audit::Error> {
        Ok(Self {
            policy: settings.policy,
            log: Log::open(settings.log, &env.spawn)?,
            env: env.clone(),
        })
    }

    /// Notes a REST request; `None` where nothing of it is kept.
    pub(super) fn begin(
        &self,
        info: &RequestInfo,
        request: &Request,
        peer: &Peer,
        caller: Option<&Peer>,
    ) -> Option<Event> {
        let asked = info.attributes(peer);
        let level = self.policy.level(&asked);
        (level > Level::None).then(|| self.event(level, &asked, request, caller))
    }

    fn event(&self, level: Level, asked: &Attributes<'_>, request: &Request, caller: Option<&Peer>) -> Event {
        let agent = request.headers().get(USER_AGENT);
        let about = audit::Request {
            id: &self.env.random.uuid(),
            uri: &request.uri().to_string(),
            user_agent: agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
            caller,
            received: self.env.cluster_clock.now(),
        };
        Event::new(level, asked, about)
    }

    /// Notes one thing that a gRPC call asked for.
    pub(super) fn note(&self, asked: &Attributes<'_>, outcome: &Result<(), ApiError>) {
        if self.policy.level(asked) == Level::None {
            return;
        }
        let request = Request::new(Body::empty());
        let event = self.event(Level::Metadata, asked, &request, None);
        let code = outcome.as_ref().err().map_or(200, ApiError::code);
        self.write(event, code, None, None);
    }

    /// The body of the request, read where it is kept, and the request with it.
    pub(super) async fn take_body(&self, event: &Event, request: Request) -> (Request, Option<Value>) {
        if event.level() < Level::Request {
            return (request, None);
        }
        let (parts, body) = request.into_parts();
        match to_bytes(body, MAX_BODY_BYTES).await {
            Ok(bytes) => {
                let kept = serde_json::from_slice(&bytes).ok();
                (Request::from_parts(parts, Body::from(bytes)), kept)
            }
            // Too large to be served either: the door says so.
            Err(error) => {
                let broken =
                    Body::from_stream(futures::stream::once(async { Err::<bytes::Bytes, _>(error) }));
                (Request::from_parts(parts, broken), None)
            }
        }
    }

    /// Writes the event, when the answer is known; an answer that goes on is not kept.
    pub(super) async fn finish(
        &self,
        event: Event,
        request: Option<Value>,
        response: Response,
        is_long: bool,
    ) -> Response {
        let code = response.status().as_u16();
        if is_long || event.level() < Level::RequestResponse {
            self.write(event, code, request, None);
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let kept = serde_json::from_slice(&bytes)
            .ok()
            .filter(|_| bytes.len() <= MAX_BODY_BYTES);
        self.write(event, code, request, kept);
        Response::from_parts(parts, Body::from(bytes))
    }

    fn write(&self, event: Event, code: u16, request: Option<Value>, response: Option<Value>) {
        let outcome = Outcome {
            code,
            request,
            response,
        };
        self.log
            .write(event.finish(outcome, self.env.cluster_clock.now()));
    }
}
