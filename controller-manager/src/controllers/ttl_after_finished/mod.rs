//! Deletes Jobs some time after they have ended. Source: "Automatic Cleanup for Finished Jobs" in the Kubernetes
//! documentation.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_client::Propagation;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{view::Job, world::World, writes};

#[cfg(test)]
mod tests;

pub(crate) struct TtlAfterFinished {
    world: Arc<World>,
}

impl TtlAfterFinished {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.jobs.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                if change.new.as_ref().is_some_and(|job| lifetime(job).is_some()) {
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

#[async_trait]
impl Controller for TtlAfterFinished {
    type Key = Key;
    type Snapshot = Arc<Job>;

    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![Arc::new(self.world.jobs.cache.clone())]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.jobs.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Arc<Job>>, ApiError> {
        Ok(self.world.jobs.cache.get_key(key))
    }

    fn plan(&self, job: &Arc<Job>, now: Timestamp) -> Plan {
        plan(job, now)
    }
}

/// When the Job ended, and how many seconds it stays after that; `None` where it has not ended, or stays for ever.
fn lifetime(job: &Job) -> Option<(Timestamp, i64)> {
    let seconds = job.spec.ttl_seconds_after_finished?;
    let ended = job.finished()?.last_transition_time?;
    (!job.meta.is_deleting()).then_some((ended, seconds))
}

/// Deletes the Job with its pods once its time is over, and looks again then. The delete names the revision: a person
/// may have made the time longer meanwhile.
fn plan(job: &Job, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some((ended, seconds)) = lifetime(job) else {
        return plan;
    };
    let left = ended.as_second().saturating_add(seconds) - now.as_second();
    match u64::try_from(left) {
        Ok(left @ 1..) => plan.look_again_after(Duration::from_secs(left)),
        _ => plan.write(writes::delete_exactly(
            kinds::JOB,
            &job.meta,
            Propagation::Foreground,
        )),
    }
    plan
}
