//! Makes the claims of pods' ephemeral volumes. They belong to their pods, and go with them as everything does that is
//! owned; what is left to others is to bind and to protect them.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::{ApiError, kinds, view::or_default};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    view::{Pod, ephemeral_claim},
    world::World,
};

mod plan;
#[cfg(test)]
mod tests;

use plan::{Claim, Snapshot};

pub(crate) struct EphemeralVolumes {
    world: Arc<World>,
}

/// A pod, as far as its ephemeral volumes go.
#[derive(Deserialize)]
struct PodView {
    spec: SpecView,
}

#[derive(Deserialize)]
struct SpecView {
    #[serde(default, deserialize_with = "or_default")]
    volumes: Vec<VolumeView>,
}

#[derive(Deserialize)]
struct VolumeView {
    name: Box<str>,
    ephemeral: Option<EphemeralView>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EphemeralView {
    #[serde(default)]
    volume_claim_template: Value,
}

impl EphemeralVolumes {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.pods.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                // A pod's volumes never change.
                if let (None, Some(_)) = (&change.old, change.new.as_ref().filter(|pod| wants(pod))) {
                    queue.add(change.key.clone());
                }
            }
        });
        // A claim that is gone is missed by whoever uses it, whosever it was.
        let (queue_of_claims, weak) = (queue.clone(), Arc::downgrade(world));
        world.claims.cache.subscribe(move |change| {
            let (Some(gone), None) = (&change.old, &change.new) else {
                return;
            };
            let Some(world) = weak.upgrade() else { return };
            let pods = world.pods_using(&gone.meta).into_iter();
            pods.filter(|pod| wants(pod))
                .for_each(|pod| queue_of_claims.add(pod.meta.key()));
        });
        (
            Arc::new(Self {
                world: Arc::clone(world),
            }),
            queue,
        )
    }

    /// The state of the claim of each volume, but for the templates.
    fn claims(&self, pod: &Pod) -> Vec<(Box<str>, Claim)> {
        let claim_of = |volume: &str| {
            let name = ephemeral_claim(&pod.meta.name, volume);
            let claim = match self.world.claims.cache.get(&pod.meta.namespace, &name) {
                Some(claim) if plan::is_of(&claim.meta, pod) => Claim::There,
                Some(_) => Claim::OfAnother,
                None => Claim::Missing(Value::Null),
            };
            (Box::from(volume), claim)
        };
        pod.ephemeral().iter().map(|volume| claim_of(volume)).collect()
    }
}

fn wants(pod: &Pod) -> bool {
    !pod.ephemeral().is_empty() && !pod.meta.is_deleting()
}

#[async_trait]
impl Controller for EphemeralVolumes {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "ephemeral_volume"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.claims.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.pods.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(pod) = self.world.pods.cache.get_key(key).filter(|pod| wants(pod)) else {
            return Ok(None);
        };
        let mut claims = self.claims(&pod);
        if claims.iter().any(|(_, claim)| matches!(claim, Claim::Missing(_))) {
            // Templates are large and needed once, so they are not in the cache.
            let live = match self.world.api.get(kinds::POD, key.namespace(), key.name()).await {
                Ok(live) if *live.uid == *pod.meta.uid => live,
                Ok(_) => return Ok(None),
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            };
            let PodView { spec } = live.read()?;
            for volume in spec.volumes {
                let own = claims.iter_mut().find(|(name, _)| *name == volume.name);
                if let (Some((_, Claim::Missing(template))), Some(source)) = (own, volume.ephemeral) {
                    *template = source.volume_claim_template;
                }
            }
        }
        Ok(Some(Snapshot { pod, claims }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan::plan(snapshot)
    }
}
