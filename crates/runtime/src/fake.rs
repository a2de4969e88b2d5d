//! An apiserver in memory for tests of controllers: objects, revisions, watches, and faults on demand.
//!
//! It keeps the promises that controllers rely on (one revision order, watches without gap, conditions, fences,
//! finalizers, graceful deletion of bound pods, subresources) and leaves out what they do not: validation, defaults,
//! selectors, authorization. The real one is tested by itself. Not for production.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use coracle_api::{ApiError, Resource, kinds};
use coracle_client::{
    BatchOptions, Event, EventKind, ListPage, ListQuery, Object, ObjectApi, WatchQuery, WatchStream, Write,
    WriteOptions,
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

mod model;
mod value;

use crate::controller::resource_of;
use model::Model;

/// One client's way to the fake apiserver. Cheap to clone; clones are the same client.
#[derive(Clone)]
pub struct FakeApi {
    shared: Arc<Shared>,
    client: Arc<Mutex<Client>>,
}

/// What is special about one client.
#[derive(Default)]
struct Client {
    /// Writes that still succeed; afterwards everything fails.
    writes_left: Option<usize>,
    /// Writes that have succeeded.
    writes: usize,
    /// The number of events that its watches may see at most.
    sees: Option<usize>,
}

struct Shared {
    model: Mutex<Model>,
    /// The number of events that watches may see, and how often all watches were broken.
    visible: watch::Sender<(usize, u64)>,
    frozen: AtomicBool,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    /// Resume revisions below this are Expired.
    oldest: i64,
    /// Verbs and names of the writes that succeeded, in order.
    log: Vec<String>,
}

impl Default for FakeApi {
    fn default() -> Self {
        Self::new(Timestamp::UNIX_EPOCH)
    }
}

impl FakeApi {
    /// No objects; timestamps of creation and deletion are `now` until [`FakeApi::set_now`].
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            shared: Arc::new(Shared {
                model: Mutex::new(Model::new(now)),
                visible: watch::channel((0, 0)).0,
                frozen: AtomicBool::new(false),
                faults: Mutex::default(),
            }),
            client: Arc::default(),
        }
    }

    /// Another client of the same apiserver, which can be cut off by itself.
    #[must_use]
    pub fn another_client(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            client: Arc::default(),
        }
    }

    /// The time that is written into objects from now on.
    pub fn set_now(&self, now: Timestamp) {
        self.shared.model.lock().now = now;
    }

    /// Stores an object as it is, status and deletion timestamp included; answers its revision.
    ///
    /// # Panics
    /// If the value has no name.
    pub fn seed(&self, resource: &'static Resource, object: Value) -> i64 {
        let revision = self.shared.model.lock().seed(resource, object);
        self.publish();
        revision
    }

    /// The object as it is now.
    #[must_use]
    pub fn find(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Value> {
        self.shared.model.lock().find(resource, namespace, name)
    }

    /// All objects of a kind, by namespace and name.
    #[must_use]
    pub fn all(&self, resource: &'static Resource) -> Vec<Value> {
        self.shared.model.lock().all(resource)
    }

    /// Verb and name of every successful write so far, for example `create pods ns/web-1`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.shared.faults.lock().log.clone()
    }

    /// After `writes` more writes of this client everything fails for it; `None` heals. Leases and Events, which come
    /// when time passes, are written and not counted.
    pub fn fail_after(&self, writes: Option<usize>) {
        self.client.lock().writes_left = writes;
    }

    /// How many writes of this client have succeeded, Leases and Events not counted.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.client.lock().writes
    }

    /// How many changes there have been, by whomever: a position for [`FakeApi::see_until`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.shared.model.lock().history.len()
    }

    /// Watches of this client, those that begin later included, see nothing after `position`: it lives in the past,
    /// while what it reads directly is the present. `None` brings it back.
    pub fn see_until(&self, position: Option<usize>) {
        self.client.lock().sees = position;
        self.shared.visible.send_modify(|_| {});
    }

    /// What of `visible` events this client sees.
    fn seen(&self, visible: usize) -> usize {
        self.client.lock().sees.map_or(visible, |sees| sees.min(visible))
    }

    /// Whether the limit of [`FakeApi::fail_after`] was reached.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.client.lock().writes_left == Some(0)
    }

    /// Watches see nothing new until thawed: readers work on a stale view.
    pub fn freeze_watches(&self, frozen: bool) {
        self.shared.frozen.store(frozen, Ordering::SeqCst);
        self.publish();
    }

    /// How many watches are being followed.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.shared.visible.receiver_count()
    }

    /// Ends all watches with an error; they may resume.
    pub fn break_watches(&self) {
        self.shared.visible.send_modify(|(_, broken)| *broken += 1);
    }

    /// Ends all watches, and forgets history: whoever resumes must list anew.
    pub fn expire_watches(&self) {
        self.shared.faults.lock().oldest = self.shared.model.lock().revision;
        self.break_watches();
    }

    /// Waits for the next write, by whomever, or for a fault.
    pub async fn changed(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.shared.visible.subscribe().changed().await;
    }

    fn publish(&self) {
        if !self.shared.frozen.load(Ordering::SeqCst) {
            let seen = self.shared.model.lock().history.len();
            self.shared.visible.send_modify(|(visible, _)| *visible = seen);
        }
    }

    fn check_connection(&self) -> Result<(), ApiError> {
        if self.is_cut_off() {
            Err(ApiError::unavailable("the fake is cut off"))
        } else {
            Ok(())
        }
    }

    fn apply(&self, write: Write) -> Result<Object, ApiError> {
        let mut client = self.client.lock();
        if client.writes_left == Some(0) {
            return Err(ApiError::unavailable("the fake is cut off"));
        }
        let counts = ![kinds::LEASE, kinds::EVENT].contains(&resource_of(&write));
        let (line, object) = self.shared.model.lock().apply(write)?;
        self.shared.faults.lock().log.push(line);
        if counts {
            client.writes += 1;
            client.writes_left = client.writes_left.map(|left| left - 1);
        }
        Ok(object)
    }
}

