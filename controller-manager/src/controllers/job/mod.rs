//! Jobs run pods until enough of them have succeeded.
//!
//! Every pod is counted exactly once ([`tracking`]). What a Job waits for after failures is worked out from the pods
//! that failed, so that a new leader waits as the old one would have. That pods failed which others have removed since
//! is remembered as well; a new leader does not know it and waits less, as upstream. Counters are right all the same.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{
    Config,
    view::{Job, Pod},
    world::{World, follow_dependents},
};

mod ending;
mod indexes;
mod look;
mod plan;
mod pods;
mod policy;
#[cfg(test)]
mod tests;
mod tracking;

use look::Look;
use plan::Snapshot;
use pods::{Failures, Pace};

/// The shortest time between two looks at one Job: its pods change by the hundred.
const PACE: Duration = Duration::from_millis(10);
/// Pods created or deleted by one plan; as upstream.
const BURST: usize = 500;

pub(crate) struct JobController {
    world: Arc<World>,
    backoff: Duration,
    /// Failures in a row of the Jobs, by UID, whose pods have failed.
    failures: Arc<Mutex<BTreeMap<Box<str>, Failures>>>,
}

impl JobController {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        let failures = Arc::new(Mutex::new(BTreeMap::<Box<str>, Failures>::new()));
        world.jobs.cache.subscribe({
            let (queue, failures) = (queue.clone(), Arc::clone(&failures));
            move |change| {
                if let (Some(gone), None) = (&change.old, &change.new) {
                    failures.lock().remove(&gone.meta.uid);
                }
                queue.add(change.key.clone());
            }
        });
        follow_dependents(world, |world| &world.jobs, |world| &world.pods, &queue);
        // Pods whose Job has let go of them, or is gone, name it still.
        let queue_of_pods = queue.clone();
        world.pods.cache.subscribe(move |change| {
            for pod in change.versions() {
                if let Some(own) = &pod.of_job {
                    queue_of_pods.add(Key::new(&pod.meta.namespace, &own.name));
                }
            }
        });
        let controller = Self {
            world: Arc::clone(world),
            backoff: config.timings.job_backoff,
            failures,
        };
        (Arc::new(controller), queue)
    }

    /// Whether there is no Job of this name: letting go of pods must not rest on a stale view.
    async fn is_gone(&self, key: &Key) -> Result<bool, ApiError> {
        match self.world.api.get(kinds::JOB, key.namespace(), key.name()).await {
            Ok(_) => Ok(false),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Failures in a row, those of pods that are gone included; what is seen now is remembered.
    fn failures_of(&self, job: &Job, pods: &[Arc<Pod>]) -> Failures {
        let mut failures = self.failures.lock();
        let known = failures.get(&job.meta.uid).copied().unwrap_or_default();
        let now = Failures::of(&Look::new(job, pods), known);
        if now.count > 0 && job.finished().is_none() {
            failures.insert(job.meta.uid.clone(), now);
        } else {
            failures.remove(&job.meta.uid);
        }
        now
    }

    async fn orphans(&self, job: &Job) -> Result<Vec<Arc<Pod>>, ApiError> {
        if job.finished().is_some() || job.meta.is_deleting() || !job.is_ours() {
            return Ok(Vec::new());
        }
        let mut orphans = self.world.orphan_pods(job);
        if !orphans.is_empty() && !self.world.is_staying(kinds::JOB, &job.meta).await? {
            orphans.clear();
        }
        Ok(orphans)
    }
}

#[async_trait]
impl Controller for JobController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.jobs.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.jobs.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let job = self.world.jobs.cache.get_key(key);
        let uid = job.as_ref().map(|job| job.meta.uid.clone()).unwrap_or_default();
        let mut strangers = self.world.tracked_pods(key);
        strangers.retain(|pod| pod.meta.controller().is_none_or(|owner| owner.uid != uid));
        let Some(job) = job else {
            if strangers.is_empty() || !self.is_gone(key).await? {
                return Ok(None);
            }
            return Ok(Some(Snapshot::of_strangers(strangers)));
        };
        let orphans = self.orphans(&job).await?;
        // Those that it is about to adopt are no strangers.
        strangers.retain(|pod| !job.selector.matches(&*pod.meta.labels) || pod.meta.controller().is_some());
        let pods = self.world.pods.controlled_by(&uid);
        let pace = Pace {
            backoff: self.backoff,
            known: self.failures_of(&job, &pods),
        };
        Ok(Some(Snapshot {
            pods,
            job: Some(job),
            strangers,
            orphans,
            pace,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}

impl Snapshot {
    fn of_strangers(strangers: Vec<Arc<Pod>>) -> Self {
        Self {
            job: None,
            pods: Vec::new(),
            strangers,
            orphans: Vec::new(),
            pace: Pace::default(),
        }
    }
}
