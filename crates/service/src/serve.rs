//! Serves one axum router on one listener: HTTP/1.1 and HTTP/2 (gRPC, REST, WebSocket upgrades) behind one handshake.
//!
//! Promises: every request carries its [`Peer`] as an extension; limits hold against slow and greedy callers; after
//! shutdown, requests under way get [`Limits::drain`] to finish.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{io::AsyncReadExt, sync::Semaphore};
use tokio_util::task::TaskTracker;
use tower::{ServiceExt, service_fn};

use crate::{BoxIo, Env, Identity, Listener, Peer, Shutdown};

/// What one server grants its callers.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// For the handshake, and for the headers of an HTTP/1.1 request.
    pub header_timeout: Duration,
    /// Requests and streams at a time on one HTTP/2 connection.
    pub streams: u32,
    /// HTTP/2 streams reset before they were accepted, after which the connection is closed (CVE-2023-44487).
    pub pending_resets: usize,
    /// How often an idle HTTP/2 connection is pinged, and how long the answer may take.
    pub keepalive: Duration,
    /// Time for requests under way after shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_timeout: Duration::from_secs(32),
            streams: 1_000,
            pending_resets: 100,
            keepalive: Duration::from_secs(10),
            drain: Duration::from_secs(2),
        }
    }
}

/// Flow-control windows: a caller may send this much before we read it.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// How long to wait after the system refused a connection (mostly: no file descriptors left).
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// The mark on requests that came without TLS, where [`serve_with_plain`] takes them.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// The first byte of every TLS connection: a handshake record. No HTTP request begins with it.
const TLS_HANDSHAKE: u8 = 22;

/// Serves until shutdown, then drains.
pub async fn serve(
    listener: Box<dyn Listener>,
    identity: &Identity,
    router: Router,
    limits: Limits,
    env: &Env,
    shutdown: &Shutdown,
) {
    serve_doors(listener, identity, router, limits, env, shutdown, false).await;
}

/// As [`serve`], and callers may also speak HTTP without TLS on the same port: their requests carry [`Plain`], and
/// they are anonymous. For browsers on the same machine, which do not know the cluster's authority.
pub async fn serve_with_plain(
    listener: Box<dyn Listener>,
    identity: &Identity,
    router: Router,
    limits: Limits,
    env: &Env,
    shutdown: &Shutdown,
) {
    serve_doors(listener, identity, router, limits, env, shutdown, true).await;
}

async fn serve_doors(
    mut listener: Box<dyn Listener>,
    identity: &Identity,
    router: Router,
    limits: Limits,
    env: &Env,
    shutdown: &Shutdown,
    takes_plain: bool,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let tracker = TaskTracker::new();
    loop {
        let accepted = shutdown
            .guard(async {
                // The semaphore is never closed, so a permit always comes.
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            })
            .await;
        let Some((slot, connection)) = accepted else { break };
        let io = match connection {
            Ok((io, _)) => io,
            Err(error) => {
                tracing::warn!(%error, "accept connection");
                env.transport_clock.sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let (identity, router, limits) = (identity.clone(), router.clone(), limits.clone());
        let (connection_env, shutdown) = (env.clone(), shutdown.clone());
        let connection = tracker.track_future(async move {
            serve_connection(
                io,
                &identity,
                router,
                &limits,
                &connection_env,
                &shutdown,
                takes_plain,
            )
            .await;
            drop(slot);
        });
        env.spawn.task("connection", connection);
    }
    drop(listener);
    tracker.close();
    let _ = env.transport_clock.timeout(limits.drain, tracker.wait()).await;
}

async fn serve_connection(
    io: BoxIo,
    identity: &Identity,
    router: Router,
    limits: &Limits,
    env: &Env,
    shutdown: &Shutdown,
    takes_plain: bool,
) {
    let handshake = env
        .transport_clock
        .timeout(limits.header_timeout, accept(io, identity, takes_plain))
        .await;
    let (io, peer, plain) = match handshake {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return tracing::debug!(%error, "refuse connection"),
        Err(_) => return tracing::debug!("connection made no handshake in time"),
    };
    let peer = Arc::new(peer);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert::<Arc<Peer>>(Arc::clone(&peer));
        if let Some(plain) = plain {
            request.extensions_mut().insert(plain);
        }
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive);
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(io), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = shutdown.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended");
    }
}

/// The handshake, or none where the caller speaks HTTP at once and may.
async fn accept(
    mut io: BoxIo,
    identity: &Identity,
    takes_plain: bool,
) -> io::Result<(BoxIo, Peer, Option<Plain>)> {
    if !takes_plain {
        let (io, peer) = identity.accept(io).await?;
        return Ok((io, peer, None));
    }
    let first = io.read_u8().await?;
    let (reading, writing) = tokio::io::split(io);
    let reading = io::Cursor::new([first]).chain(reading);
    let whole: BoxIo = Box::new(tokio::io::join(reading, writing));
    if first != TLS_HANDSHAKE {
        return Ok((whole, Peer::anonymous(), Some(Plain)));
    }
    let (io, peer) = identity.accept(whole).await?;
    Ok((io, peer, None))
}
