//! What the controller manager is told at start.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use coracle_runtime::LeaseTimings;

/// Names of the controllers, as [`Config::controllers`] takes them.
pub const CONTROLLERS: &[&str] = &[
    "cronjob",
    "daemonset",
    "deployment",
    "disruption",
    "endpoints",
    "endpointslice",
    "endpointslice-mirroring",
    "ephemeral-volume",
    "garbage-collector",
    "horizontalpodautoscaler",
    "job",
    "namespace",
    "node-ipam",
    "node-lifecycle",
    "pod-garbage-collector",
    "protection",
    "replicaset",
    "replicationcontroller",
    "service-account",
    "statefulset",
    "token-cleaner",
    "ttl-after-finished",
    "volume-binder",
];

/// Validated configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port` of the apiserver.
    pub server: String,
    /// Where to show health.
    pub health: SocketAddr,
    /// Who this is in the leader election: unique, and the same after a restart.
    pub instance: String,
    /// The leader election's intervals.
    pub lease: LeaseTimings,
    /// Which controllers run: names of [`CONTROLLERS`], `*` for all, `-name` for all but it. The last word on a
    /// name counts.
    pub controllers: Vec<String>,
    /// Address and prefix length of the ranges that pods get their addresses from.
    pub cluster_cidrs: Vec<(Ipv4Addr, u8)>,
    /// Prefix length of the range of one node.
    pub node_cidr_mask: u8,
    /// The certificate of the cluster's authority, for the ConfigMap `kube-root-ca.crt` of each namespace.
    pub root_ca_pem: Option<String>,
    /// How long things are waited for.
    pub timings: Timings,
    /// How fast pods are ended on nodes that fail.
    pub evictions: EvictionRates,
}

/// How fast nodes that fail are given up, so that their pods end, and when it is rather the network that failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvictionRates {
    /// Nodes a second in a zone that is well, and in one of which every node has failed.
    pub primary: f64,
    /// Nodes a second in a large zone of which many have failed; none are given up in a small one.
    pub secondary: f64,
    /// A zone with more nodes than this is large.
    pub large_zone_nodes: usize,
    /// The share of a zone's nodes from which on many have failed, if there are more than two.
    pub unhealthy_zone_threshold: f64,
}

impl Default for EvictionRates {
    /// As Kubernetes: a node in ten seconds, and in a hundred; 50 nodes; 0.55.
    fn default() -> Self {
        Self {
            primary: 0.1,
            secondary: 0.01,
            large_zone_nodes: 50,
            unhealthy_zone_threshold: 0.55,
        }
    }
}

/// How long things are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A node that showed no life for so long is not ready.
    pub node_grace: Duration,
    /// Between two searches for pods that nobody looks after.
    pub pod_gc: Duration,
    /// A pod whose node is gone is removed after so long.
    pub orphaned_pod: Duration,
    /// Between two looks at a namespace that is being emptied.
    pub namespace_retry: Duration,
    /// Before the first pod of a Job that failed is replaced; doubles with each failure.
    pub job_backoff: Duration,
    /// Between two looks of a HorizontalPodAutoscaler at its target.
    pub autoscaler_period: Duration,
}

impl Default for Timings {
    /// As Kubernetes: 50, 20 and 40 seconds, 10 for Jobs and 15 for autoscalers.
    fn default() -> Self {
        Self {
            node_grace: Duration::from_secs(50),
            pod_gc: Duration::from_secs(20),
            orphaned_pod: Duration::from_secs(40),
            namespace_retry: Duration::from_millis(200),
            job_backoff: Duration::from_secs(10),
            autoscaler_period: Duration::from_secs(15),
        }
    }
}

impl Config {
    /// The usual configuration for an apiserver and a name.
    #[must_use]
    pub fn new(server: String, instance: String) -> Self {
        Self {
            server,
            health: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            instance,
            lease: LeaseTimings::default(),
            controllers: vec!["*".to_owned()],
            cluster_cidrs: vec![(Ipv4Addr::new(10, 244, 0, 0), 16)],
            node_cidr_mask: 24,
            root_ca_pem: None,
            timings: Timings::default(),
            evictions: EvictionRates::default(),
        }
    }

    /// Whether the controller of this name runs.
    #[must_use]
    pub fn runs(&self, controller: &str) -> bool {
        let mut runs = false;
        for word in &self.controllers {
            match word.strip_prefix('-') {
                Some(name) if name == controller => runs = false,
                Some("*") => runs = false,
                None if word == controller || word == "*" => runs = true,
                _ => {}
            }
        }
        // Only exclusions: everything else runs.
        let all_excluded =
            !self.controllers.is_empty() && self.controllers.iter().all(|word| word.starts_with('-'));
        if all_excluded {
            !self
                .controllers
                .iter()
                .any(|word| word[1..] == *controller || word == "-*")
        } else {
            runs
        }
    }

    /// Names that no controller has, so that a typing error does not silently switch something off.
    #[must_use]
    pub fn unknown_controllers(&self) -> Vec<&str> {
        let names = self
            .controllers
            .iter()
            .map(|word| word.strip_prefix('-').unwrap_or(word));
        names
            .filter(|name| *name != "*" && !CONTROLLERS.contains(name))
            .collect()
    }
}
