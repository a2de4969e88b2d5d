//! Speaks for the nodes of this process: registers them, says how they are, and that they are alive.
//!
//! Level-driven: what the apiserver shows of each node is compared with what should be there, so that a node that was
//! marked unknown while its process was frozen says at once that it is back, and one whose address changed says where
//! it is. Leases are [`lease`]'s; what a Node holds is [`node`]'s.

pub mod lease;
pub mod node;
pub mod view;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use coracle_api::{ApiError, Reason, kinds};
use coracle_client::{BatchOptions, Object, ObjectApi, PatchType, Write};
use coracle_runtime::{Backoff, Cache};
use coracle_service::{Env, Shutdown};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use crate::{config::Config, pods::view::PodView};
use node::{Condition, Node};
use view::NodeView;

/// Nodes that one batch registers or reports, so that a large pool does not send one huge message.
const CHUNK: usize = 200;
/// Waits while the apiserver cannot be reached.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// The least time between two looks at the nodes, so that a quarrel with another writer stays slow.
const PACE: Duration = Duration::from_millis(20);

/// What a node waits for first.
const POD_RANGE: &str = "its pods' addresses (spec.podCIDR)";

/// Speaks for the nodes of this process.
pub struct Agent {
    /// Its settings.
    pub config: Arc<Config>,
    /// Its surroundings.
    pub env: Env,
    /// The apiserver.
    pub api: Arc<dyn ObjectApi>,
    /// For whom it speaks.
    pub nodes: Arc<[Node]>,
    /// Changes with each start of the process.
    pub boot: String,
}

impl Agent {
    /// Makes the Node objects, or takes over those that are there; answers their UIDs, by name.
    ///
    /// # Errors
    /// What waiting will not mend, such as an identity that may not do this.
    pub async fn register(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut uids = BTreeMap::new();
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        for chunk in self.nodes.chunks(CHUNK) {
            loop {
                match self.register_chunk(chunk, &mut uids).await {
                    Ok(()) => break,
                    Err(error) if matches!(error.reason(), Reason::Unauthorized | Reason::Forbidden) => {
                        return Err(error)
                            .context("register nodes: this process's certificate does not allow it");
                    }
                    Err(error) => {
                        tracing::debug!(%error, "register nodes");
                        self.env
                            .transport_clock
                            .sleep(backoff.next(&self.env.random))
                            .await;
                    }
                }
            }
        }
        Ok(uids)
    }

