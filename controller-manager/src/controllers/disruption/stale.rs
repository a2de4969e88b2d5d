//! Takes back the word that a pod is about to go (condition DisruptionTarget) where it has not gone: an eviction may be
//! granted and then not carried out.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds, time};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    view::{DISRUPTION_TARGET, Pod},
    world::World,
    writes,
};

/// A pod that was not deleted for so long after it was said is not about to go; as upstream.
const STALE_AFTER: Duration = Duration::from_secs(120);

pub(crate) struct StaleDisruptions {
    world: Arc<World>,
}

impl StaleDisruptions {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.pods.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                if change.new.as_ref().is_some_and(|pod| is_in_doubt(pod)) {
                    queue.add(change.key.clone());
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
}

fn is_in_doubt(pod: &Pod) -> bool {
    pod.disrupted_since().is_some() && pod.is_active()
}

/// Says that the pod stays, once it is time to.
pub(super) fn plan(pod: &Pod, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(since) = pod.disrupted_since().filter(|_| is_in_doubt(pod)) else {
        return plan;
    };
    let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    match STALE_AFTER.checked_sub(passed).filter(|left| !left.is_zero()) {
        Some(left) => plan.look_again_after(left),
        None => {
            let condition = json!({
                "type": DISRUPTION_TARGET, "status": "False", "reason": null, "message": null,
                "lastTransitionTime": time::format(now),
            });
            let body = json!({"status": {"conditions": [condition]}});
            plan.write(writes::merge_status_exactly(kinds::POD, &pod.meta, &body));
        }
    }
    plan
}

#[async_trait]
impl Controller for StaleDisruptions {
    type Key = Key;
    type Snapshot = Arc<Pod>;

    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![Arc::new(self.world.pods.cache.clone())]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.pods.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Arc<Pod>>, ApiError> {
        Ok(self.world.pods.cache.get_key(key))
    }

    fn plan(&self, pod: &Arc<Pod>, now: Timestamp) -> Plan {
        plan(pod, now)
    }
}
