//! Binds claims to volumes.
//!
//! One key for all: a match is chosen among all claims and volumes together, by one plan after another, so two
//! claims never run for the same volume. A binding is made in two steps that survive any interruption: first the
//! volume names the claim (at the revision that was seen), then, once that is visible, the claim names the volume.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::world::World;

mod fit;
mod plan;
#[cfg(test)]
mod tests;

use plan::Snapshot;

/// The shortest time between two looks: claims come by the dozen.
const PACE: Duration = Duration::from_millis(10);

pub(crate) struct VolumeBinder {
    world: Arc<World>,
}

impl VolumeBinder {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<()>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.claims.cache.subscribe({
            let queue = queue.clone();
            move |_| queue.add(())
        });
        world.volumes.cache.subscribe({
            let queue = queue.clone();
            move |_| queue.add(())
        });
        (
            Arc::new(Self {
                world: Arc::clone(world),
            }),
            queue,
        )
    }

    /// Whether the claim of this name and UID is gone; a live look, because a volume may lose its data over it.
    async fn is_gone(&self, namespace: &str, name: &str, uid: &str) -> Result<bool, ApiError> {
        match self
            .world
            .api
            .get(kinds::PERSISTENT_VOLUME_CLAIM, namespace, name)
            .await
        {
            Ok(object) => Ok(object.uid != uid),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Controller for VolumeBinder {
    type Key = ();
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "persistentvolume-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.claims.cache.clone()),
            Arc::new(self.world.volumes.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<()> {
        vec![()]
    }

    async fn snapshot(&self, (): &()) -> Result<Option<Snapshot>, ApiError> {
        let claims = self.world.claims.cache.list();
        let volumes = self.world.volumes.cache.list();
        let present: BTreeSet<&str> = claims.iter().map(|claim| &*claim.meta.uid).collect();
        let mut gone = BTreeSet::new();
        for volume in volumes
            .iter()
            .filter(|volume| !matches!(&*volume.phase, "Released" | "Failed"))
        {
            let Some(claim) = volume.claim.as_ref().filter(|claim| !claim.uid.is_empty()) else {
                continue;
            };
            if !present.contains(&*claim.uid)
                && self.is_gone(&claim.namespace, &claim.name, &claim.uid).await?
            {
                gone.insert(claim.uid.clone());
            }
        }
        Ok(Some(Snapshot {
            claims,
            volumes,
            gone,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan::plan(snapshot)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
