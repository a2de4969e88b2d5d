//! Client channels over the injected network: HTTP/2 with the windows, keepalive and deadlines that gRPC streams
//! need.
//!
//! A channel dials when it is first used and again whenever its connection broke, resolving the name each time, so
//! that a server that came back elsewhere is found.

use std::{io, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::{BoxIo, Clock, Env, Identity, network::dial_authority};

/// Flow-control windows. The connection's must hold every stream's, or unread watches starve the others.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;
/// How often an HTTP/2 connection is pinged, and how long the answer may take: a frozen peer is noticed in 15 s.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// For dialing and the handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel to `authority` (`host:port`), whose certificate must name the host.
///
/// # Errors
/// A text naming `authority` where it is not of that form.
pub fn channel(authority: &str, env: &Env, identity: &Identity) -> Result<Channel, String> {
    let uri: Uri = format!("http://{authority}")
        .parse()
        .map_err(|error| format!("read server address {authority:?} as HOST:PORT: {error}"))?;
    let host = uri.host().unwrap_or_default().to_owned();
    if host.is_empty() || uri.port().is_none() {
        return Err(format!("read server address {authority:?}: it must be HOST:PORT"));
    }
    let endpoint = Endpoint::from(uri)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let target: Arc<(String, String)> = Arc::new((authority.to_owned(), host));
    let (env, identity) = (env.clone(), identity.clone());
    Ok(endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
        let (target, env, identity) = (Arc::clone(&target), env.clone(), identity.clone());
        async move {
            connect(&target.0, &target.1, &env, &identity)
                .await
                .map(TokioIo::new)
        }
    })))
}

/// Dials `authority` and proves `identity` on the connection; `server_name` must be in the other's certificate.
///
/// # Errors
/// The network's, the handshake's, or [`io::ErrorKind::TimedOut`] after five seconds.
pub async fn connect(
    authority: &str,
    server_name: &str,
    env: &Env,
    identity: &Identity,
) -> io::Result<BoxIo> {
    bounded(&env.transport_clock, async {
        let io = dial_authority(&*env.network, authority).await?;
        // An IPv6 host stands in brackets in an authority, and without them in a certificate.
        identity.connect(io, server_name.trim_matches(['[', ']'])).await
    })
    .await
}

async fn bounded(clock: &Clock, dial: impl Future<Output = io::Result<BoxIo>>) -> io::Result<BoxIo> {
    clock.timeout(CONNECT_TIMEOUT, dial).await.unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server did not answer in 5 s",
        ))
    })
}
