//! Connections to endpoints that are kept for the next request.
//!
//! A request that could not be sent comes back whole and is tried elsewhere; one that may have been seen is not sent
//! twice, unless repeating it does no harm.

use std::{collections::HashMap, io, net::SocketAddrV4, time::Duration};

use bytes::Bytes;
use coracle_service::{BoxIo, Env};
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Connections that are kept for one endpoint; further ones are closed after their request.
const MAX_IDLE: usize = 128;
/// How long a connection is kept: shorter than servers usually wait for the next request.
const IDLE: Duration = Duration::from_secs(20);

/// A request's or an answer's bytes.
pub(crate) type Body = BoxBody<Bytes, hyper::Error>;
type Sender = SendRequest<Body>;

/// Connections by endpoint.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<SocketAddrV4, Vec<(Sender, Instant)>>>,
}

/// What became of a request.
pub(crate) enum Sent {
    /// It was answered.
    Answered(Response<Incoming>),
    /// It was not sent: here it is again.
    Unsent(Box<Request<Body>>),
    /// It may have been seen, and no answer came.
    Lost(hyper::Error),
}

impl Pool {
    /// A connection that was kept and is still good.
    pub(crate) fn take(&self, endpoint: SocketAddrV4, now: Instant) -> Option<Sender> {
        let mut idle = self.idle.lock();
        let kept = idle.get_mut(&endpoint)?;
        // The one used last is the one most likely to be alive.
        while let Some((sender, since)) = kept.pop() {
            if now.duration_since(since) < IDLE && sender.is_ready() {
                return Some(sender);
            }
        }
        idle.remove(&endpoint);
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(&self, endpoint: SocketAddrV4, sender: Sender, now: Instant) {
        let mut idle = self.idle.lock();
        // Endpoints go for good; what was kept for them goes when there is something new to keep.
        idle.retain(|_, kept| {
            kept.last()
                .is_some_and(|(_, since)| now.duration_since(*since) < IDLE)
        });
        let kept = idle.entry(endpoint).or_default();
        if kept.len() < MAX_IDLE {
            kept.push((sender, now));
        }
    }
}

/// Speaks HTTP/1.1 over a new connection, which is driven until it ends; upgrades are carried on.
pub(crate) async fn handshake(io: BoxIo, env: &Env) -> io::Result<Sender> {
    let (sender, connection) = http1::handshake(TokioIo::new(io))
        .await
        .map_err(io::Error::other)?;
    env.spawn.task("ingress endpoint", async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::trace!(%error, "connection to endpoint ended");
        }
    });
    Ok(sender)
}

/// Sends a request over a connection.
pub(crate) async fn send(sender: &mut Sender, request: Request<Body>) -> Sent {
    match sender.try_send_request(request).await {
        Ok(response) => Sent::Answered(response),
        Err(mut failed) => match failed.take_message() {
            Some(request) => Sent::Unsent(Box::new(request)),
            None => Sent::Lost(failed.into_error()),
        },
    }
}
