//! The loop around every controller: take keys, see, plan, write, wait until the caches show it, and again.
//!
//! Keys that are ready together are planned together and their writes share a batch, so that a thousand objects
//! cost a few commits. While a batch is under way the next keys are looked at already. A key whose plan was written
//! is not looked at again before the caches show that write; a key that failed comes back after a growing wait.
//! Every write carries the leader's fence: a write refused by it ends the loop with [`Fenced`].

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::{ApiError, Resource};
use coracle_client::{BatchOptions, Fence, ListQuery, Object, ObjectApi, Write, object_api::MAX_BATCH};
use coracle_service::{Env, Shutdown};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};

use crate::{Controller, Plan, Recorder, Step, WorkQueue, controller::resource_of};

#[cfg(test)]
mod tests;

/// Keys that are planned together.
const WAVE_KEYS: usize = 256;
/// Waves that may be under way at a time; further keys wait in the queue.
const WAVES: usize = 8;
/// Bytes of one batch; the apiserver takes 16 MiB in a message.
const BATCH_BYTES: usize = 4 << 20;

/// The leader's lease is no longer ours: nothing more may be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write as {controller}: the leader lease has passed to another")]
pub struct Fenced {
    /// Which controller noticed.
    pub controller: &'static str,
}

/// What the loop works with.
#[derive(Clone)]
pub struct Executor {
    /// Where to write.
    pub api: Arc<dyn ObjectApi>,
    /// Under which lease; `None` for a component that does not elect a leader.
    pub fence: Option<Fence>,
    /// Where to tell.
    pub recorder: Recorder,
    /// Clocks and randomness.
    pub env: Env,
}

impl Executor {
    /// Runs `controller` on the keys of `queue` until shutdown.
    ///
    /// # Errors
    /// [`Fenced`] where the lease was lost.
    pub async fn run<C: Controller>(
        &self,
        controller: Arc<C>,
        queue: WorkQueue<C::Key>,
        shutdown: &Shutdown,
    ) -> Result<(), Fenced> {
        let caches = controller.caches();
        let synced = join_all(caches.iter().map(|cache| cache.wait_synced()));
        if shutdown.guard(synced).await.is_none() {
            return Ok(());
        }
        let work = Loop {
            executor: self,
            controller: &*controller,
            queue: &queue,
        };
        shutdown.guard(work.run()).await.unwrap_or(Ok(()))
    }
}

struct Loop<'a, C: Controller> {
    executor: &'a Executor,
    controller: &'a C,
    queue: &'a WorkQueue<C::Key>,
}

/// The highest revision written of each resource.
type Reached = BTreeMap<&'static Resource, i64>;

/// A key's plan, and the outcomes of its steps so far, in their order.
struct Planned<K> {
    key: K,
    plan: Plan,
    outcomes: Vec<Result<Object, ApiError>>,
}

impl<K> Planned<K> {
    fn new(key: K, mut plan: Plan) -> Self {
        if plan.slow_start {
            plan.steps.sort_by_key(is_creation);
        }
        Self {
            key,
            plan,
            outcomes: Vec::new(),
        }
    }

    /// The steps that have not been tried.
    fn left(&self) -> &[Step] {
        self.plan.steps.get(self.outcomes.len()..).unwrap_or_default()
    }

    /// How many of them to try now.
    fn in_round(&self, round: u32) -> usize {
        let left = self.left();
        if !self.plan.slow_start {
            return left.len();
        }
        let mut tried = self.plan.steps.iter().zip(&self.outcomes);
        if tried.any(|(step, outcome)| is_creation(step) && outcome.is_err()) {
            return 0;
        }
        let others = left.iter().take_while(|step| !is_creation(step)).count();
        let creations = 1_usize.checked_shl(round).unwrap_or(usize::MAX);
        others.saturating_add(creations).min(left.len())
    }
}

fn is_creation(step: &Step) -> bool {
    matches!(step.write, Write::Create { subresource: "", .. })
}

