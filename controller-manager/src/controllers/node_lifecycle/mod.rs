//! Judges whether nodes live, by the Leases that they renew, and taints those that do not.
//!
//! A node is judged only while this process itself hears from the apiserver, which it knows by the renewals of its
//! own leader lease: silence of the apiserver must not be taken for silence of the nodes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use coracle_service::Clock;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    Config,
    run::{LEASE_NAME, LEASE_NAMESPACE},
    view::Node,
    world::World,
};

mod plan;
#[cfg(test)]
mod tests;
mod zones;

use plan::{Ready, Snapshot};
use zones::{Eviction, Evictions};

/// Where nodes keep their Leases.
const NODE_LEASES: &str = "kube-node-lease";
/// This many renewals of our own lease must fail to show before we count as cut off.
const MISSED_RENEWALS: u32 = 3;

pub(crate) struct NodeLifecycle {
    world: Arc<World>,
    signs: Arc<Signs>,
    grace: Duration,
    evictions: Mutex<Evictions>,
}

/// Signs of life, as seen by our own clock.
struct Signs {
    clock: Clock,
    patience: Duration,
    seen: Mutex<Seen>,
}

struct Seen {
    nodes: BTreeMap<Box<str>, Instant>,
    /// When our own renewal was seen last.
    contact: Instant,
    /// Since when we have heard from the apiserver without a gap.
    since: Instant,
}

impl Signs {
    fn of_node(&self, name: &str) {
        let now = self.clock.monotonic();
        self.seen.lock().nodes.insert(name.into(), now);
    }

    fn forget(&self, name: &str) {
        self.seen.lock().nodes.remove(name);
    }

    fn of_apiserver(&self) {
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock();
        if now.duration_since(seen.contact) > self.patience {
            // Nobody could renew anything meanwhile: everybody gets the whole grace period again.
            seen.since = now;
        }
        seen.contact = now;
    }

    /// How long a node has been silent while we listened; `None` while we are cut off.
    fn silence(&self, name: &str) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock();
        if now.duration_since(seen.contact) > self.patience {
            return None;
        }
        let since = seen.since;
        let last = *seen.nodes.entry(name.into()).or_insert(now);
        Some(now.duration_since(last.max(since)))
    }
}

impl NodeLifecycle {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<Key>) {
        let clock = world.env.cluster_clock.clone();
        let queue = WorkQueue::new(clock.clone(), QueueLimits::default());
        let now = clock.monotonic();
        let seen = Seen {
            nodes: BTreeMap::new(),
            contact: now,
            since: now,
        };
        let patience = config.lease.retry * MISSED_RENEWALS + Duration::from_secs(1);
        let signs = Arc::new(Signs {
            clock,
            patience,
            seen: Mutex::new(seen),
        });
        world.leases.cache.subscribe({
            let signs = Arc::clone(&signs);
            move |change| {
                let (namespace, name) = (change.key.namespace(), change.key.name());
                if namespace == NODE_LEASES && change.new.is_some() {
                    signs.of_node(name);
                } else if (namespace, name) == (LEASE_NAMESPACE, LEASE_NAME) {
                    signs.of_apiserver();
                }
            }
        });
        let (signs_of_nodes, queue_of_nodes, weak) =
            (Arc::clone(&signs), queue.clone(), Arc::downgrade(world));
        world.nodes.cache.subscribe(move |change| {
            let heartbeat = |node: &Arc<Node>| {
                node.condition("Ready")
                    .and_then(|ready| ready.last_heartbeat_time)
            };
            match &change.new {
                Some(node) if change.old.as_ref().and_then(heartbeat) != heartbeat(node) => {
                    signs_of_nodes.of_node(&node.meta.name);
                }
                Some(_) => {}
                None => signs_of_nodes.forget(change.key.name()),
            }
            queue_of_nodes.add(change.key.clone());
            let ready = |node: Option<&Arc<Node>>| node.map(|node| Ready::of(node));
            if ready(change.old.as_ref()) != ready(change.new.as_ref())
                && let Some(world) = weak.upgrade()
            {
                // Whether evictions halt depends on how many are ready.
                let unready = world
                    .nodes
                    .cache
                    .list()
                    .into_iter()
                    .filter(|node| Ready::of(node) != Ready::True);
                unready.for_each(|node| queue_of_nodes.add(node.meta.key()));
            }
        });
        let controller = Self {
            world: Arc::clone(world),
            signs,
            grace: config.timings.node_grace,
            evictions: Mutex::new(Evictions::new(config.evictions)),
        };
        (Arc::new(controller), queue)
    }
}

impl NodeLifecycle {
    /// Whether the pods of a node may be ended that has failed, or is about to be called so.
    fn eviction(&self, node: &Arc<Node>) -> Eviction {
        let now = self.world.env.cluster_clock.monotonic();
        let nodes = self.world.nodes.cache.list();
        let is_given_up = plan::is_given_up(node);
        self.evictions.lock().decide(node, is_given_up, &nodes, now)
    }
}

#[async_trait]
impl Controller for NodeLifecycle {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.nodes.cache.clone()),
            Arc::new(self.world.leases.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.nodes.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(node) = self.world.nodes.cache.get_key(key) else {
            self.evictions.lock().forget(key.name());
            return Ok(None);
        };
        let silence = self.signs.silence(key.name());
        let is_well = Ready::of(&node) == Ready::True && silence.is_none_or(|silence| silence < self.grace);
        let (pods, eviction) = if is_well {
            self.evictions.lock().forget(key.name());
            (Vec::new(), Eviction::Halted)
        } else {
            (self.world.pods_on(key.name()), self.eviction(&node))
        };
        Ok(Some(Snapshot {
            node,
            silence,
            grace: self.grace,
            pods,
            eviction,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }
}