    async fn register_chunk(
        &self,
        chunk: &[Node],
        uids: &mut BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let options = BatchOptions::default();
        let creations = chunk.iter().map(|node| Write::Create {
            resource: kinds::NODE,
            namespace: String::new(),
            name: node.name.clone(),
            subresource: "",
            json: bytes(&node::object(node)),
        });
        let created = self.api.batch(creations.collect(), &options).await?;
        let now = self.env.cluster_clock.now();
        let condition = Condition {
            waits_for: Some(POD_RANGE),
            since: now,
        };
        let mut writes = Vec::with_capacity(chunk.len());
        for (node, outcome) in chunk.iter().zip(created) {
            match outcome {
                Ok(_) => {
                    let status = node::status(node, &self.config.capacity, &condition, &self.boot, now);
                    writes.push(patch(node, "status", &status));
                }
                // Its status is left alone until there is something to say: a reboot that nobody noticed is none.
                Err(error) if error.is_already_exists() => {
                    writes.push(patch(
                        node,
                        "",
                        &json!({"metadata": {"labels": node::labels(node)}}),
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        for outcome in self.api.batch(writes, &options).await? {
            let Object { name, uid, .. } = outcome?;
            uids.insert(name, uid);
        }
        Ok(())
    }

    /// Says how the nodes are until shutdown; calls `ready` once when all of them take pods.
    pub async fn report(
        self,
        shown: Cache<NodeView>,
        pods: Cache<PodView>,
        shutdown: Shutdown,
        ready: impl FnOnce(),
    ) {
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        shown.subscribe(move |_| notify.notify_one());
        let (notify, synced) = (Arc::clone(&changed), pods.clone());
        self.env.spawn.task("pods synced", async move {
            synced.wait_synced().await;
            notify.notify_one();
        });
        let mut reporter = Reporter {
            agent: self,
            shown,
            pods,
            said: BTreeMap::new(),
            ready: Some(ready),
        };
        shutdown.guard(reporter.run(&changed)).await;
    }
}

struct Reporter<F> {
    agent: Agent,
    shown: Cache<NodeView>,
    pods: Cache<PodView>,
    /// What was said of each node last, and when.
    said: BTreeMap<String, (Condition, Instant)>,
    ready: Option<F>,
}

impl<F: FnOnce()> Reporter<F> {
    async fn run(&mut self, changed: &Notify) {
        let clock = self.agent.env.cluster_clock.clone();
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        loop {
            match self.look().await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    tracing::debug!(%error, "write node statuses");
                    self.agent
                        .env
                        .transport_clock
                        .sleep(backoff.next(&self.agent.env.random))
                        .await;
                    continue;
                }
            }
            let next = self
                .said
                .values()
                .map(|(_, at)| *at)
                .min()
                .unwrap_or_else(|| clock.monotonic());
            // Where the wait ends early there has been a change, and otherwise a status is due again.
            let due = (next + self.agent.config.timings.status).saturating_duration_since(clock.monotonic());
            let _ = clock.timeout(due.max(PACE), changed.notified()).await;
            clock.sleep(PACE).await;
        }
    }

    /// Writes the statuses that differ from what is shown, or are old.
    async fn look(&mut self) -> Result<(), ApiError> {
        let clock = &self.agent.env.cluster_clock;
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let mut due = Vec::new();
        for node in self.agent.nodes.iter() {
            // A Node that somebody deleted stays deleted, as upstream's does.
            let Some(shown) = self.shown.get("", &node.name) else {
                continue;
            };
            let said = self.said.get(&node.name);
            let condition = self.condition(&shown, said.map(|(said, _)| said), now);
            let agrees = shown.ready() == condition.status() && shown.internal_ip() == node.ip.to_string();
            let fresh = said.is_some_and(|(said, at)| {
                *said == condition && monotonic - *at < self.agent.config.timings.status
            });
            if !agrees || !fresh {
                due.push((node.clone(), condition));
            }
        }
        for chunk in due.chunks(CHUNK) {
            let writes = chunk.iter().map(|(node, condition)| {
                let Agent { config, boot, .. } = &self.agent;
                patch(
                    node,
                    "status",
                    &node::status(node, &config.capacity, condition, boot, now),
                )
            });
            let options = BatchOptions {
                without_bodies: true,
                ..BatchOptions::default()
            };
            let outcomes = self.agent.api.batch(writes.collect(), &options).await?;
            for ((node, condition), outcome) in chunk.iter().zip(outcomes) {
                match outcome {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => self
                        .said
                        .insert(node.name.clone(), (condition.clone(), monotonic)),
                };
            }
        }
        let all_ready = self.said.len() == self.agent.nodes.len()
            && self
                .said
                .values()
                .all(|(condition, _)| condition.waits_for.is_none());
        if all_ready && let Some(ready) = self.ready.take() {
            ready();
        }
        Ok(())
    }

    fn condition(&self, shown: &NodeView, said: Option<&Condition>, now: jiff::Timestamp) -> Condition {
        let waits_for = if shown.spec.pod_cidr.is_empty() {
            Some(POD_RANGE)
        } else if !self.pods.is_synced() {
            Some("the list of its pods")
        } else {
            None
        };
        match said {
            Some(said) if said.waits_for == waits_for => said.clone(),
            _ => Condition {
                waits_for,
                since: now,
            },
        }
    }
}

fn patch(node: &Node, subresource: &'static str, patch: &Value) -> Write {
    Write::Patch {
        resource: kinds::NODE,
        namespace: String::new(),
        name: node.name.clone(),
        subresource,
        patch_type: PatchType::Merge,
        patch: bytes(patch),
        uid: String::new(),
        revision: 0,
    }
}

pub(crate) fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}
