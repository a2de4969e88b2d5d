//! ReplicaSets and ReplicationControllers keep a number of equal pods. Both are one controller over two kinds.
//!
//! A sync costs nothing that grows with the number of pods: what a decision needs is counted as pods change
//! ([`tally`]), and the pods themselves are looked at only where some must go.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_client::Object;
use coracle_runtime::{Controller, Key, Plan, Project, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{
    view::{ReplicaSet, ReplicationController, Selects},
    world::{Kind, World, follow_dependents},
};

mod plan;
mod rank;
mod status;
mod tally;
#[cfg(test)]
mod tests;

use plan::Snapshot;
pub(crate) use tally::Tallies;

/// The shortest time between two looks at one ReplicaSet: its pods change by the hundred.
const PACE: Duration = Duration::from_millis(10);
/// Pods created or deleted by one plan; as upstream.
const BURST: usize = 500;

/// A kind that keeps a number of equal pods.
pub(crate) trait Replicates: Project + Selects {
    /// The controller's name in events and logs.
    const CONTROLLER: &'static str;

    /// The objects of the kind.
    fn all(world: &World) -> &Kind<Self>;

    /// What it amounts to.
    fn as_set(this: Arc<Self>) -> Arc<ReplicaSet>;
}

impl Replicates for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";

    fn all(world: &World) -> &Kind<Self> {
        &world.replica_sets
    }

    fn as_set(this: Arc<Self>) -> Arc<ReplicaSet> {
        this
    }
}

impl Replicates for ReplicationController {
    const CONTROLLER: &'static str = "replication-controller";

    fn all(world: &World) -> &Kind<Self> {
        &world.replication_controllers
    }

    fn as_set(this: Arc<Self>) -> Arc<ReplicaSet> {
        Arc::clone(&this.set)
    }
}

pub(crate) struct ReplicaSetController<K> {
    world: Arc<World>,
    tallies: Arc<Tallies>,
    /// Why the last writes failed, of those whose did.
    failures: Mutex<BTreeMap<Key, String>>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Replicates> ReplicaSetController<K> {
    pub(crate) fn new(world: &Arc<World>, tallies: &Arc<Tallies>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        K::all(world).cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        follow_dependents(world, K::all, |world| &world.pods, &queue);
        let controller = Self {
            world: Arc::clone(world),
            tallies: Arc::clone(tallies),
            failures: Mutex::default(),
            kind: PhantomData,
        };
        (Arc::new(controller), queue)
    }

    /// How many pods of all ReplicaSets of the same owner there are on each node.
    fn neighbours(&self, set: &ReplicaSet) -> BTreeMap<Box<str>, usize> {
        let siblings = match set.meta.controller() {
            Some(owner) => self.world.replica_sets.controlled_by(&owner.uid),
            None => Vec::new(),
        };
        let uids = siblings
            .iter()
            .map(|sibling| &*sibling.meta.uid)
            .chain([&*set.meta.uid]);
        let uids: std::collections::BTreeSet<&str> = uids.collect();
        let mut on_node = BTreeMap::new();
        for pod in uids
            .into_iter()
            .flat_map(|uid| self.world.pods.controlled_by(uid))
        {
            if pod.is_active() {
                *on_node.entry(pod.node.clone()).or_default() += 1;
            }
        }
        on_node
    }
}

#[async_trait]
impl<K: Replicates> Controller for ReplicaSetController<K> {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        K::CONTROLLER
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(K::all(&self.world).cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        K::all(&self.world).cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let kind = K::all(&self.world);
        let Some(set) = kind.cache.get_key(key).map(K::as_set) else {
            self.failures.lock().remove(key);
            return Ok(None);
        };
        let resource = kind.cache.resource();
        let tally = self.tallies.of(&set.meta.uid);
        let needs_pods = tally.active > usize::try_from(set.replicas).unwrap_or(0)
            || set.min_ready_seconds > 0
            || tally.labels().any(|labels| !set.selector.matches(labels));
        let pods = if needs_pods {
            self.world.pods.controlled_by(&set.meta.uid)
        } else {
            Vec::new()
        };
        let neighbours = if needs_pods {
            self.neighbours(&set)
        } else {
            BTreeMap::new()
        };
        let mut orphans = self.world.orphan_pods(&*set);
        if !orphans.is_empty() && !self.world.is_staying(resource, &set.meta).await? {
            orphans.clear();
        }
        let failure = self.failures.lock().get(key).cloned();
        Ok(Some(Snapshot {
            resource,
            set,
            tally,
            pods,
            neighbours,
            orphans,
            failure,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn observe(&self, key: &Key, outcomes: &[Result<Object, ApiError>]) {
        // A stale view corrects itself and says nothing about the next write.
        let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        let failure = refused
            .into_iter()
            .find(|error| !error.is_conflict() && !error.is_not_found());
        let mut failures = self.failures.lock();
        if let Some(error) = failure {
            failures.insert(key.clone(), error.message().to_owned());
        } else if !outcomes.is_empty() {
            failures.remove(key);
        }
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
