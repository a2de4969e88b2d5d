//! The event recorder: tells people, through Event objects, what a component did and why it could not.
//!
//! Recording never waits and never fails. A token bucket bounds what a component may write; what exceeds it is
//! folded into one counted event on the owner, so that a thousand equal happenings are still told as one line.
//! Events are written in batches; those that could not be sent are kept, up to a limit, until the apiserver is back.

use std::{sync::Arc, time::Duration};

use coracle_client::{BatchOptions, ObjectApi, Write};
use coracle_service::{Clock, Env, Shutdown};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Backoff;

mod books;
#[cfg(test)]
mod tests;

use books::{Books, Sending};

/// How long events are gathered before they are written together.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// Waits between attempts while the apiserver does not take events.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The object that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty where cluster-scoped.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its revision when it happened; zero where unknown.
    pub revision: i64,
}

/// Whether an event is an ordinary step or something a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// An ordinary step.
    Normal,
    /// Something a person should look at.
    Warning,
}

impl Severity {
    /// The Event's `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// To which object.
    pub regarding: ObjectRef,
    /// Where it is counted when there is more to tell than may be told: the object's owner, else the object itself.
    pub owner: Option<ObjectRef>,
    /// How grave it is.
    pub severity: Severity,
    /// CamelCase, for machines.
    pub reason: &'static str,
    /// For people. In a [`crate::Step`]'s notes, `{name}` stands for the name of the object that was written and
    /// `{error}` for why it could not be.
    pub message: String,
}

impl Note {
    /// An ordinary step.
    #[must_use]
    pub fn normal(regarding: ObjectRef, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            regarding,
            owner: None,
            severity: Severity::Normal,
            reason,
            message: message.into(),
        }
    }

    /// Something that a person should look at.
    #[must_use]
    pub fn warning(regarding: ObjectRef, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::normal(regarding, reason, message)
        }
    }

    /// The same, counted on `owner` when there is too much to tell.
    #[must_use]
    pub fn counted_on(self, owner: ObjectRef) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }
}

/// Writes a component's events. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    books: Mutex<Books>,
    changed: Notify,
    clock: Clock,
}

impl Recorder {
    /// Starts a recorder that writes as `component` (for example `deployment-controller`) until shutdown.
    #[must_use]
    pub fn start(component: &str, api: Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) -> Self {
        let clock = env.cluster_clock.clone();
        let books = Mutex::new(Books::new(component, clock.monotonic()));
        let recorder = Self {
            shared: Arc::new(Shared {
                books,
                changed: Notify::new(),
                clock,
            }),
        };
        let (writer, env_of_task, shutdown) = (recorder.clone(), env.clone(), shutdown.clone());
        env.spawn.task("events", async move {
            shutdown.guard(writer.write(api, &env_of_task)).await;
        });
        recorder
    }

    /// Tells it, some time soon and perhaps as part of a count.
    pub fn record(&self, note: Note) {
        self.record_as(None, note);
    }

    /// Tells it in the name of another component than the recorder's own.
    pub fn record_as(&self, component: Option<&'static str>, note: Note) {
        let clock = &self.shared.clock;
        self.shared
            .books
            .lock()
            .enter(component, note, clock.now(), clock.monotonic());
        self.shared.changed.notify_one();
    }

    async fn write(&self, api: Arc<dyn ObjectApi>, env: &Env) {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        loop {
            self.shared.changed.notified().await;
            env.cluster_clock.sleep(FLUSH_INTERVAL).await;
            loop {
                let sending = self.shared.books.lock().close(self.shared.clock.monotonic());
                if sending.is_empty() {
                    break;
                }
                if self.send(&*api, sending).await {
                    backoff.reset();
                } else {
                    env.transport_clock.sleep(backoff.next(&env.random)).await;
                }
            }
            if self.shared.books.lock().owes() {
                // Counted events wait for tokens; nobody else will wake us for them.
                self.shared.changed.notify_one();
            }
        }
    }

    /// Whether the apiserver took the batch, whatever it thought of the single events.
    async fn send(&self, api: &dyn ObjectApi, sending: Vec<Sending>) -> bool {
        let writes: Vec<Write> = sending.iter().map(|sending| sending.write.clone()).collect();
        let options = BatchOptions {
            without_bodies: true,
            ..BatchOptions::default()
        };
        match api.batch(writes, &options).await {
            Ok(outcomes) => {
                self.shared.books.lock().sent(sending, &outcomes);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "write events");
                self.shared.books.lock().unsent(sending);
                false
            }
        }
    }
}
