//! Keeps claims while pods use them, and volumes while claims are bound to them.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::{ApiError, Resource, kinds};
use coracle_client::ListQuery;
use coracle_runtime::{Controller, Key, Plan, Project, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{
    view::{Claim, HasMeta, Pod},
    world::World,
};

mod plan;
#[cfg(test)]
mod tests;

use plan::Snapshot;

/// A claim or a volume.
type Item = (&'static Resource, Key);

pub(crate) struct Protection {
    world: Arc<World>,
}

impl Protection {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Item>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.claims.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                if change.new.as_ref().is_some_and(|claim| claim.meta.is_deleting()) {
                    queue.add((kinds::PERSISTENT_VOLUME_CLAIM, change.key.clone()));
                }
            }
        });
        world.volumes.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                if change
                    .new
                    .as_ref()
                    .is_some_and(|volume| volume.meta.is_deleting())
                {
                    queue.add((kinds::PERSISTENT_VOLUME, change.key.clone()));
                }
            }
        });
        world.pods.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                let Some(pod) = change.old.as_ref().filter(|pod| !pod.claims.is_empty()) else {
                    return;
                };
                if change.new.as_ref().is_none_or(|new| new.is_finished()) {
                    for claim in &pod.claims {
                        queue.add((
                            kinds::PERSISTENT_VOLUME_CLAIM,
                            Key::new(&pod.meta.namespace, claim),
                        ));
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

    /// Whether a pod uses the claim; that none does is believed only after a live look.
    async fn is_used(&self, claim: &Claim) -> Result<bool, ApiError> {
        let uses =
            |pod: &Pod| !pod.node.is_empty() && !pod.is_finished() && pod.claims.contains(&claim.meta.name);
        if self.world.pods_using(&claim.meta).iter().any(|pod| uses(pod)) {
            return Ok(true);
        }
        let query = ListQuery {
            namespace: claim.meta.namespace.to_string(),
            ..ListQuery::all(kinds::POD)
        };
        let (pods, _) = self.world.api.list_all(&query).await?;
        for object in &pods {
            if uses(&Pod::project(object)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Controller for Protection {
    type Key = Item;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "volume-protection-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.claims.cache.clone()),
            Arc::new(self.world.volumes.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Item> {
        let claims = self.world.claims.cache.keys().into_iter();
        let volumes = self.world.volumes.cache.keys().into_iter();
        let claims = claims.map(|key| (kinds::PERSISTENT_VOLUME_CLAIM, key));
        claims
            .chain(volumes.map(|key| (kinds::PERSISTENT_VOLUME, key)))
            .collect()
    }

    async fn snapshot(&self, (resource, key): &Item) -> Result<Option<Snapshot>, ApiError> {
        let (meta, is_used) = if *resource == kinds::PERSISTENT_VOLUME {
            let Some(volume) = self.world.volumes.cache.get_key(key) else {
                return Ok(None);
            };
            (volume.meta().clone(), &*volume.phase == "Bound")
        } else {
            let Some(claim) = self.world.claims.cache.get_key(key) else {
                return Ok(None);
            };
            if !claim.meta.is_deleting() {
                return Ok(None);
            }
            let is_used = self.is_used(&claim).await?;
            (claim.meta().clone(), is_used)
        };
        Ok(Some(Snapshot {
            resource,
            meta,
            is_used,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan::plan(snapshot)
    }
}
