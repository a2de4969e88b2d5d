//! A whole apiserver in this process, over pipes in memory: its REST door by HTTP/1.1, its gRPC door by HTTP/2.
//!
//! One for each thread that asks, kept for as long as the thread lives: what inputs leave behind meets what comes after.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use coracle_apiserver::Config;
use coracle_service::{BoxIo, Env, Identity, Listener, Network, Shutdown};
use http::{Method, Request, header::HeaderValue};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::{runtime::Runtime, sync::mpsc};

/// Connections that wait to be accepted.
const MAX_WAITING: usize = 16;
/// What a pipe holds.
const PIPE_BYTES: usize = 1 << 20;
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long an answer may take; watches and logs end by this.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an answer is read that goes on for ever.
const GLANCE: Duration = Duration::from_millis(5);

thread_local! {
    static DOORS: RefCell<Option<Doors>> = const { RefCell::new(None) };
}

/// Asks the apiserver of this thread.
pub fn with_doors<T>(ask: impl FnOnce(&mut Doors) -> T) -> T {
    DOORS.with_borrow_mut(|doors| ask(doors.get_or_insert_with(Doors::open)))
}

/// What the REST door answered.
pub struct Answer {
    /// The HTTP status code.
    pub code: u16,
    /// Whether the body says that it is JSON.
    pub is_json: bool,
    /// The body, or its beginning where it goes on for ever.
    pub body: Vec<u8>,
}

/// A running apiserver and a connection to each of its doors.
pub struct Doors {
    runtime: Runtime,
    pipes: Arc<Pipes>,
    identity: Identity,
    rest: Option<http1::SendRequest<Full<Bytes>>>,
    grpc: Option<http2::SendRequest<Full<Bytes>>>,
}

