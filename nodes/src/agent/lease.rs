//! The nodes' signs of life: one Lease each in `kube-node-lease`, renewed in turn.
//!
//! A pool spreads its renewals over the interval and sends those that are due together once a [`TICK`], so that a
//! thousand nodes are a hundred changes a second in one commit. What could not be sent is due again at the next tick.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coracle_api::{ApiError, kinds, time};
use coracle_client::{BatchOptions, ObjectApi, PatchType, Write};
use coracle_service::{Env, Shutdown};
use serde_json::json;
use tokio::time::Instant;

use super::{bytes, node::Node};
use crate::config::Timings;

/// How often renewals that are due are sent; more often where the interval is shorter than ten of these.
const TICK: Duration = Duration::from_secs(1);
/// Where leases are.
const NAMESPACE: &str = "kube-node-lease";

/// Renews the leases of the process's nodes.
pub struct Renewal {
    /// The apiserver.
    pub api: Arc<dyn ObjectApi>,
    /// Its surroundings.
    pub env: Env,
    /// Whose leases.
    pub nodes: Arc<[Node]>,
    /// The UIDs of their Nodes, so that leases go with them.
    pub uids: BTreeMap<String, String>,
    /// The pace.
    pub timings: Timings,
}

impl Renewal {
    /// Renews until shutdown; at once for all nodes, then in turn.
    pub async fn run(self, shutdown: Shutdown) {
        shutdown.guard(self.renew()).await;
    }

    async fn renew(self) {
        let clock = self.env.cluster_clock.clone();
        let every = self.timings.lease_renew;
        let start = clock.monotonic();
        let mut due: Vec<Instant> = vec![start; self.nodes.len()];
        let mut first = true;
        loop {
            let now = clock.monotonic();
            let chosen: Vec<usize> = (0..self.nodes.len()).filter(|&at| due[at] <= now).collect();
            match self.send(&chosen).await {
                Ok(failed) => {
                    for (place, at) in chosen
                        .into_iter()
                        .enumerate()
                        .filter(|(_, at)| !failed.contains(at))
                    {
                        // The first time all were due together; from then on each has its own moment.
                        let share = u32::try_from(place + 1).unwrap_or(u32::MAX);
                        let spread = every.mul_f64(f64::from(share) / self.nodes.len() as f64);
                        due[at] = now + if first { spread } else { every };
                    }
                    first = false;
                }
                Err(error) => tracing::debug!(%error, "renew leases"),
            }
            clock.sleep(self.env.random.jitter(TICK.min(every / 10))).await;
        }
    }

    /// Renews the leases of some nodes; answers those that failed.
    async fn send(&self, chosen: &[usize]) -> Result<Vec<usize>, ApiError> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let renewals = chosen.iter().map(|&at| Write::Patch {
            resource: kinds::LEASE,
            namespace: NAMESPACE.to_owned(),
            name: self.nodes[at].name.clone(),
            subresource: "",
            patch_type: PatchType::Merge,
            patch: bytes(&json!({"spec": self.spec(at)})),
            uid: String::new(),
            revision: 0,
        });
        let options = BatchOptions {
            without_bodies: true,
            ..BatchOptions::default()
        };
        let outcomes = self.api.batch(renewals.collect(), &options).await?;
        let (mut missing, mut failed) = (Vec::new(), Vec::new());
        for (&at, outcome) in chosen.iter().zip(outcomes) {
            match outcome {
                Ok(_) => {}
                Err(error) if error.is_not_found() => missing.push(at),
                Err(error) => {
                    tracing::debug!(node = self.nodes[at].name, %error, "renew lease");
                    failed.push(at);
                }
            }
        }
        if !missing.is_empty() {
            let creations = missing.iter().map(|&at| self.creation(at)).collect();
            let outcomes = self.api.batch(creations, &options).await?;
            let refused = missing
                .into_iter()
                .zip(outcomes)
                .filter(|(_, outcome)| outcome.is_err());
            failed.extend(refused.map(|(at, _)| at));
        }
        Ok(failed)
    }

    fn spec(&self, at: usize) -> serde_json::Value {
        json!({
            "holderIdentity": self.nodes[at].name,
            "leaseDurationSeconds": self.timings.lease_duration.as_secs().max(1),
            "renewTime": time::format_micro(self.env.cluster_clock.now()),
        })
    }

    fn creation(&self, at: usize) -> Write {
        let name = &self.nodes[at].name;
        let owners = self
            .uids
            .get(name)
            .map(|uid| json!([{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}]));
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": owners},
            "spec": self.spec(at),
        });
        Write::Create {
            resource: kinds::LEASE,
            namespace: NAMESPACE.to_owned(),
            name: name.clone(),
            subresource: "",
            json: bytes(&lease),
        }
    }
}
