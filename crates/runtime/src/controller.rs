//! What a controller is: a way to see, and a pure way to think.
//!
//! [`Controller::snapshot`] gathers what is known about one key; [`Controller::plan`] decides, without IO, clock or
//! randomness, what to write. The executor does the writing. A controller is level-driven: it may be asked about any
//! key at any time and must come to the same end, however many changes it was not told of.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, Resource};
use coracle_client::{Object, Write};
use jiff::Timestamp;

use crate::{Cache, Note, Project};

/// A control loop's part that is different from all others.
#[async_trait]
pub trait Controller: Send + Sync + 'static {
    /// What is reconciled: usually a [`crate::Key`].
    type Key: Clone + Ord + Debug + Send + Sync + 'static;
    /// Everything that a plan for a key rests upon.
    type Snapshot: Send + Sync;

    /// For logs and events, for example `replicaset-controller`.
    fn name(&self) -> &'static str;

    /// The caches that snapshots are read from. Nothing is planned before all are synced, nor for a key before they
    /// show what was last written for it.
    fn caches(&self) -> Vec<Arc<dyn Watched>>;

    /// All keys there are, for when the queue had to refuse some.
    fn keys(&self) -> Vec<Self::Key>;

    /// What is known about `key`; `None` where there is nothing to do for it.
    ///
    /// # Errors
    /// Of a live read, where one is needed. The key is tried again later.
    async fn snapshot(&self, key: &Self::Key) -> Result<Option<Self::Snapshot>, ApiError>;

    /// What should be written, given what is known.
    fn plan(&self, snapshot: &Self::Snapshot, now: Timestamp) -> Plan;

    /// How the steps of a key's plan went, in order; for controllers that remember failures.
    fn observe(&self, _key: &Self::Key, _outcomes: &[Result<Object, ApiError>]) {}

    /// The shortest time between two looks at the same key. Gathers the many small changes of a busy key.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }
}

/// What to do for a key.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Writes, independent of each other: each is judged by itself. Those on the same object apply in order.
    pub steps: Vec<Step>,
    /// What to tell whatever becomes of the steps.
    pub notes: Vec<Note>,
    /// Look again after this, even if nothing changes.
    pub requeue_after: Option<Duration>,
    /// Creations are tried one, then two, then four and so on at a time, after the other steps, and no more of them once
    /// one was refused: a full quota is not asked five hundred times for the same. Upstream calls it slow start.
    pub slow_start: bool,
}

/// One write of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// The write.
    pub write: Write,
    /// What to tell once it is done; `{name}` in the message becomes the written object's name.
    pub then: Option<Note>,
    /// What to tell where it was refused; `{error}` in the message becomes the reason.
    pub otherwise: Option<Note>,
}

impl Plan {
    /// Adds a write that nobody needs to be told of.
    pub fn write(&mut self, write: Write) {
        self.steps.push(Step {
            write,
            then: None,
            otherwise: None,
        });
    }

    /// Adds a write, telling `then` once it is done.
    pub fn write_and_tell(&mut self, write: Write, then: Note) {
        self.steps.push(Step {
            write,
            then: Some(then),
            otherwise: None,
        });
    }

    /// Looks again after `wait`, or earlier where that was asked for before.
    pub fn look_again_after(&mut self, wait: Duration) {
        self.requeue_after = Some(self.requeue_after.map_or(wait, |earlier| earlier.min(wait)));
    }

    /// Whether there is nothing to write or tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.notes.is_empty()
    }
}

/// A cache, as far as waiting for it goes.
#[async_trait]
pub trait Watched: Send + Sync {
    /// The kind.
    fn resource(&self) -> &'static Resource;
    /// Whether the present state has been told in full once.
    fn is_synced(&self) -> bool;
    /// Waits for that.
    async fn wait_synced(&self);
    /// Waits until the cache shows a write that was acknowledged before the call. See [`Cache::wait_revision`].
    async fn wait_revision(&self, revision: i64);
}

#[async_trait]
impl<T: Project> Watched for Cache<T> {
    fn resource(&self) -> &'static Resource {
        Self::resource(self)
    }

    fn is_synced(&self) -> bool {
        Self::is_synced(self)
    }

    async fn wait_synced(&self) {
        Self::wait_synced(self).await;
    }

    async fn wait_revision(&self, revision: i64) {
        Self::wait_revision(self, revision).await;
    }
}

/// The resource that a write changes.
#[must_use]
pub fn resource_of(write: &Write) -> &'static Resource {
    match write {
        Write::Create { resource, .. }
        | Write::Update { resource, .. }
        | Write::Patch { resource, .. }
        | Write::Delete { resource, .. } => resource,
    }
}