#[async_trait]
impl ObjectApi for FakeApi {
    async fn get(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Object, ApiError> {
        self.check_connection()?;
        self.shared.model.lock().get(resource, namespace, name)
    }

    async fn get_scale(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Object, ApiError> {
        let object = self.get(resource, namespace, name).await?;
        let own: Value = object.read()?;
        let labels = own["spec"]["selector"]["matchLabels"].as_object();
        let selector: Vec<String> = labels
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let scale = serde_json::json!({
            "metadata": own["metadata"],
            "spec": {"replicas": own["spec"]["replicas"]},
            "status": {"replicas": own["status"]["replicas"].as_i64().unwrap_or(0), "selector": selector.join(",")},
        });
        Ok(Object {
            json: scale.to_string().into(),
            ..object
        })
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, ApiError> {
        self.check_connection()?;
        let model = self.shared.model.lock();
        let objects = model.objects_of(query.resource, &query.namespace);
        Ok(ListPage {
            objects,
            next_page_token: String::new(),
            // What a watch of this kind will show without bookmarks; whoever waits for it need not wait for other kinds.
            revision: model.revision_of(query.resource),
        })
    }

    async fn watch(&self, query: &WatchQuery) -> Result<WatchStream, ApiError> {
        self.check_connection()?;
        let oldest = self.shared.faults.lock().oldest;
        if query.from_revision != 0 && query.from_revision < oldest {
            return Err(ApiError::expired(query.from_revision, oldest));
        }
        let mut visible = self.shared.visible.subscribe();
        let (seen, broken) = *visible.borrow_and_update();
        let seen = self.seen(seen);
        let model = self.shared.model.lock();
        let (first, next) = match query.from_revision {
            0 => (model.initial(query, seen), seen),
            from => (Vec::new(), model.position_after(from)),
        };
        drop(model);
        let state = Follow {
            api: self.clone(),
            query: query.clone(),
            visible,
            broken,
            next,
            ended: false,
        };
        let changes = stream::unfold(state, Follow::step);
        Ok(stream::iter((!first.is_empty()).then_some(Ok(first)))
            .chain(changes)
            .boxed())
    }

    async fn write(&self, write: Write, options: &WriteOptions) -> Result<Object, ApiError> {
        if let Some(fence) = &options.fence {
            self.shared.model.lock().check_fence(fence)?;
        }
        let outcome = self.apply(write);
        self.publish();
        outcome
    }

    async fn batch(
        &self,
        writes: Vec<Write>,
        options: &BatchOptions,
    ) -> Result<Vec<Result<Object, ApiError>>, ApiError> {
        self.check_connection()?;
        if let Some(fence) = &options.fence {
            self.shared.model.lock().check_fence(fence)?;
        }
        let outcomes = writes.into_iter().map(|write| self.apply(write)).collect();
        self.publish();
        Ok(outcomes)
    }
}

/// A watch that is being followed.
struct Follow {
    api: FakeApi,
    query: WatchQuery,
    visible: watch::Receiver<(usize, u64)>,
    broken: u64,
    next: usize,
    ended: bool,
}

impl Follow {
    async fn step(mut self) -> Option<(Result<Vec<Event>, ApiError>, Self)> {
        loop {
            if self.ended {
                return None;
            }
            let (visible, broken) = *self.visible.borrow_and_update();
            let visible = self.api.seen(visible);
            if broken != self.broken {
                self.ended = true;
                return Some((Err(ApiError::unavailable("the fake broke the watch")), self));
            }
            if !self
                .api
                .shared
                .model
                .lock()
                .has_news(self.query.resource, self.next..visible)
            {
                // A real watch tells its progress now and then; nobody waits for it.
                self.next = self.next.max(visible);
            } else {
                let mut events = self
                    .api
                    .shared
                    .model
                    .lock()
                    .events(&self.query, self.next..visible);
                self.next = visible;
                let revision = self.api.shared.model.lock().revision_at(visible);
                if events.last().is_none_or(|event| event.revision < revision) {
                    events.push(Event {
                        kind: EventKind::Bookmark,
                        revision,
                    });
                }
                return Some((Ok(events), self));
            }
            self.visible.changed().await.ok()?;
        }
    }
}

/// Names of the nodes that a watch is limited to.
fn node_names(query: &WatchQuery) -> Option<BTreeSet<&str>> {
    (!query.node_names.is_empty()).then(|| query.node_names.iter().map(String::as_str).collect())
}
