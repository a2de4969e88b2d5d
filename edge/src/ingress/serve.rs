//! Serving: accepts connections, asks the router, sends each request to an endpoint and its answer back.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use coracle_proxy::{
    Origin, Protocol,
    connect::{MAX_TRIES, TRY_TIMEOUT},
    dial,
    forward::after_accept_error,
    table::{PortRoute, Route},
};
use coracle_runtime::Key;
use coracle_service::{BoxIo, Clock, Listener};
use futures::future::BoxFuture;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
    request::Parts,
};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    body::{Body as _, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::{
    Front,
    pool::{self, Body, Sent},
    tls,
    view::{Backend, PortRef},
};

/// Connections of one port at a time; further ones wait.
const MAX_CONNECTIONS: usize = 8_192;
/// How long a client may take to send a request's head, and to agree on TLS.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long requests under way get once the edge ends.
const FINISH: Duration = Duration::from_secs(5);

/// Headers that are for the next hop alone (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Accepts connections until shutdown.
pub(super) async fn accept(mut listener: Box<dyn Listener>, secure: bool, front: Arc<Front>) {
    let acceptor = match secure
        .then(|| tls::server(Arc::clone(&front.certificates)))
        .transpose()
    {
        Ok(config) => config.map(|config| TlsAcceptor::from(Arc::new(config))),
        Err(error) => return tracing::error!(error, "speak TLS"),
    };
    let (env, shutdown) = (front.shared.env.clone(), front.shared.shutdown.clone());
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let work = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let (io, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    after_accept_error(&error, &env).await;
                    continue;
                }
            };
            let (front, acceptor, clock) =
                (Arc::clone(&front), acceptor.clone(), env.transport_clock.clone());
            env.spawn.task("ingress connection", async move {
                if let Some(io) = agree(io, acceptor, &clock).await {
                    connection(io, Client { from, secure }, front).await;
                }
                drop(slot);
            });
        }
    };
    shutdown.guard(work).await;
}

/// Speaks TLS where it is wanted; `None` where the client does not.
fn agree(io: BoxIo, acceptor: Option<TlsAcceptor>, clock: &Clock) -> BoxFuture<'_, Option<BoxIo>> {
    Box::pin(async move {
        let Some(acceptor) = acceptor else { return Some(io) };
        let stream = clock.timeout(PATIENCE, acceptor.accept(io)).await.ok()?.ok()?;
        let stream: BoxIo = Box::new(stream);
        Some(stream)
    })
}

/// Who asks.
#[derive(Clone, Copy)]
struct Client {
    from: SocketAddr,
    secure: bool,
}

async fn answered(
    front: Arc<Front>,
    request: Request<Incoming>,
    client: Client,
) -> Result<Response<Body>, Infallible> {
    Ok(front.answer(request, client).await)
}

