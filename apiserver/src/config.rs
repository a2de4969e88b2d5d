//! What an apiserver can be told. Parsing flags is left to the command line.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use coracle_auth::Mode;
use coracle_service::{pki::Authority, serve::Limits};
use coracle_store::HistoryLimits;

use crate::auth::{AuditSettings, InFlight};

/// The configuration of one apiserver, validated.
#[derive(Clone)]
pub struct Config {
    /// Where the store and the keys are; `None` keeps everything in memory and loses it at the end.
    pub data_dir: Option<PathBuf>,
    /// Where both doors listen; port 0 for any.
    pub listen: SocketAddr,
    /// Where cluster addresses of Services come from.
    pub service_cidr: (Ipv4Addr, u8),
    /// Who certifies members that join; `None` lets nobody join.
    pub authority: Option<Arc<Authority>>,
    /// What lets a process join.
    pub bootstrap_tokens: Vec<BootstrapToken>,
    /// How much history the store keeps for watches and for reads in the past.
    pub history: HistoryLimits,
    /// How long Events are kept, and how many.
    pub events: EventRetention,
    /// What callers are granted.
    pub limits: Limits,
    /// Who decides what callers may do, in this order.
    pub authorization: Vec<Mode>,
    /// How many requests may be under way.
    pub in_flight: InFlight,
    /// Seal Secrets with a new key from this start on, and those that exist anew; with a data directory.
    pub new_seal_key: bool,
    /// What is kept of requests; `None` keeps nothing.
    pub audit: Option<AuditSettings>,
}

/// A shared secret that lets a process join, `ID.SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    /// Public part.
    pub id: String,
    /// Secret part.
    pub secret: String,
}

impl std::fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BootstrapToken({})", self.id)
    }
}

/// What the sweeper leaves of the Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRetention {
    /// Older ones are removed.
    pub age: Duration,
    /// Beyond this many, the oldest are removed.
    pub count: usize,
    /// How often the sweeper looks.
    pub interval: Duration,
}

impl Default for EventRetention {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(3_600),
            count: 20_000,
            interval: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// The defaults: in memory, on any port of 127.0.0.1, nobody can join.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            data_dir: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            service_cidr: (Ipv4Addr::new(10, 96, 0, 0), 16),
            authority: None,
            bootstrap_tokens: Vec::new(),
            history: HistoryLimits::default(),
            events: EventRetention::default(),
            limits: Limits::default(),
            authorization: vec![Mode::Node, Mode::Rbac],
            in_flight: InFlight::default(),
            new_seal_key: false,
            audit: None,
        }
    }
}
