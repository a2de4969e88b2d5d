//! CronJobs make Jobs by a schedule.
//!
//! The name of a Job follows from its time, so the same time never makes two. What has been made is read from the Jobs
//! that are there and from `status.lastScheduleTime`, which is written only once the Job is seen.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::world::{World, enqueue_controllers};

mod plan;
#[cfg(test)]
mod tests;
mod times;

use plan::Snapshot;

pub(crate) struct CronJobController {
    world: Arc<World>,
}

impl CronJobController {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.cron_jobs.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        let queue_of_jobs = queue.clone();
        world
            .jobs
            .cache
            .subscribe(move |change| enqueue_controllers(change, kinds::CRON_JOB, &queue_of_jobs));
        (
            Arc::new(Self {
                world: Arc::clone(world),
            }),
            queue,
        )
    }
}

#[async_trait]
impl Controller for CronJobController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "cronjob-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.cron_jobs.cache.clone()),
            Arc::new(self.world.jobs.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.cron_jobs.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(cron_job) = self.world.cron_jobs.cache.get_key(key) else {
            return Ok(None);
        };
        let jobs = self.world.jobs.controlled_by(&cron_job.meta.uid);
        Ok(Some(Snapshot { cron_job, jobs }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }
}
