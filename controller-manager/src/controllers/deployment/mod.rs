//! Deployments: ReplicaSets that roll from one pod template to the next.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use super::replicaset::Tallies;
use crate::world::{World, follow_dependents};

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
        follow_dependents(
            world,
            |world| &world.deployments,
            |world| &world.replica_sets,
            &queue,
        );
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
        let mut orphans = self.world.orphan_sets(&*deployment);
        if !orphans.is_empty() && !self.world.is_staying(kinds::DEPLOYMENT, &deployment.meta).await? {
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
