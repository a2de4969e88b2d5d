//! DaemonSets keep one pod on every node that fits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{
    history::History,
    view::Phase,
    world::{World, follow_dependents},
};

mod failures;
mod fleet;
mod plan;
mod pod;
mod roll;
mod status;
#[cfg(test)]
mod tests;

use failures::Failures;
use plan::Snapshot;

/// The shortest time between two looks at one DaemonSet: its pods and the nodes change by the hundred.
const PACE: Duration = Duration::from_millis(10);
/// Pods created, and pods deleted, by one plan; as upstream.
const BURST: usize = 250;

pub(crate) struct DaemonSetController {
    world: Arc<World>,
    /// Where its pods failed lately.
    failures: Mutex<BTreeMap<Key, Failures>>,
}

impl DaemonSetController {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.daemon_sets.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        follow_dependents(world, |world| &world.daemon_sets, |world| &world.pods, &queue);
        follow_dependents(
            world,
            |world| &world.daemon_sets,
            |world| &world.revisions,
            &queue,
        );
        let (queue_of_nodes, weak) = (queue.clone(), Arc::downgrade(world));
        world.nodes.cache.subscribe(move |change| {
            // Most changes of a node say that it lives.
            if let (Some(old), Some(new)) = (&change.old, &change.new)
                && old.meta.labels == new.meta.labels
                && old.taints == new.taints
            {
                return;
            }
            let Some(world) = weak.upgrade() else { return };
            for key in world.daemon_sets.cache.keys() {
                queue_of_nodes.add(key);
            }
        });
        let controller = Self {
            world: Arc::clone(world),
            failures: Mutex::default(),
        };
        (Arc::new(controller), queue)
    }
}

#[async_trait]
impl Controller for DaemonSetController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "daemonset-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.daemon_sets.cache.clone()),
            Arc::new(self.world.revisions.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.nodes.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.daemon_sets.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(set) = self.world.daemon_sets.cache.get_key(key) else {
            self.failures.lock().remove(key);
            return Ok(None);
        };
        let pods = self.world.pods.controlled_by(&set.meta.uid);
        let mut orphans = self.world.orphan_pods(&*set);
        let mut history = History::read(&self.world, &*set, &set.template, set.status.collision_count);
        let has_orphans = !orphans.is_empty() || !history.orphans.is_empty();
        if has_orphans && !self.world.is_staying(kinds::DAEMON_SET, &set.meta).await? {
            orphans.clear();
            history.orphans.clear();
        }
        let failed = pods
            .iter()
            .filter(|pod| pod.phase == Phase::Failed && !pod.meta.is_deleting());
        let failed: Vec<&str> = failed.map(|pod| pod.target()).collect();
        let held = if failed.is_empty() {
            self.failures.lock().remove(key);
            BTreeMap::new()
        } else {
            let now = self.world.env.cluster_clock.now();
            let mut failures = self.failures.lock();
            failures.entry(key.clone()).or_default().hold(failed, now)
        };
        Ok(Some(Snapshot {
            set,
            pods,
            orphans,
            history,
            nodes: self.world.nodes.cache.list(),
            held,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
