//! Jobs run pods until enough of them have succeeded.
//!
//! Every pod is counted exactly once ([`tracking`]). What a Job waits for after failures is worked out from the pods
//! that failed, so that a new leader waits as the old one would have. A Job whose pods were removed by others before
//! that waits less; its counters are right all the same.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_client::Object;
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

use plan::Snapshot;
use pods::Pace;

/// The shortest time between two looks at one Job: its pods change by the hundred.
const PACE: Duration = Duration::from_millis(10);
/// Pods created or deleted by one plan; as upstream.
const BURST: usize = 500;

pub(crate) struct JobController {
    world: Arc<World>,
    backoff: Duration,
    /// How many pods may be tried at once, for Jobs whose last ones were refused.
    bursts: Mutex<BTreeMap<Key, usize>>,
}

impl JobController {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.jobs.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
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
            bursts: Mutex::default(),
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
            self.bursts.lock().remove(key);
            if strangers.is_empty() || !self.is_gone(key).await? {
                return Ok(None);
            }
            return Ok(Some(Snapshot::of_strangers(strangers)));
        };
        let orphans = self.orphans(&job).await?;
        // Those that it is about to adopt are no strangers.
        strangers.retain(|pod| !job.selector.matches(&*pod.meta.labels) || pod.meta.controller().is_some());
        let burst = self.bursts.lock().get(key).copied().unwrap_or(BURST);
        Ok(Some(Snapshot {
            pods: self.world.pods.controlled_by(&uid),
            job: Some(job),
            strangers,
            orphans,
            pace: Pace {
                burst,
                backoff: self.backoff,
            },
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }

    fn observe(&self, key: &Key, outcomes: &[Result<Object, ApiError>]) {
        // A stale view corrects itself and says nothing about the next write.
        let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        let is_refused = refused
            .into_iter()
            .any(|error| !error.is_conflict() && !error.is_not_found());
        let mut bursts = self.bursts.lock();
        if is_refused {
            bursts.insert(key.clone(), 1);
        } else if let Some(burst) = bursts.get_mut(key).filter(|_| !outcomes.is_empty()) {
            *burst *= 2;
            if *burst >= BURST {
                bursts.remove(key);
            }
        }
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
            pace: Pace {
                burst: 0,
                backoff: Duration::ZERO,
            },
        }
    }
}
