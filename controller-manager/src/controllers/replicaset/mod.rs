//! ReplicaSets keep a number of equal pods.
//!
//! A sync costs nothing that grows with the number of pods: what a decision needs is counted as pods change
//! ([`tally`]), and the pods themselves are looked at only where some must go.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_client::Object;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{
    view::ReplicaSet,
    world::{World, follow_dependents},
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

pub(crate) struct ReplicaSetController {
    world: Arc<World>,
    tallies: Arc<Tallies>,
    memory: Mutex<BTreeMap<Key, Memory>>,
}

/// What is remembered of a ReplicaSet whose last writes failed.
#[derive(Clone, Debug)]
struct Memory {
    /// Writes that may be tried at once; doubles with each success, so that a full quota is not hammered.
    burst: usize,
    failure: Option<String>,
}

impl ReplicaSetController {
    pub(crate) fn new(world: &Arc<World>, tallies: &Arc<Tallies>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.replica_sets.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        follow_dependents(world, |world| &world.replica_sets, |world| &world.pods, &queue);
        let controller = Self {
            world: Arc::clone(world),
            tallies: Arc::clone(tallies),
            memory: Mutex::default(),
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
impl Controller for ReplicaSetController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.replica_sets.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.replica_sets.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(set) = self.world.replica_sets.cache.get_key(key) else {
            self.memory.lock().remove(key);
            return Ok(None);
        };
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
        if !orphans.is_empty() && !self.world.is_staying(kinds::REPLICA_SET, &set.meta).await? {
            orphans.clear();
        }
        let memory = self.memory.lock().get(key).cloned().unwrap_or(Memory {
            burst: BURST,
            failure: None,
        });
        let Memory { burst, failure } = memory;
        Ok(Some(Snapshot {
            set,
            tally,
            pods,
            neighbours,
            orphans,
            burst,
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
        let mut memory = self.memory.lock();
        match (failure, memory.get_mut(key)) {
            (Some(error), _) => {
                memory.insert(
                    key.clone(),
                    Memory {
                        burst: 1,
                        failure: Some(error.message().to_owned()),
                    },
                );
            }
            (None, Some(known)) if !outcomes.is_empty() => {
                known.burst *= 2;
                known.failure = None;
                if known.burst >= BURST {
                    memory.remove(key);
                }
            }
            (None, _) => {}
        }
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
