//! Calls to webhooks: HTTP/1.1 over TLS, with a few connections kept open for each.
//!
//! TLS is 1.3 alone, and a server must be certified by the webhook's own `caBundle`: there are no other authorities
//! here. A connection that the server closed while it lay idle is replaced once, without the caller's notice.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use coracle_service::{BoxIo, Env, Identity, connect};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

/// Connections kept open to one server; more are closed after use.
const MAX_IDLE: usize = 8;
/// Servers that connections are kept to; beyond it all are dropped and dialed anew when needed.
const MAX_SERVERS: usize = 64;
/// The largest answer that is read, as the limit of request bodies.
const MAX_ANSWER_BYTES: usize = 3 << 20;

/// The way to webhooks that are named by Service.
#[async_trait]
pub trait Backends: Send + Sync {
    /// Opens a connection to a ready endpoint of a Service.
    ///
    /// # Errors
    /// Where there is none, or it cannot be reached; the text is shown to the client.
    async fn dial(&self, namespace: &str, name: &str, port: i32) -> io::Result<BoxIo>;
}

/// No Service can be reached: for tests, and for a server that stands alone.
#[derive(Clone, Copy, Debug)]
pub struct NoBackends;

#[async_trait]
impl Backends for NoBackends {
    async fn dial(&self, namespace: &str, name: &str, _port: i32) -> io::Result<BoxIo> {
        Err(io::Error::other(format!(
            "no endpoints available for service \"{name}.{namespace}\""
        )))
    }
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    /// `host:port` of a URL, or `None` for a Service.
    pub authority: Option<String>,
    /// Namespace, name and port of a Service.
    pub service: Option<(String, String, i32)>,
    /// What the server's certificate must name.
    pub server_name: String,
    /// With the query, where there is one.
    pub path: String,
    /// The authorities that the server's certificate is checked against; PEM.
    pub ca_pem: String,
}

impl Endpoint {
    /// The address as error messages show it.
    pub fn url(&self, timeout: Duration) -> String {
        let authority = match (&self.authority, &self.service) {
            (Some(authority), _) => authority.clone(),
            (None, Some((namespace, name, port))) => format!("{name}.{namespace}.svc:{port}"),
            (None, None) => String::new(),
        };
        format!("https://{authority}{}", self.path_with(timeout))
    }

    fn path_with(&self, timeout: Duration) -> String {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{sign}timeout={}s", self.path, timeout.as_secs())
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// Calls webhooks and keeps connections to them.
pub(crate) struct Client {
    env: Env,
    backends: Arc<dyn Backends>,
    idle: Mutex<BTreeMap<Endpoint, Vec<Sender>>>,
}

impl Client {
    pub fn new(env: &Env, backends: Arc<dyn Backends>) -> Self {
        Self {
            env: env.clone(),
            backends,
            idle: Mutex::default(),
        }
    }

    /// Posts `body` and returns the answer's.
    ///
    /// # Errors
    /// What went wrong, in the words that upstream's clients know.
    pub async fn post(&self, endpoint: &Endpoint, timeout: Duration, body: Bytes) -> Result<Bytes, String> {
        let call = self.exchange(endpoint, timeout, body);
        let outcome = match self.env.transport_clock.timeout(timeout, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Transport("context deadline exceeded".to_owned())),
        };
        outcome.map_err(|failure| match failure {
            Failure::Transport(why) => format!("Post \"{}\": {why}", endpoint.url(timeout)),
            Failure::Status(why) => why,
        })
    }

    async fn exchange(&self, endpoint: &Endpoint, timeout: Duration, body: Bytes) -> Result<Bytes, Failure> {
        let path = endpoint.path_with(timeout);
        if let Some(mut sender) = self.take_idle(endpoint)
            && sender.ready().await.is_ok()
        {
            match self.send(&mut sender, endpoint, &path, body.clone()).await {
                // The server may have closed the connection before it saw the request.
                Err(Failure::Transport(_)) => {}
                outcome => {
                    self.keep(endpoint, sender);
                    return outcome;
                }
            }
        }
        let mut sender = self.connect(endpoint).await?;
        let answer = self.send(&mut sender, endpoint, &path, body).await?;
        self.keep(endpoint, sender);
        Ok(answer)
    }

    async fn send(
        &self,
        sender: &mut Sender,
        endpoint: &Endpoint,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let host = endpoint.authority.as_deref().unwrap_or(&endpoint.server_name);
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", host)
            .header("content-type", "application/json")
            .header("accept", "application/json, */*")
            .header("user-agent", "kube-apiserver-admission")
            .body(Full::new(body))
            .map_err(|error| Failure::Transport(error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(Failure::transport)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| Failure::Transport(error.to_string()))?
            .to_bytes();
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND => Err(Failure::Status(
                "the server could not find the requested resource".to_owned(),
            )),
            _ => Err(Failure::Status(format!(
                "an error on the server ({:?}) has prevented the request from succeeding",
                String::from_utf8_lossy(body.get(..512).unwrap_or(&body)).trim()
            ))),
        }
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Sender, Failure> {
        let identity = Identity::anonymous(&endpoint.ca_pem)
            .map_err(|error| Failure::Transport(format!("unable to load root certificates: {error}")))?
            .http1();
        let io = match (&endpoint.authority, &endpoint.service) {
            (Some(authority), _) => connect::connect(authority, &endpoint.server_name, &self.env, &identity)
                .await
                .map_err(|error| Failure::dial(authority, &error))?,
            (None, Some((namespace, name, port))) => {
                let io = self
                    .backends
                    .dial(namespace, name, *port)
                    .await
                    .map_err(|error| Failure::Transport(error.to_string()))?;
                identity
                    .connect(io, &endpoint.server_name)
                    .await
                    .map_err(|error| Failure::dial(&endpoint.server_name, &error))?
            }
            (None, None) => return Err(Failure::Transport("the webhook has no address".to_owned())),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(Failure::transport)?;
        self.env.spawn.task("webhook-connection", async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn take_idle(&self, endpoint: &Endpoint) -> Option<Sender> {
        self.idle.lock().get_mut(endpoint)?.pop()
    }

    fn keep(&self, endpoint: &Endpoint, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.len() >= MAX_SERVERS && !idle.contains_key(endpoint) {
            idle.clear();
        }
        let senders = idle.entry(endpoint.clone()).or_default();
        if senders.len() < MAX_IDLE {
            senders.push(sender);
        }
    }
}

enum Failure {
    /// No answer.
    Transport(String),
    /// An answer that says no.
    Status(String),
}

impl Failure {
    fn transport(error: hyper::Error) -> Self {
        Self::Transport(if error.is_incomplete_message() || error.is_canceled() {
            "EOF".to_owned()
        } else {
            error.to_string()
        })
    }

    fn dial(authority: &str, error: &io::Error) -> Self {
        let text = error.to_string();
        Self::Transport(match error.kind() {
            io::ErrorKind::ConnectionRefused => format!("dial tcp {authority}: connect: connection refused"),
            io::ErrorKind::TimedOut => "context deadline exceeded".to_owned(),
            _ if text.contains("UnknownIssuer") => {
                "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned()
            }
            _ => text,
        })
    }
}
