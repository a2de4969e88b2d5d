//! What every Coracle process needs once: clocks, network, randomness, tasks, TLS identity, serving, health and
//! logging.
//!
//! Nothing here knows of Kubernetes. A component receives an [`Env`], an [`Identity`] and a [`Shutdown`] and reaches
//! for nothing else, which is what lets the same component run as a process, in a container, or inside one
//! deterministic simulation.

pub mod announce;
pub mod clock;
pub mod connect;
pub mod health;
pub mod identity;
pub mod logging;
pub mod network;
pub mod pki;
pub mod random;
pub mod serve;
pub mod shutdown;
pub mod spawn;

pub use clock::Clock;
pub use health::Health;
pub use identity::{Identity, Peer};
pub use network::{BoxIo, Datagram, Io, Listener, Network};
pub use random::Random;
pub use shutdown::Shutdown;
pub use spawn::Spawn;

use std::sync::Arc;

/// Everything a component may touch outside itself.
#[derive(Clone)]
pub struct Env {
    /// Binds and dials; see [`network`] for the implementations.
    pub network: Arc<dyn Network>,
    /// Time-outs, keepalive and reconnects. Runs on while the cluster's clock is paused.
    pub transport_clock: Clock,
    /// Leases, back-off and the times written into objects.
    pub cluster_clock: Clock,
    /// Names, jitter and keys.
    pub random: Random,
    /// Tasks, blocking work and threads.
    pub spawn: Spawn,
}

impl Env {
    /// The real machine: the host's network, system time, the system's randomness, tokio's tasks.
    #[must_use]
    pub fn host() -> Self {
        Self {
            network: Arc::new(network::HostNetwork),
            transport_clock: Clock::system(),
            cluster_clock: Clock::system(),
            random: Random::system(),
            spawn: Spawn::threads(),
        }
    }
}