impl Doors {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("start a runtime: {error}"));
        let identity = Identity::simulated("kubernetes-admin", &["system:masters", "system:authenticated"]);
        let pipes = Arc::new(Pipes::default());
        let env = Env {
            network: Arc::clone(&pipes) as Arc<dyn Network>,
            ..Env::host()
        };
        let _context = runtime.enter();
        let own = identity.clone();
        env.clone().spawn.task("apiserver", async move {
            let outcome = coracle_apiserver::run(Config::in_memory(), env, own, Shutdown::new()).await;
            panic!("the apiserver ended: {outcome:?}");
        });
        drop(_context);
        Self {
            runtime,
            pipes,
            identity,
            rest: None,
            grpc: None,
        }
    }

    async fn dial(pipes: &Pipes, identity: &Identity) -> BoxIo {
        // The server is being started: nothing else goes on in this thread.
        for _ in 0..1_000_000 {
            if let Ok(io) = pipes.dial(None, server()).await {
                let io = identity.connect(io, "apiserver").await;
                return io.unwrap_or_else(|error| panic!("greet the apiserver: {error}"));
            }
            tokio::task::yield_now().await;
        }
        panic!("the apiserver does not listen");
    }

    /// One request to the REST door; `None` where it is none that HTTP can carry.
    ///
    /// # Panics
    /// Where the server hangs up or stays silent.
    pub fn rest(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        let mut request = Request::builder()
            .method(&method)
            .uri(target)
            .header("host", "apiserver");
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).ok()?;
            if ![
                "connection",
                "content-length",
                "transfer-encoding",
                "upgrade",
                "host",
                "expect",
                "te",
            ]
            .contains(&name.to_ascii_lowercase().as_str())
            {
                request = request.header(*name, value);
            }
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).ok()?;
        // The client refuses these by itself.
        if method == Method::CONNECT || !target.starts_with('/') {
            return None;
        }
        let Self {
            runtime,
            pipes,
            identity,
            rest,
            ..
        } = self;
        runtime.block_on(async {
            let mut sender = match rest.take().filter(|sender| !sender.is_closed()) {
                Some(sender) => sender,
                None => {
                    let io = Self::dial(pipes, identity).await;
                    let (sender, connection) = http1::handshake(TokioIo::new(io))
                        .await
                        .unwrap_or_else(|error| panic!("speak HTTP/1.1: {error}"));
                    tokio::spawn(connection);
                    sender
                }
            };
            let answered = async {
                let answer = sender.send_request(request).await;
                let answer =
                    answer.unwrap_or_else(|error| panic!("{method} {target}: the server hung up: {error}"));
                let code = answer.status().as_u16();
                let content_type = answer.headers().get("content-type").cloned();
                let is_json =
                    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
                let is_endless = code < 400 && (target.contains("watch") || target.contains("follow"));
                let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect();
                let body = if is_endless {
                    // What it began with is enough; the connection ends with it.
                    match tokio::time::timeout(GLANCE, body).await {
                        Ok(body) => body,
                        Err(_) => {
                            return (
                                Answer {
                                    code,
                                    is_json,
                                    body: Vec::new(),
                                },
                                false,
                            );
                        }
                    }
                } else {
                    body.await
                };
                let body =
                    body.unwrap_or_else(|error| panic!("{method} {target}: the answer broke off: {error}"));
                (
                    Answer {
                        code,
                        is_json,
                        body: body.to_bytes().to_vec(),
                    },
                    true,
                )
            };
            let answered = tokio::time::timeout(PATIENCE, answered).await;
            let (answer, is_whole) =
                answered.unwrap_or_else(|_| panic!("{method} {target}: no answer in {PATIENCE:?}"));
            if is_whole {
                *rest = Some(sender);
            }
            Some(answer)
        })
    }

    /// One unary call, or the beginning of a stream: its status and message. `None` where HTTP cannot carry it, or the
    /// stream goes on.
    ///
    /// # Panics
    /// Where the server hangs up or stays silent.
    pub fn call(&mut self, path: &str, message: &[u8]) -> Option<(i32, String)> {
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len()).ok()?);
        body.put_slice(message);
        if !path.starts_with('/') {
            return None;
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://apiserver{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(body.freeze()))
            .ok()?;
        let Self {
            runtime,
            pipes,
            identity,
            grpc,
            ..
        } = self;
        runtime.block_on(async {
            let mut sender = match grpc.take().filter(|sender| !sender.is_closed()) {
                Some(sender) => sender,
                None => {
                    let io = Self::dial(pipes, identity).await;
                    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io))
                        .await
                        .unwrap_or_else(|error| panic!("speak HTTP/2: {error}"));
                    tokio::spawn(connection);
                    sender
                }
            };
            let answered = async {
                let answer = sender.send_request(request).await;
                let answer = answer.unwrap_or_else(|error| panic!("{path}: the server hung up: {error}"));
                let head = answer.headers().clone();
                let collected = answer.into_body().collect();
                let collected =
                    if path.contains("Watch") || path.contains("Reflection") || path.contains("Health") {
                        tokio::time::timeout(GLANCE, collected).await.ok()?
                    } else {
                        collected.await
                    };
                let collected =
                    collected.unwrap_or_else(|error| panic!("{path}: the answer broke off: {error}"));
                let trailers = collected.trailers().cloned().unwrap_or_default();
                let text = |name: &str| {
                    let value = trailers.get(name).or_else(|| head.get(name));
                    value.map(|value| String::from_utf8_lossy(value.as_bytes()).replace("%20", " "))
                };
                let code = text("grpc-status")
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(-1);
                Some((code, text("grpc-message").unwrap_or_default()))
            };
            let outcome = tokio::time::timeout(PATIENCE, answered).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("{path}: no answer in {PATIENCE:?}"));
            *grpc = Some(sender);
            outcome
        })
    }
}

/// Where the apiserver says that it is.
fn server() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 6443))
}

/// A network of one machine, in memory: whoever listens is dialed, whatever the address.
#[derive(Default)]
struct Pipes {
    listener: Mutex<Option<mpsc::Sender<BoxIo>>>,
}

#[async_trait]
impl Network for Pipes {
    async fn listen(&self, _any: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        *self.listener.lock() = Some(sender);
        Ok(Box::new(End { receiver }))
    }

    async fn dial(&self, _from: Option<IpAddr>, _to: SocketAddr) -> io::Result<BoxIo> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = self.listener.lock().clone().ok_or_else(refused)?;
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        listener.send(Box::new(far)).await.map_err(|_| refused())?;
        Ok(Box::new(near))
    }

    async fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{authority} is not known here"),
        ))
    }
}

struct End {
    receiver: mpsc::Receiver<BoxIo>,
}

#[async_trait]
impl Listener for End {
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)> {
        match self.receiver.recv().await {
            Some(io) => Ok((io, SocketAddr::from(([127, 0, 0, 1], 1)))),
            None => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(server())
    }
}