impl<C: Controller> Loop<'_, C> {
    async fn run(&self) -> Result<(), Fenced> {
        let mut waves = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(ended) = waves.next() => ended?,
                keys = self.queue.next_batch(WAVE_KEYS), if waves.len() < WAVES => waves.push(self.wave(keys)),
            }
            if self.queue.take_overflow() {
                self.controller
                    .keys()
                    .into_iter()
                    .for_each(|key| self.queue.add(key));
            }
        }
    }

    /// Sees, plans and writes some keys together.
    async fn wave(&self, keys: Vec<C::Key>) -> Result<(), Fenced> {
        let snapshots = join_all(keys.iter().map(|key| self.controller.snapshot(key))).await;
        let now = self.executor.env.cluster_clock.now();
        let mut planned = Vec::new();
        for (key, snapshot) in keys.into_iter().zip(snapshots) {
            match snapshot {
                Ok(Some(snapshot)) => {
                    let plan = self.controller.plan(&snapshot, now);
                    planned.push(Planned::new(key, plan));
                }
                Ok(None) => {
                    self.queue.forget(&key);
                    self.queue.done(&key);
                }
                Err(error) => {
                    tracing::debug!(controller = self.controller.name(), ?key, %error, "read what a plan needs");
                    self.queue.add_failed(key.clone());
                    self.queue.done(&key);
                }
            }
        }
        let idle = planned.extract_if(.., |planned| planned.plan.steps.is_empty());
        idle.for_each(|planned| self.finish(planned));
        if !planned.is_empty() {
            let reached = self.write(&mut planned).await?;
            for cache in self.controller.caches() {
                if let Some(revision) = reached.get(cache.resource()) {
                    cache.wait_revision(*revision).await;
                }
            }
        }
        planned.into_iter().for_each(|planned| self.finish(planned));
        Ok(())
    }

    /// Writes the steps of all plans, fills in the outcomes, and returns the highest revision written of each resource.
    /// Nearly always that is one round; plans that start slowly share theirs.
    async fn write(&self, planned: &mut [Planned<C::Key>]) -> Result<Reached, Fenced> {
        let mut reached = Reached::new();
        for round in 0.. {
            let sizes: Vec<usize> = planned.iter().map(|planned| planned.in_round(round)).collect();
            let next = planned
                .iter()
                .zip(&sizes)
                .flat_map(|(planned, size)| planned.left().iter().take(*size));
            let writes: Vec<Write> = next.map(|step| step.write.clone()).collect();
            if writes.is_empty() {
                break;
            }
            let mut outcomes = self.write_all(writes, &mut reached).await?.into_iter();
            for (planned, size) in planned.iter_mut().zip(sizes) {
                planned.outcomes.extend(outcomes.by_ref().take(size));
            }
        }
        Ok(reached)
    }

    async fn write_all(
        &self,
        writes: Vec<Write>,
        reached: &mut Reached,
    ) -> Result<Vec<Result<Object, ApiError>>, Fenced> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for chunk in chunks(writes) {
            let resources: Vec<_> = chunk.iter().map(resource_of).collect();
            let answer = self.batch(chunk).await?;
            for (resource, outcome) in resources.into_iter().zip(&answer) {
                let revision = reached.entry(resource).or_insert(0);
                *revision = outcome
                    .as_ref()
                    .map_or(0, |object| object.revision)
                    .max(*revision);
            }
            outcomes.extend(answer);
        }
        Ok(outcomes)
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Result<Object, ApiError>>, Fenced> {
        let count = writes.len();
        let options = BatchOptions {
            fence: self.executor.fence.clone(),
            without_bodies: true,
            ..BatchOptions::default()
        };
        let outcomes = match self.executor.api.batch(writes, &options).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                if !error.is_fenced() {
                    tracing::debug!(controller = self.controller.name(), %error, "write batch");
                    self.catch_up().await;
                }
                vec![Err(error); count]
            }
        };
        if outcomes
            .iter()
            .any(|outcome| outcome.as_ref().is_err_and(ApiError::is_fenced))
        {
            return Err(Fenced {
                controller: self.controller.name(),
            });
        }
        Ok(outcomes)
    }

    /// After a batch whose answer was lost: it may have been written, so nothing is planned on older knowledge.
    async fn catch_up(&self) {
        for cache in self.controller.caches() {
            let query = ListQuery {
                page_size: 1,
                ..ListQuery::all(cache.resource())
            };
            if let Ok(page) = self.executor.api.list(&query).await {
                cache.wait_revision(page.revision).await;
            }
        }
    }

    /// Tells what happened and sees to it that the key is looked at again when it should be.
    fn finish(&self, planned: Planned<C::Key>) {
        let Planned { key, plan, outcomes } = planned;
        self.controller.observe(&key, &outcomes);
        for note in plan.notes {
            self.executor
                .recorder
                .record_as(Some(self.controller.name()), note);
        }
        let mut failed = false;
        for (step, outcome) in plan.steps.into_iter().zip(&outcomes) {
            failed |= outcome.is_err();
            self.tell(step, outcome);
        }
        if failed {
            self.queue.add_failed(key.clone());
        } else {
            self.queue.forget(&key);
        }
        if let Some(wait) = plan.requeue_after {
            self.queue.add_after(key.clone(), wait);
        }
        self.queue.done_for(&key, self.controller.pace());
    }

    fn tell(&self, step: Step, outcome: &Result<Object, ApiError>) {
        let note = match outcome {
            Ok(object) => step.then.map(|mut note| {
                note.message = note.message.replace("{name}", &object.name);
                note
            }),
            Err(error) => {
                let controller = self.controller.name();
                if error.is_conflict()
                    || error.is_not_found()
                    || error.is_already_exists()
                    || error.is_transient()
                {
                    tracing::debug!(controller, write = ?Brief(&step.write), %error, "write refused, look again");
                } else {
                    tracing::warn!(controller, write = ?Brief(&step.write), %error, "write refused");
                }
                step.otherwise.map(|mut note| {
                    note.message = note.message.replace("{error}", error.message());
                    note
                })
            }
        };
        if let Some(note) = note {
            self.executor
                .recorder
                .record_as(Some(self.controller.name()), note);
        }
    }
}

/// Splits writes so that no batch is too long or too large.
fn chunks(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut chunks = Vec::new();
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for write in writes {
        let size = match &write {
            Write::Create { json, .. } | Write::Update { json, .. } => json.len(),
            Write::Patch { patch, .. } => patch.len(),
            Write::Delete { .. } => 0,
        };
        if !chunk.is_empty() && (chunk.len() == MAX_BATCH || bytes + size > BATCH_BYTES) {
            chunks.push(std::mem::take(&mut chunk));
            bytes = 0;
        }
        bytes += size;
        chunk.push(write);
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

/// A write for a log line: which object, without its body.
struct Brief<'a>(&'a Write);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (verb, resource, namespace, name) = match self.0 {
            Write::Create {
                resource,
                namespace,
                name,
                ..
            } => ("create", resource, namespace, name),
            Write::Update {
                resource,
                namespace,
                name,
                ..
            } => ("update", resource, namespace, name),
            Write::Patch {
                resource,
                namespace,
                name,
                ..
            } => ("patch", resource, namespace, name),
            Write::Delete {
                resource,
                namespace,
                name,
                ..
            } => ("delete", resource, namespace, name),
        };
        write!(f, "{verb} {resource} {namespace}/{name}")
    }
}
