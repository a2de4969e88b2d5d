//! HorizontalPodAutoscalers change how many pods a target has, by what its pods use.
//!
//! Everything about the target is read live, once a period ([`measure`]); what was recommended and done before is
//! remembered in this process only, as upstream.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_client::Object;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{Config, world::World};

mod behaviour;
mod measure;
mod metrics;
mod plan;
mod ratio;
#[cfg(test)]
mod tests;

use behaviour::History;
use plan::Snapshot;

pub(crate) struct AutoscalerController {
    world: Arc<World>,
    period: Duration,
    memory: Mutex<BTreeMap<Key, Memory>>,
}

#[derive(Default)]
struct Memory {
    history: History,
    /// The change that the plan under way makes.
    pending: Option<(Timestamp, i32)>,
}

impl AutoscalerController {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.autoscalers.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                // Its own status is no reason to look again before the period is over.
                let same =
                    matches!((&change.old, &change.new), (Some(old), Some(new)) if old.spec == new.spec);
                if !same {
                    queue.add(change.key.clone());
                }
            }
        });
        let controller = Self {
            world: Arc::clone(world),
            period: config.timings.autoscaler_period,
            memory: Mutex::default(),
        };
        (Arc::new(controller), queue)
    }
}

#[async_trait]
impl Controller for AutoscalerController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![Arc::new(self.world.autoscalers.cache.clone())]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.autoscalers.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let known = self.world.autoscalers.cache.get_key(key);
        let Some(autoscaler) = known.filter(|own| !own.meta.is_deleting()) else {
            self.memory.lock().remove(key);
            return Ok(None);
        };
        let seen = measure::target(&self.world.api, &autoscaler).await?;
        let history = self.memory.lock().get(key).map(|memory| memory.history.clone());
        Ok(Some(Snapshot {
            autoscaler,
            seen,
            history: history.unwrap_or_default(),
            period: self.period,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        let decision = plan::decide(snapshot, now);
        let mut memory = self.memory.lock();
        let own = memory.entry(snapshot.autoscaler.meta.key()).or_default();
        own.history
            .recommendations
            .extend(decision.recommended.map(|replicas| (now, replicas)));
        own.history.prune(now);
        own.pending = (decision.change != 0).then_some((now, decision.change));
        decision.plan
    }

    fn observe(&self, key: &Key, outcomes: &[Result<Object, ApiError>]) {
        let mut memory = self.memory.lock();
        if let Some(own) = memory.get_mut(key)
            && let Some(change) = own.pending.take()
            && outcomes.first().is_some_and(Result::is_ok)
        {
            own.history.changes.push(change);
        }
    }
}
