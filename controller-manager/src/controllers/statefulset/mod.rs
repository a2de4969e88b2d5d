//! StatefulSets keep pods with names, hosts and claims of their own, and never two of one name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{
    history::History,
    view::{Bare, Claim, Pod, StatefulSet},
    world::{World, follow_dependents},
};

mod claims;
mod identity;
mod plan;
mod status;
#[cfg(test)]
mod tests;

use plan::Snapshot;

/// The shortest time between two looks at one StatefulSet: pods of a parallel one change by the hundred.
const PACE: Duration = Duration::from_millis(10);
/// Pods created or deleted by one plan.
const BURST: usize = 500;

pub(crate) struct StatefulSetController {
    world: Arc<World>,
}

impl StatefulSetController {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.stateful_sets.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        follow_dependents(world, |world| &world.stateful_sets, |world| &world.pods, &queue);
        follow_dependents(
            world,
            |world| &world.stateful_sets,
            |world| &world.revisions,
            &queue,
        );
        // A pod waits for its claims, and for the end of claims that belonged to an earlier one of its name.
        let (queue_of_claims, weak) = (queue.clone(), Arc::downgrade(world));
        world.claims.cache.subscribe(move |change| {
            let Some(world) = weak.upgrade() else { return };
            for set in world.stateful_sets.cache.in_namespace(change.key.namespace()) {
                if claims::may_belong(&set, change.key.name()) {
                    queue_of_claims.add(set.meta.key());
                }
            }
        });
        let controller = Self {
            world: Arc::clone(world),
        };
        (Arc::new(controller), queue)
    }

    /// Whether nobody has changed what the set wants since; a live look, because what is surplus loses its pod, and
    /// perhaps its claims.
    async fn is_latest(&self, set: &StatefulSet) -> Result<bool, ApiError> {
        let meta = &set.meta;
        match self
            .world
            .api
            .get(kinds::STATEFUL_SET, &meta.namespace, &meta.name)
            .await
        {
            Ok(object) => {
                let live: Bare = object.read()?;
                Ok(live.meta.uid == meta.uid && live.meta.generation == meta.generation)
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The claims that there are of those that pods of the set use or would use.
    fn claims(&self, set: &StatefulSet, pods: &[Arc<Pod>]) -> BTreeMap<Box<str>, Arc<Claim>> {
        if set.claims.is_empty() {
            return BTreeMap::new();
        }
        let condemned = pods
            .iter()
            .filter_map(|pod| identity::ordinal(set, &pod.meta.name));
        let ordinals: BTreeSet<i32> = identity::range(set).chain(condemned).collect();
        let names = ordinals
            .into_iter()
            .flat_map(|ordinal| claims::names(set, ordinal));
        let found = names.filter_map(|name| {
            let claim = self.world.claims.cache.get(&set.meta.namespace, &name)?;
            Some((name.into(), claim))
        });
        found.collect()
    }
}

fn has_surplus(set: &StatefulSet, pods: &[Arc<Pod>]) -> bool {
    let wanted = identity::range(set);
    let mut ordinals = pods
        .iter()
        .filter_map(|pod| identity::ordinal(set, &pod.meta.name));
    ordinals.any(|ordinal| !wanted.contains(&ordinal))
}

#[async_trait]
impl Controller for StatefulSetController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.stateful_sets.cache.clone()),
            Arc::new(self.world.revisions.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.claims.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.stateful_sets.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(set) = self.world.stateful_sets.cache.get_key(key) else {
            return Ok(None);
        };
        let pods = self.world.pods.controlled_by(&set.meta.uid);
        let mut orphans = self.world.orphan_pods(&*set);
        orphans.retain(|pod| identity::ordinal(&set, &pod.meta.name).is_some());
        let mut history = History::read(&self.world, &*set, &set.template, set.status.collision_count);
        let has_orphans = !orphans.is_empty() || !history.orphans.is_empty();
        if has_orphans && !self.world.is_staying(kinds::STATEFUL_SET, &set.meta).await? {
            orphans.clear();
            history.orphans.clear();
        }
        let claims = self.claims(&set, &pods);
        let may_stop = !has_surplus(&set, &pods) || self.is_latest(&set).await?;
        Ok(Some(Snapshot {
            set,
            pods,
            orphans,
            history,
            claims,
            may_stop,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
