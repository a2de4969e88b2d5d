//! Removes pods that nobody looks after any more: those of nodes that are gone, those that never got one, and too
//! many that have ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Plan, QueueLimits, Watched, WorkQueue};
use coracle_service::Clock;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{Config, Timings, world::World};

mod plan;
#[cfg(test)]
mod tests;

use plan::Snapshot;

pub(crate) struct PodGarbage {
    world: Arc<World>,
    timings: Timings,
    /// Since when nodes that pods name have been missing.
    missing: Mutex<BTreeMap<Box<str>, Instant>>,
}

impl PodGarbage {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<()>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        // It comes back by itself after each look.
        queue.add(());
        let controller = Self {
            world: Arc::clone(world),
            timings: config.timings,
            missing: Mutex::default(),
        };
        (Arc::new(controller), queue)
    }

    /// Nodes that pods name, that have been missing for long enough, and that are really not there.
    async fn gone(&self, named: BTreeSet<Box<str>>) -> Result<BTreeSet<Box<str>>, ApiError> {
        let nodes = &self.world.nodes.cache;
        let missing: BTreeSet<_> = named
            .into_iter()
            .filter(|name| nodes.get("", name).is_none())
            .collect();
        let due: Vec<Box<str>> = self.due(&missing, &self.world.env.cluster_clock);
        let mut gone = BTreeSet::new();
        for name in due {
            match self.world.api.get(kinds::NODE, "", &name).await {
                Ok(_) => {}
                Err(error) if error.is_not_found() => {
                    gone.insert(name);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(gone)
    }

    fn due(&self, missing: &BTreeSet<Box<str>>, clock: &Clock) -> Vec<Box<str>> {
        let now = clock.monotonic();
        let mut since = self.missing.lock();
        since.retain(|name, _| missing.contains(name));
        let first_seen = missing
            .iter()
            .map(|name| (name, *since.entry(name.clone()).or_insert(now)));
        let long = first_seen.filter(|(_, at)| now.duration_since(*at) >= self.timings.orphaned_pod);
        long.map(|(name, _)| name.clone()).collect()
    }
}

#[async_trait]
impl Controller for PodGarbage {
    type Key = ();
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.nodes.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<()> {
        vec![()]
    }

    async fn snapshot(&self, (): &()) -> Result<Option<Snapshot>, ApiError> {
        let pods = self.world.pods.cache.list();
        let named = pods
            .iter()
            .map(|pod| pod.node.clone())
            .filter(|node| !node.is_empty())
            .collect();
        let gone = self.gone(named).await?;
        let out_of_service = self
            .world
            .nodes
            .cache
            .list()
            .into_iter()
            .filter(|node| plan::is_out_of_service(node));
        let out_of_service = out_of_service.map(|node| node.meta.name.clone()).collect();
        Ok(Some(Snapshot {
            pods,
            gone,
            out_of_service,
            interval: self.timings.pod_gc,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }
}
