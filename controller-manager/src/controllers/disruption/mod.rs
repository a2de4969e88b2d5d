//! Works out how many pods each PodDisruptionBudget lets go.
//!
//! The budget is spent by evictions, in the transaction that deletes the pod; so the status is written only at the
//! revision that was seen, and an eviction in between brings the budget back here.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, Resource, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    view::{Owner, Pod},
    world::World,
};

mod plan;
mod stale;
#[cfg(test)]
mod tests;

use plan::{Expected, Snapshot};
pub(crate) use stale::StaleDisruptions;

/// The shortest time between two looks at one budget: its pods change by the hundred.
const PACE: Duration = Duration::from_millis(20);

pub(crate) struct DisruptionController {
    world: Arc<World>,
}

/// As much of a Scale as is needed.
#[derive(Deserialize)]
struct ScaleView {
    #[serde(default)]
    spec: ScaleSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScaleSpec {
    replicas: i32,
}

/// Who says how many pods there should be.
type Scaled = (&'static Resource, Box<str>, Box<str>);

impl DisruptionController {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.disruption_budgets.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        // Weak, because the world owns the subscriptions.
        let (queue_of_pods, weak) = (queue.clone(), Arc::downgrade(world));
        world.pods.cache.subscribe(move |change| {
            let Some(world) = weak
                .upgrade()
                .filter(|world| !world.disruption_budgets.cache.is_empty())
            else {
                return;
            };
            for pod in change.versions() {
                for budget in world.disruption_budgets.cache.in_namespace(&pod.meta.namespace) {
                    if budget.selector.matches(&*pod.meta.labels) {
                        queue_of_pods.add(budget.meta.key());
                    }
                }
            }
        });
        (
            Arc::new(Self {
                world: Arc::clone(world),
            }),
            queue,
        )
    }

    /// The number of pods that the owners of these pods want together.
    async fn expected(&self, pods: &[Arc<Pod>]) -> Result<Expected, ApiError> {
        let (mut owners, mut unmanaged): (BTreeSet<Scaled>, Vec<Box<str>>) = Default::default();
        for pod in pods {
            let Some(owner) = pod.meta.controller() else {
                unmanaged.push(pod.meta.name.clone());
                continue;
            };
            match self.scaled(&pod.meta.namespace, owner) {
                Some(scaled) => drop(owners.insert(scaled)),
                None => {
                    return Ok(Expected::Unknown(format!(
                        "found no controllers for pod {:?}",
                        &*pod.meta.name
                    )));
                }
            }
        }
        let namespace = pods.first().map_or("", |pod| &pod.meta.namespace);
        let mut sum = 0_i32;
        for (resource, name, _) in owners {
            let scale = self.world.api.get_scale(resource, namespace, &name).await;
            match scale {
                Ok(object) => sum = sum.saturating_add(object.read::<ScaleView>()?.spec.replicas),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) if error.is_not_found() => {
                    let why = format!("{resource} does not implement the scale subresource");
                    return Ok(Expected::Unknown(why));
                }
                Err(error) => return Ok(Expected::Unknown(error.message().to_owned())),
            }
        }
        Ok(Expected::Pods {
            count: sum,
            unmanaged,
        })
    }

    /// The controller of a pod, or for a ReplicaSet of a Deployment the Deployment.
    fn scaled(&self, namespace: &str, owner: &Owner) -> Option<Scaled> {
        let resource = owner.resource?;
        if resource == kinds::REPLICA_SET {
            let set = self
                .world
                .replica_sets
                .cache
                .get_key(&Key::new(namespace, &owner.name));
            let above = set.as_ref().and_then(|set| set.meta.controller());
            if let Some(above) = above.filter(|above| above.resource == Some(kinds::DEPLOYMENT)) {
                return Some((kinds::DEPLOYMENT, above.name.clone(), above.uid.clone()));
            }
        }
        Some((resource, owner.name.clone(), owner.uid.clone()))
    }
}

#[async_trait]
impl Controller for DisruptionController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.disruption_budgets.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.replica_sets.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.disruption_budgets.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(budget) = self.world.disruption_budgets.cache.get_key(key) else {
            return Ok(None);
        };
        let mut pods = self.world.pods.cache.in_namespace(key.namespace());
        pods.retain(|pod| budget.selector.matches(&*pod.meta.labels));
        let expected = if plan::needs_scale(&budget) {
            self.expected(&pods).await?
        } else {
            Expected::Pods {
                count: i32::try_from(pods.len()).unwrap_or(i32::MAX),
                unmanaged: Vec::new(),
            }
        };
        Ok(Some(Snapshot {
            budget,
            pods,
            expected,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
