//! The listening side of a program that serves: its listeners, its connections, and how they end.
//!
//! Promises: a container either listens on all its ports or fails to start; at most [`MAX_CONNECTIONS`] at a time are
//! answered, further ones wait; a drained container closes no idle connection before it stopped accepting.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
pub use coracle_proxy::connect::UNPRIVILEGED_OFFSET;
use coracle_service::{BoxIo, Env, Listener, Shutdown};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::task::TaskTracker;

/// Connections that one container answers at a time.
pub const MAX_CONNECTIONS: usize = 1_024;
/// How long to wait after the system refused a connection (mostly: no file descriptors left).
const ACCEPT_RETRY: Duration = Duration::from_millis(10);
/// How long requests under way get after a container stopped accepting, within its grace period.
const FINISH: Duration = Duration::from_secs(2);

/// Answers one connection after another.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Answers a connection until either side closes it.
    async fn connection(&self, io: BoxIo, from: SocketAddr, session: Session);

    /// The CPU that it is said to spend on answers, in billionths of a core.
    fn nanocores(&self) -> i64 {
        0
    }
}

/// What a connection's handler needs to know of the container's end.
#[derive(Clone)]
pub struct Session {
    serving: Arc<Serving>,
}

impl Session {
    /// Whether the container was told to end, so that answers should say `Connection: close`.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.serving.draining.load(Ordering::Relaxed)
    }

    /// Waits until no further request should be taken on the connection.
    pub async fn closing(&self) {
        self.serving.closed.wait().await;
    }
}

/// A container's listeners and connections.
pub struct Serving {
    origin: Instant,
    last_connection_ns: AtomicU64,
    draining: AtomicBool,
    /// No further connections; those that are idle close.
    closed: Shutdown,
    /// Connections end in the middle.
    killed: Shutdown,
    connections: TaskTracker,
    slots: Arc<Semaphore>,
}

/// How a terminating container goes on accepting.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Until no connection arrived for this long.
    pub quiet: Duration,
    /// At least this long.
    pub min: Duration,
}

/// Why a container cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("bind() to {address} failed")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// The listeners of a container that is about to serve.
pub struct Bound {
    listeners: Vec<Box<dyn Listener>>,
    /// Whether a port was moved up by [`UNPRIVILEGED_OFFSET`].
    pub moved: bool,
}

/// Listens on `ports` of `ip`.
///
/// # Errors
/// [`ListenError`] for the first port that cannot be had; none is kept then.
pub async fn bind(env: &Env, ip: Ipv4Addr, ports: &[u16]) -> Result<Bound, ListenError> {
    let mut bound = Bound {
        listeners: Vec::with_capacity(ports.len()),
        moved: false,
    };
    for &port in ports {
        let address = SocketAddr::new(IpAddr::V4(ip), port);
        let listener = match env.network.listen(address).await {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && port < 1_024 => {
                bound.moved = true;
                env.network
                    .listen(SocketAddr::new(IpAddr::V4(ip), port + UNPRIVILEGED_OFFSET))
                    .await
            }
            outcome => outcome,
        };
        bound
            .listeners
            .push(listener.map_err(|source| ListenError { address, source })?);
    }
    Ok(bound)
}

impl Serving {
    /// Starts to accept, a task per listener, until it is told to end or the process is.
    pub fn start(bound: Bound, service: &Arc<dyn Service>, env: &Env, shutdown: &Shutdown) -> Arc<Self> {
        let serving = Arc::new(Self {
            origin: env.cluster_clock.monotonic(),
            last_connection_ns: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            closed: shutdown.child(),
            killed: shutdown.child(),
            connections: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        });
        for listener in bound.listeners {
            let accept = Arc::clone(&serving).accept(listener, Arc::clone(service), env.clone());
            env.spawn.task("pod port", accept);
        }
        serving
    }

    async fn accept(self: Arc<Self>, mut listener: Box<dyn Listener>, service: Arc<dyn Service>, env: Env) {
        let next = async |listener: &mut Box<dyn Listener>| {
            // The semaphore is never closed, so a permit always comes.
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        while let Some((slot, accepted)) = self.closed.guard(next(&mut listener)).await {
            let (io, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "accept pod connection");
                    env.transport_clock.sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let elapsed = env.cluster_clock.monotonic() - self.origin;
            self.last_connection_ns.store(
                u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
                Ordering::Relaxed,
            );
            let (serving, service) = (Arc::clone(&self), Arc::clone(&service));
            let connection = self.connections.track_future(async move {
                let session = Session {
                    serving: Arc::clone(&serving),
                };
                serving.killed.guard(service.connection(io, from, session)).await;
                drop(slot);
            });
            env.spawn.task("pod connection", connection);
        }
    }

    /// Ends gracefully: goes on accepting as `drain` says, then lets requests under way finish, all before `deadline`.
    pub async fn drain(&self, drain: Drain, deadline: Instant, env: &Env) {
        let clock = &env.cluster_clock;
        self.draining.store(true, Ordering::Relaxed);
        let start = clock.monotonic();
        loop {
            let last = self.origin + Duration::from_nanos(self.last_connection_ns.load(Ordering::Relaxed));
            let until = (start + drain.min).max(last + drain.quiet).min(deadline);
            if clock.monotonic() >= until {
                break;
            }
            clock.sleep_until(until).await;
        }
        self.closed.trigger();
        self.connections.close();
        let left = deadline.saturating_duration_since(clock.monotonic()).min(FINISH);
        let _ = clock.timeout(left, self.connections.wait()).await;
        self.killed.trigger();
    }

    /// Ends at once.
    pub fn kill(&self) {
        self.closed.trigger();
        self.killed.trigger();
    }
}
