//! What the edge is told.

use std::net::{Ipv4Addr, SocketAddr};

/// An address and the length of its prefix.
pub type Range = (Ipv4Addr, u8);

/// Validated by [`Config::validate`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The apiserver, `HOST:PORT`.
    pub server: String,
    /// Where to show health.
    pub health: SocketAddr,
    /// Where load balancers' addresses come from; the first is the Ingress controller's.
    pub load_balancers: Range,
    /// Where NodePorts are answered beside the nodes' own addresses; `None` for nowhere.
    pub node_ports: Option<Ipv4Addr>,
    /// Where the front door is; port 0 for any; `None` for nowhere.
    pub front_door: Option<SocketAddr>,
    /// Where DNS is answered to the host; port 0 for any; `None` for nowhere.
    pub dns: Option<SocketAddr>,
    /// A further address for Ingresses over plain HTTP.
    pub ingress_http: Option<SocketAddr>,
    /// A further address for Ingresses over TLS.
    pub ingress_https: Option<SocketAddr>,
    /// The ranges of pods, which the front door leads to.
    pub pods: Vec<Range>,
}

/// A setting that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Config {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that cannot be.
    pub fn validate(&self) -> Result<(), Error> {
        let (base, prefix) = self.load_balancers;
        if !(8..=30).contains(&prefix) {
            return Err(Error(format!(
                "take load balancers' addresses from {base}/{prefix}: the prefix must be 8 to 30"
            )));
        }
        if let Some((base, prefix)) = self.pods.iter().find(|(_, prefix)| *prefix > 32) {
            return Err(Error(format!(
                "let people in to pods of {base}/{prefix}: that is no range"
            )));
        }
        Ok(())
    }

    /// The Ingress controller's address: the first of the load balancers'.
    #[must_use]
    pub fn ingress(&self) -> Ipv4Addr {
        let (base, prefix) = self.load_balancers;
        Ipv4Addr::from((u32::from(base) & mask(prefix)) + 1)
    }

    /// Whether an address is a pod's.
    #[must_use]
    pub fn is_pod(&self, address: Ipv4Addr) -> bool {
        let within =
            |(base, prefix): &Range| u32::from(*base) & mask(*prefix) == u32::from(address) & mask(*prefix);
        self.pods.iter().any(within)
    }
}

/// The bits of a prefix.
pub(crate) fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}
