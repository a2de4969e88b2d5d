//! Ends pods on tainted nodes once they no longer tolerate the taint.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{view::Node, world::World};

mod plan;
#[cfg(test)]
mod tests;

use plan::Snapshot;

pub(crate) struct TaintEviction {
    world: Arc<World>,
}

impl TaintEviction {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        let evicts = |node: &Arc<Node>| node.evicting_taints().next().is_some();
        world.nodes.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                if change.new.as_ref().is_some_and(evicts) {
                    queue.add(change.key.clone());
                }
            }
        });
        let (queue_of_pods, weak) = (queue.clone(), Arc::downgrade(world));
        world.pods.cache.subscribe(move |change| {
            let Some(pod) = change.new.as_ref().filter(|pod| !pod.node.is_empty()) else {
                return;
            };
            // Most changes of pods change neither where they run nor what they tolerate.
            if change
                .old
                .as_ref()
                .is_some_and(|old| old.node == pod.node && old.tolerations == pod.tolerations)
            {
                return;
            }
            let Some(world) = weak.upgrade() else { return };
            if world.nodes.cache.get("", &pod.node).as_ref().is_some_and(evicts) {
                queue_of_pods.add(Key::new("", &pod.node));
            }
        });
        (
            Arc::new(Self {
                world: Arc::clone(world),
            }),
            queue,
        )
    }
}

#[async_trait]
impl Controller for TaintEviction {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.nodes.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.nodes.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(node) = self.world.nodes.cache.get_key(key) else {
            return Ok(None);
        };
        if node.evicting_taints().next().is_none() {
            return Ok(None);
        }
        Ok(Some(Snapshot {
            pods: self.world.pods_on(key.name()),
            node,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }
}