async fn connection(io: BoxIo, client: Client, front: Arc<Front>) {
    let (shutdown, clock) = (
        front.shared.shutdown.clone(),
        front.shared.env.transport_clock.clone(),
    );
    let service = service_fn(move |request: Request<Incoming>| {
        let front = Arc::clone(&front);
        // Boxed, so that a connection's type does not hold that of everything a request may do.
        let answer: BoxFuture<'static, Result<Response<Body>, Infallible>> =
            Box::pin(answered(front, request, client));
        answer
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .half_close(true);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(io), service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = shutdown.wait() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                outcome = connection.as_mut() => outcome,
                () = clock.sleep(FINISH) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::trace!(%error, "ingress connection ended");
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(format!("{text}\n"))).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

impl Front {
    /// Answers one request.
    async fn answer(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        let host = host_of(&request);
        let router = self.router.load_full();
        let Some(backend) = router.find(&host, request.uri().path()) else {
            return plain(StatusCode::NOT_FOUND, "default backend - 404");
        };
        let Some((route, port)) = self.target(backend) else {
            return plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "503 Service Temporarily Unavailable",
            );
        };
        let upgrade = request.headers().get(header::UPGRADE).cloned();
        if let Some(upgrade) = upgrade.filter(|_| request.version() < Version::HTTP_2) {
            return self
                .upgrade(request, upgrade, &host, client, (&route, &port))
                .await;
        }
        let (parts, body) = request.into_parts();
        let outgoing = outgoing(&parts, &host, client);
        // What has no body and changes nothing may be sent again.
        let repeatable = (body.is_end_stream() && parts.method.is_idempotent()).then(|| outgoing.clone());
        let request = with_body(outgoing, body.boxed());
        self.forward(request, repeatable, client, (&route, &port)).await
    }

    /// Where a backend leads.
    fn target(&self, backend: &Backend) -> Option<(Arc<Route>, Arc<PortRoute>)> {
        let route = self
            .shared
            .connector
            .table()
            .route(&Key::new(&backend.namespace, &backend.service))?;
        let port = match &backend.port {
            PortRef::Number(number) => route.port(*number, Protocol::Tcp)?,
            PortRef::Name(name) => route.named(name, Protocol::Tcp)?,
        };
        let port = Arc::clone(port);
        Some((route, port))
    }

    /// Sends a request to one endpoint after another until one answers.
    async fn forward(
        &self,
        mut request: Request<Body>,
        repeatable: Option<Head>,
        client: Client,
        (route, port): (&Route, &PortRoute),
    ) -> Response<Body> {
        let env = &self.shared.env;
        let chosen = self.shared.connector.choose(route, port, &origin(client));
        let chosen = chosen.into_iter().take(MAX_TRIES);
        let chosen: Vec<SocketAddrV4> = chosen.map(|own| SocketAddrV4::new(own.ip, own.port)).collect();
        for endpoint in chosen {
            // Kept connections may all have died with their server; the last try is a new one.
            loop {
                let kept = self.pool.take(endpoint, env.transport_clock.monotonic());
                let is_new = kept.is_none();
                let sender = match kept {
                    Some(sender) => Some(sender),
                    None => self.connect(endpoint).await,
                };
                let Some(mut sender) = sender else { break };
                match pool::send(&mut sender, request).await {
                    Sent::Answered(response) => {
                        self.keep(endpoint, sender);
                        return incoming(response);
                    }
                    Sent::Unsent(unsent) => request = *unsent,
                    Sent::Lost(error) => {
                        tracing::debug!(%endpoint, %error, "no answer from endpoint");
                        let Some(head) = &repeatable else {
                            return plain(StatusCode::BAD_GATEWAY, "502 Bad Gateway");
                        };
                        request = with_body(head.clone(), empty());
                    }
                }
                if is_new {
                    break;
                }
            }
        }
        plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "503 Service Temporarily Unavailable",
        )
    }

    async fn connect(&self, endpoint: SocketAddrV4) -> Option<hyper::client::conn::http1::SendRequest<Body>> {
        let env = &self.shared.env;
        let dialing = dial(env, None, *endpoint.ip(), endpoint.port());
        let io = env
            .transport_clock
            .timeout(TRY_TIMEOUT, dialing)
            .await
            .ok()?
            .ok()?;
        pool::handshake(io, env).await.ok()
    }

    /// Keeps a connection once its answer has been read.
    fn keep(&self, endpoint: SocketAddrV4, mut sender: hyper::client::conn::http1::SendRequest<Body>) {
        let (env, pool) = (self.shared.env.clone(), Arc::clone(&self.pool));
        self.shared.env.spawn.task("ingress keep", async move {
            if sender.ready().await.is_ok() {
                pool.put(endpoint, sender, env.transport_clock.monotonic());
            }
        });
    }

    /// Carries on what is no longer HTTP, for example a WebSocket, over a connection of its own.
    async fn upgrade(
        &self,
        mut request: Request<Incoming>,
        upgrade: HeaderValue,
        host: &str,
        client: Client,
        (route, port): (&Route, &PortRoute),
    ) -> Response<Body> {
        let unavailable = || {
            plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "503 Service Temporarily Unavailable",
            )
        };
        let connecting = self
            .shared
            .connector
            .connect_port(route, port, &origin(client))
            .await;
        let Ok((io, _)) = connecting else {
            return unavailable();
        };
        let Ok(mut sender) = pool::handshake(io, &self.shared.env).await else {
            return unavailable();
        };
        let theirs = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let mut head = outgoing(&parts, host, client);
        head.headers
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, upgrade);
        let Sent::Answered(mut response) = pool::send(&mut sender, with_body(head, body.boxed())).await
        else {
            return plain(StatusCode::BAD_GATEWAY, "502 Bad Gateway");
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return incoming(response);
        }
        let ours = hyper::upgrade::on(&mut response);
        self.shared.env.spawn.task("ingress upgrade", async move {
            if let (Ok(theirs), Ok(ours)) = (theirs.await, ours.await) {
                let (mut theirs, mut ours) = (TokioIo::new(theirs), TokioIo::new(ours));
                // Whoever ends first, the other has seen what there was.
                let _ = tokio::io::copy_bidirectional(&mut theirs, &mut ours).await;
            }
            drop(sender);
        });
        response.map(BodyExt::boxed)
    }
}

fn origin(client: Client) -> Origin<'static> {
    Origin {
        client: Some(client.from.ip()),
        external: true,
        ..Origin::default()
    }
}

/// The host that a request is for, without its port.
fn host_of(request: &Request<Incoming>) -> String {
    let named = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = request
        .uri()
        .authority()
        .map(http::uri::Authority::as_str)
        .or(named)
        .unwrap_or_default();
    match authority.parse::<http::uri::Authority>() {
        Ok(authority) => authority.host().to_owned(),
        Err(_) => String::new(),
    }
}

/// A request's head as an endpoint sees it.
#[derive(Clone)]
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

fn outgoing(parts: &Parts, host: &str, client: Client) -> Head {
    let mut headers = parts.headers.clone();
    remove_hop_by_hop(&mut headers);
    let from = match client.from.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.to_string(),
    };
    let scheme = if client.secure { "https" } else { "http" };
    let host_header = headers.get(header::HOST).cloned();
    let full = host_header.or_else(|| HeaderValue::from_str(host).ok());
    for (name, value) in [
        ("x-real-ip", HeaderValue::from_str(&from).ok()),
        ("x-forwarded-for", HeaderValue::from_str(&from).ok()),
        ("x-forwarded-proto", Some(HeaderValue::from_static(scheme))),
        ("x-forwarded-host", full.clone()),
        ("host", full),
    ] {
        if let Some(value) = value {
            // Replaced, not appended: what a client says of itself is not to be believed.
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    Head {
        method: parts.method.clone(),
        uri: path.parse().unwrap_or_default(),
        headers,
    }
}

fn with_body(head: Head, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.headers_mut() = head.headers;
    request
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// An endpoint's answer as the client sees it.
fn incoming(mut response: Response<Incoming>) -> Response<Body> {
    remove_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    response.map(BodyExt::boxed)
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}
