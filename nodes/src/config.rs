//! What a node process is told: where the apiserver is, which nodes it plays, and at what pace.
//!
//! Plain values, checked once by [`Config::validate`]; turning command-line flags into them is the command's.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

/// The most nodes that one process plays.
pub const MAX_NODES: u32 = 1_000;

/// The settings of a node process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The apiserver, `HOST:PORT`.
    pub server: String,
    /// The node's name; of a pool, the prefix that nodes are numbered under (`NAME-1`, `NAME-2`, ...).
    pub name: String,
    /// The number of a pool's first node.
    pub first: u32,
    /// How many nodes this process plays. With more than one it is a pool.
    pub count: u32,
    /// Pod addresses, restart counts, logs and emptyDirs; kept when the process dies.
    pub data_dir: PathBuf,
    /// The node's address; a pool counts up from it.
    pub node_ip: Ipv4Addr,
    /// Where each node serves logs and dials, on its own address; 0 takes a free port.
    pub port: u16,
    /// Where a volume's server `storage` really is, `HOST:PORT`.
    pub storage: Option<String>,
    /// How pod addresses become reachable.
    pub addressing: Addressing,
    /// What each node claims to have.
    pub capacity: Capacity,
    /// The pace.
    pub timings: Timings,
    /// What becomes of images outside the catalog.
    pub public_images: PublicImages,
}

/// How pod addresses become reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Pod addresses are loopback addresses: nothing to be done.
    Loopback,
    /// The node adds a `local` route for its pods and one per other node; needs CAP_NET_ADMIN.
    Routed,
}

/// What becomes of images outside the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicImages {
    /// They run as an idle program, and an event says so.
    Idle,
    /// They cannot be pulled.
    Deny,
}

/// What a node claims to have, as Kubernetes quantities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Cores, for example `8` or `500m`.
    pub cpu: String,
    /// Bytes, for example `16Gi`.
    pub memory: String,
    /// Pods at a time.
    pub pods: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            cpu: "8".to_owned(),
            memory: "16Gi".to_owned(),
            pods: 110,
        }
    }
}

/// The pace of a node; the defaults are Kubernetes' own.
#[derive(Clone, Debug)]
pub struct Timings {
    /// For how long a node counts as alive after its last sign of life; `spec.leaseDurationSeconds`.
    pub lease_duration: Duration,
    /// How often a node renews its lease.
    pub lease_renew: Duration,
    /// How often an unchanged node status is written.
    pub status: Duration,
    /// The wait before a container's second restart (the first is at once), and before an image is pulled again.
    pub backoff_initial: Duration,
    /// The most that these waits double to.
    pub backoff_max: Duration,
    /// A terminating endpoint closes when no connection arrived for this long.
    pub drain_quiet: Duration,
    /// The least that a terminating endpoint keeps accepting.
    pub drain_min: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(40),
            lease_renew: Duration::from_secs(10),
            status: Duration::from_secs(300),
            backoff_initial: Duration::from_secs(10),
            backoff_max: Duration::from_secs(300),
            drain_quiet: Duration::from_millis(500),
            drain_min: Duration::from_secs(1),
        }
    }
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not a DNS name.
    #[error("name a node {0:?}: it must be a lowercase DNS name")]
    Name(String),
    /// Too few or too many nodes.
    #[error("play {0} nodes: a process plays 1 to {MAX_NODES}")]
    Count(u32),
    /// The pool's last address is past the end of its range.
    #[error("give {count} nodes addresses from {first} on: they run past the end")]
    Addresses {
        /// The first address.
        first: Ipv4Addr,
        /// How many are needed.
        count: u32,
    },
    /// A wait of no length.
    #[error(
        "renew leases every {renew:?} with a duration of {duration:?}: the renewal must be shorter and not zero"
    )]
    Lease {
        /// The interval.
        renew: Duration,
        /// The lease's duration.
        duration: Duration,
    },
}

impl Config {
    /// One node with defaults for everything that has one.
    #[must_use]
    pub fn new(server: &str, name: &str, data_dir: PathBuf, node_ip: Ipv4Addr) -> Self {
        Self {
            server: server.to_owned(),
            name: name.to_owned(),
            first: 1,
            count: 1,
            data_dir,
            node_ip,
            port: 10250,
            storage: None,
            addressing: Addressing::Loopback,
            capacity: Capacity::default(),
            timings: Timings::default(),
            public_images: PublicImages::Idle,
        }
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that cannot be.
    pub fn validate(&self) -> Result<(), Error> {
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let name = &self.name;
        // Ten bytes are left for a pool's numbers.
        if name.len() > 243
            || !name.chars().all(label)
            || !edge(name.chars().next())
            || !edge(name.chars().last())
        {
            return Err(Error::Name(name.clone()));
        }
        if self.count == 0 || self.count > MAX_NODES {
            return Err(Error::Count(self.count));
        }
        if self.node_ip.to_bits().checked_add(self.count - 1).is_none()
            || self.first.checked_add(self.count).is_none()
        {
            return Err(Error::Addresses {
                first: self.node_ip,
                count: self.count,
            });
        }
        let Timings {
            lease_duration,
            lease_renew,
            ..
        } = self.timings;
        if lease_renew.is_zero() || lease_renew >= lease_duration {
            return Err(Error::Lease {
                renew: lease_renew,
                duration: lease_duration,
            });
        }
        Ok(())
    }

    /// The nodes to play, with their addresses.
    #[must_use]
    pub fn nodes(&self) -> Vec<(String, Ipv4Addr)> {
        let name = |index: u32| match self.count {
            1 => self.name.clone(),
            _ => format!("{}-{}", self.name, self.first + index),
        };
        (0..self.count)
            .map(|index| (name(index), Ipv4Addr::from_bits(self.node_ip.to_bits() + index)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(
            "127.0.0.1:6443",
            "node-1",
            PathBuf::from("data"),
            Ipv4Addr::new(127, 16, 0, 255),
        )
    }

    #[test]
    fn a_pool_counts_names_and_addresses_up() {
        let pool = Config {
            count: 2,
            first: 101,
            name: "node".to_owned(),
            ..config()
        };
        assert_eq!(pool.validate(), Ok(()));
        let expected = [("node-101", [127, 16, 0, 255]), ("node-102", [127, 16, 1, 0])];
        assert_eq!(
            pool.nodes(),
            expected.map(|(name, ip)| (name.to_owned(), Ipv4Addr::from(ip)))
        );
        assert_eq!(config().nodes()[0].0, "node-1");
    }

    #[test]
    fn impossible_settings_are_named() {
        let check = |config: Config, expected: &str| {
            let error = config.validate().expect_err(expected).to_string();
            assert!(
                error.contains(expected),
                "{error:?} does not contain {expected:?}"
            );
        };
        check(
            Config {
                name: "Node".to_owned(),
                ..config()
            },
            "lowercase DNS name",
        );
        check(
            Config {
                name: String::new(),
                ..config()
            },
            "lowercase DNS name",
        );
        check(Config { count: 0, ..config() }, "play 0 nodes");
        check(
            Config {
                count: 2,
                node_ip: Ipv4Addr::BROADCAST,
                ..config()
            },
            "past the end",
        );
        let timings = Timings {
            lease_renew: Duration::from_secs(40),
            ..Timings::default()
        };
        check(Config { timings, ..config() }, "renew leases");
    }
}
