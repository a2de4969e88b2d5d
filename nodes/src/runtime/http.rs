//! The HTTP/1.1 side that the serving programs share: one handler, an access log, and a polite end.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use coracle_service::{BoxIo, Clock};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::{
    meter::Meter,
    program::Invocation,
    serving::{Service, Session},
};
use crate::logs::Log;

/// How long a client may take to send a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(32);
/// The longest part of a request's target and agent that the log keeps.
const MAX_LOGGED_BYTES: usize = 1_024;

/// What a request costs a program that does nothing special.
const USUAL_COST: Duration = Duration::from_micros(200);

/// Answers requests.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    async fn answer(&self, request: &Request<Incoming>, from: SocketAddr) -> Response<Full<Bytes>>;

    /// The CPU time that a request is said to cost.
    fn cost(&self) -> Duration {
        USUAL_COST
    }
}

/// A text answer.
#[must_use]
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// Serves a handler by HTTP, with a line in the container's log for each request.
pub struct HttpService<H> {
    handler: H,
    log: Arc<Log>,
    clock: Clock,
    meter: Meter,
}

#[async_trait]
impl<H: Handler> Service for HttpService<H> {
    async fn connection(&self, io: BoxIo, from: SocketAddr, session: Session) {
        let service = service_fn(|request: Request<Incoming>| {
            let session = &session;
            async move {
                self.meter.spend(self.handler.cost());
                let mut response = self.handler.answer(&request, from).await;
                if session.is_draining() {
                    response
                        .headers_mut()
                        .insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                self.record(&request, &response, from);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .half_close(true)
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(io), service);
        tokio::pin!(connection);
        let outcome = tokio::select! {
            biased;
            outcome = connection.as_mut() => outcome,
            () = session.closing() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::trace!(%error, "pod connection ended");
        }
    }

    fn nanocores(&self) -> i64 {
        self.meter.nanocores()
    }
}

impl<H> HttpService<H> {
    /// Serves `handler` in the container of `invocation`.
    pub fn new(handler: H, invocation: &Invocation) -> Self {
        Self {
            handler,
            log: Arc::clone(&invocation.log),
            clock: invocation.clock.clone(),
            meter: Meter::new(invocation.clock.clone()),
        }
    }

    /// One line in the combined log format.
    fn record(&self, request: &Request<Incoming>, response: &Response<Full<Bytes>>, from: SocketAddr) {
        let now = self.clock.now();
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let agent = request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or("-");
        let size = response.body().size_hint().exact().unwrap_or_default();
        let line = format!(
            "{} - - [{}] \"{} {} {:?}\" {} {size} \"-\" \"{}\"",
            from.ip(),
            now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            request.method(),
            clip(target),
            request.version(),
            response.status().as_u16(),
            clip(agent),
        );
        self.log.write(now, &line);
    }
}

fn clip(text: &str) -> &str {
    match text.char_indices().nth(MAX_LOGGED_BYTES) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
