//! Deployments: ReplicaSets that roll from one pod template to the next.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use super::replicaset::Tallies;
use crate::{
    view::{Bare, Deployment, ReplicaSet},
    world::{World, enqueue_controllers},
};

mod plan;
mod progress;
mod revision;
mod rolling;
mod scale;
#[cfg(test)]
mod tests;

use plan::Snapshot;

/// The shortest time between two looks at one Deployment: its ReplicaSets change by the hundred.
const PACE: Duration = Duration::from_millis(10);

pub(crate) struct DeploymentController {
    world: Arc<World>,
    tallies: Arc<Tallies>,
}

impl DeploymentController {
    pub(crate) fn new(world: &Arc<World>, tallies: &Arc<Tallies>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.deployments.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        let (queue_of_sets, weak) = (queue.clone(), Arc::downgrade(world));
        world.replica_sets.cache.subscribe(move |change| {
            enqueue_controllers(change, kinds::DEPLOYMENT, &queue_of_sets);
            let Some(set) = change.new.as_ref().filter(|set| set.meta.controller().is_none()) else {
                return;
            };
            let Some(world) = weak.upgrade() else { return };
            for deployment in world.deployments.cache.in_namespace(&set.meta.namespace) {
                if deployment.selector.matches(&*set.meta.labels) {
                    queue_of_sets.add(deployment.meta.key());
                }
            }
        });
        // Recreate waits for the last old pod, whose end changes no count of its ReplicaSet.
        let (queue_of_pods, weak) = (queue.clone(), Arc::downgrade(world));
        world.pods.cache.subscribe(move |change| {
            let gone = change.new.as_ref().is_none_or(|pod| pod.is_finished());
            let (true, Some(pod), Some(world)) = (gone, &change.old, weak.upgrade()) else {
                return;
            };
            let Some(owner) = pod.meta.controller() else {
                return;
            };
            let set = world.replica_sets.cache.get(&pod.meta.namespace, &owner.name);
            if let Some(owner) = set.as_ref().and_then(|set| set.meta.controller()) {
                queue_of_pods.add(Key::new(&pod.meta.namespace, &owner.name));
            }
        });
        (
            Arc::new(Self {
                world: Arc::clone(world),
                tallies: Arc::clone(tallies),
            }),
            queue,
        )
    }

    /// ReplicaSets that nobody controls and that the Deployment selects.
    fn orphans(&self, deployment: &Deployment) -> Vec<Arc<ReplicaSet>> {
        let mut orphans = self.world.masterless_sets(&deployment.meta.namespace);
        orphans.retain(|set| !set.meta.is_deleting() && deployment.selector.matches(&*set.meta.labels));
        orphans
    }

    /// Whether the Deployment is really there and staying: adoption must not rest on a stale view.
    async fn may_adopt(&self, deployment: &Deployment) -> Result<bool, ApiError> {
        let meta = &deployment.meta;
        match self
            .world
            .api
            .get(kinds::DEPLOYMENT, &meta.namespace, &meta.name)
            .await
        {
            Ok(object) => {
                let live: Bare = object.read()?;
                Ok(live.meta.uid == meta.uid && !live.meta.is_deleting())
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Controller for DeploymentController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.deployments.cache.clone()),
            Arc::new(self.world.replica_sets.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.deployments.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(deployment) = self.world.deployments.cache.get_key(key) else {
            return Ok(None);
        };
        let mut sets = self.world.replica_sets.controlled_by(&deployment.meta.uid);
        // Oldest first, as everything that chooses among them wants it.
        sets.sort_by(|a, b| (a.meta.created, &a.meta.name).cmp(&(b.meta.created, &b.meta.name)));
        let mut orphans = self.orphans(&deployment);
        if !orphans.is_empty() && !self.may_adopt(&deployment).await? {
            orphans.clear();
        }
        let running = sets
            .iter()
            .map(|set| (set.meta.uid.clone(), self.tallies.of(&set.meta.uid).running));
        let running: BTreeMap<_, _> = running.collect();
        let hash = deployment.template.hash(deployment.status.collision_count);
        let name = format!("{}-{hash}", deployment.meta.name);
        let name_taken = self
            .world
            .replica_sets
            .cache
            .get(&deployment.meta.namespace, &name)
            .is_some();
        Ok(Some(Snapshot {
            deployment,
            sets,
            orphans,
            running,
            hash,
            name_taken,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
