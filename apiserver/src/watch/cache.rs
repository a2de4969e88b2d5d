//! The watch cache: the latest state of every object, fed by the store's writer before any write is acknowledged.
//!
//! Promises: reads from here are never behind an acknowledged write; a list and a watch from its revision leave no
//! gap. One lock guards everything; what is done under it is counted in microseconds, and nothing is parsed there.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, OnceLock},
};

use coracle_api::{ApiError, Resource, kinds};
use coracle_service::{Clock, Spawn};
use coracle_store::{ChangeKind, Key, Published, Publisher, ReadError, Store};
use parking_lot::RwLock;

use super::{
    Attributes, Entry, Filter, Watch,
    event::Change,
    hub::{Fan, Hub, Interest, Registration},
    queue::Queue,
    window::{MAX_WINDOW_BYTES, Window},
};
use crate::registry::custom::stored_form;

/// Reads an object's attributes from its JSON; only where the registry did not hand them along: at start, and for
/// watches below the window.
pub type Describe = fn(&'static Resource, &[u8]) -> Option<Attributes>;

/// Told of every change under the cache's lock, before it is acknowledged: the kind, the entry, and whether the object
/// is still there.
pub type Observer = Box<dyn Fn(&'static Resource, &Entry, bool) + Send + Sync>;

/// Objects read from the store at a time while the cache is filled.
const LOAD_PAGE: usize = 1_000;

/// See the module.
pub struct WatchCache {
    pub(super) store: Arc<dyn Store>,
    pub(super) describe: Describe,
    pub(super) clock: Clock,
    pub(super) spawn: Spawn,
    observer: OnceLock<Observer>,
    state: RwLock<State>,
}

struct State {
    revision: i64,
    kinds: Vec<Latest>,
    /// The stored rows of custom kinds by their prefix.
    custom: BTreeMap<&'static str, &'static Resource>,
    window: Window,
    hub: Hub,
}

/// The latest objects of one kind.
#[derive(Default)]
struct Latest {
    entries: BTreeMap<Key, Entry>,
    /// How the keys of this kind begin.
    prefix: &'static str,
    /// The last change of any object of this kind.
    revision: i64,
}

/// A watcher's place, and the changes that it missed.
pub(super) type Resumed = (Registration, Vec<Arc<Change>>);

/// A page of cached objects.
pub struct Page {
    /// In key order.
    pub entries: Vec<Entry>,
    /// The revision that the page shows.
    pub revision: i64,
    /// How many more matched and did not fit.
    pub remaining: usize,
}

impl WatchCache {
    /// Reads everything from the store and follows it from there. Nobody may write meanwhile.
    ///
    /// # Errors
    /// The store's, where an object cannot be read.
    pub fn open(
        store: Arc<dyn Store>,
        describe: Describe,
        clock: Clock,
        spawn: Spawn,
    ) -> Result<Arc<Self>, ReadError> {
        Self::with_window(store, describe, clock, spawn, MAX_WINDOW_BYTES)
    }

    /// As [`WatchCache::open`], with another size of the window.
    pub(crate) fn with_window(
        store: Arc<dyn Store>,
        describe: Describe,
        clock: Clock,
        spawn: Spawn,
        window_bytes: usize,
    ) -> Result<Arc<Self>, ReadError> {
        let kinds = kinds::RESOURCES.len();
        // Events are many, short-lived and rarely watched: they must not push everything else out.
        let is_kept = |kind: usize| kinds::RESOURCES.get(kind).is_some_and(|row| *row != kinds::EVENT);
        let window = Window::new(kinds, 0, window_bytes, is_kept);
        let state = State {
            revision: 0,
            kinds: (0..kinds).map(|_| Latest::default()).collect(),
            custom: BTreeMap::new(),
            window,
            hub: Hub::default(),
        };
        let cache = Arc::new(Self {
            store: Arc::clone(&store),
            describe,
            clock,
            spawn,
            observer: OnceLock::new(),
            state: RwLock::new(state),
        });
        let publisher: Arc<dyn Publisher> = Arc::clone(&cache) as Arc<dyn Publisher>;
        let revision = store.subscribe(publisher);
        let mut state = cache.state.write();
        state.revision = revision;
        state.window = Window::new(kinds, revision, window_bytes, is_kept);
        // Versions that are not stored have a place and no objects of their own.
        let rows = state.kinds.iter_mut().zip(kinds::RESOURCES);
        for (latest, resource) in rows.filter(|(_, resource)| resource.is_storage()) {
            latest.load(&*store, resource, describe, revision)?;
        }
        drop(state);
        Ok(cache)
    }

    /// Has `observer` told of every change from now on; only the first call counts.
    pub fn observe_with(&self, observer: Observer) {
        let _ = self.observer.set(observer);
    }

    /// Also keeps the objects of a custom kind from now on. Again with another row, it reads them anew, because
    /// another version is the stored one.
    ///
    /// # Errors
    /// The store's, where an object cannot be read.
    pub fn add_kind(&self, resource: &'static Resource) -> Result<(), ReadError> {
        let mut state = self.state.write();
        let known = state.custom.insert(resource.store_prefix(), resource);
        if known.is_some_and(|known| std::ptr::eq(known, resource)) {
            return Ok(());
        }
        let (place, revision) = (kind_of(resource), state.revision);
        state.window.grow(place + 1, revision);
        while state.kinds.len() <= place {
            state.kinds.push(Latest::default());
        }
        let mut latest = Latest::default();
        latest.load(&*self.store, resource, self.describe, revision)?;
        if let Some(own) = state.kinds.get_mut(place) {
            *own = latest;
        }
        Ok(())
    }

    /// The latest revision.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.state.read().revision
    }

    /// An object as it is now.
    #[must_use]
    pub fn get(&self, resource: &Resource, key: &str) -> Option<Entry> {
        self.state
            .read()
            .kinds
            .get(kind_of(resource))?
            .entries
            .get(key)
            .cloned()
    }

    /// The revision of the last change of any object of a kind; zero where there was none.
    #[must_use]
    pub fn last_change(&self, resource: &Resource) -> i64 {
        let state = self.state.read();
        let latest = state.kinds.get(kind_of(resource));
        latest.map_or(0, |latest| latest.revision)
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, resource: &Resource) -> usize {
        let state = self.state.read();
        let latest = state.kinds.get(kind_of(resource));
        latest.map_or(0, |latest| latest.entries.len())
    }

    /// Objects after `start_after` in key order, at most `limit` (zero for all). With `at`, the page shows that
    /// revision, and there is none where an object of the kind has changed since.
    #[must_use]
    pub fn list(
        &self,
        resource: &Resource,
        filter: &Filter,
        start_after: Option<&str>,
        limit: usize,
        at: Option<i64>,
    ) -> Option<Page> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let prefix = prefix_of(resource, &filter.namespace);
        let state = self.state.read();
        let latest = state.kinds.get(kind_of(resource))?;
        if at.is_some_and(|at| at < latest.revision || at > state.revision) {
            return None;
        }
        let from = match start_after {
            Some(key) => Bound::Excluded(key),
            None => Bound::Included(prefix.as_str()),
        };
        let mut page = Page {
            entries: Vec::new(),
            revision: at.unwrap_or(state.revision),
            remaining: 0,
        };
        let range = latest.entries.range::<str, _>((from, Bound::Unbounded));
        for (_, entry) in range.take_while(|(key, _)| key.starts_with(&prefix)) {
            if !filter.matches(&entry.attributes) {
                continue;
            }
            if page.entries.len() < limit {
                page.entries.push(entry.clone());
            } else {
                page.remaining += 1;
            }
        }
        Some(page)
    }

    /// Changes from now on, with the objects that are there now.
    pub(super) fn follow(
        &self,
        kind: usize,
        filter: &Filter,
        queue: &Arc<Queue>,
    ) -> (Registration, Vec<Entry>, i64) {
        let mut state = self.state.write();
        let entries = state.kinds.get(kind).map(|latest| {
            let prefix = latest.prefix_of(&filter.namespace);
            let range = latest
                .entries
                .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
            let of_scope = range
                .take_while(|(key, _)| key.starts_with(&prefix))
                .map(|(_, entry)| entry);
            of_scope
                .filter(|entry| filter.matches(&entry.attributes))
                .cloned()
                .collect()
        });
        let registration = state.hub.register(Interest::of(kind, filter), Arc::clone(queue));
        (registration, entries.unwrap_or_default(), state.revision)
    }

    /// Changes from now on, with those since `revision`; `None` where the window does not reach back so far.
    pub(super) fn resume(
        &self,
        kind: usize,
        filter: &Filter,
        queue: &Arc<Queue>,
        revision: i64,
    ) -> Result<Option<Resumed>, ApiError> {
        let mut state = self.state.write();
        if revision > state.revision {
            return Err(ApiError::too_large_resource_version(revision, state.revision));
        }
        let Some(missed) = state.window.after(kind, revision) else {
            return Ok(None);
        };
        let registration = state.hub.register(Interest::of(kind, filter), Arc::clone(queue));
        Ok(Some((registration, missed)))
    }

    /// The latest revision, where the queue has everything up to it and nothing waits in it.
    pub(super) fn progress(&self, queue: &Queue) -> Option<i64> {
        // The writer fills queues under this lock, so an empty queue is empty up to the revision.
        let state = self.state.read();
        queue.is_empty().then_some(state.revision)
    }

    /// How many watches run.
    pub(super) fn watchers(&self) -> usize {
        self.state.read().hub.watchers()
    }

    pub(super) fn forget(&self, registration: &Registration) {
        self.state.write().hub.unregister(registration);
    }

    /// Begins a watch; see [`Watch`].
    ///
    /// # Errors
    /// [`ApiError`], expired, where history does not reach back so far.
    pub fn watch(
        self: &Arc<Self>,
        resource: &'static Resource,
        filter: Filter,
        from: crate::registry::Start,
        bookmarks: bool,
    ) -> Result<Watch, ApiError> {
        Watch::begin(Arc::clone(self), resource, filter, from, bookmarks)
    }

    #[cfg(test)]
    pub(super) fn has_watchers(&self) -> bool {
        !self.state.read().hub.is_empty()
    }
}

impl State {
    /// The custom kind of a key: keys of custom kinds are `/GROUP/PLURAL/NAMESPACE/NAME`.
    fn custom_of(&self, key: &str) -> Option<&'static Resource> {
        let mut slashes = key.match_indices('/').map(|(at, _)| at);
        let end = slashes.nth(2)?;
        self.custom.get(key.get(..=end)?).copied()
    }
}

impl Latest {
    fn prefix_of(&self, namespace: &str) -> String {
        if namespace.is_empty() {
            self.prefix.to_owned()
        } else {
            format!("{}{namespace}/", self.prefix)
        }
    }

    fn load(
        &mut self,
        store: &dyn Store,
        resource: &'static Resource,
        describe: Describe,
        at: i64,
    ) -> Result<(), ReadError> {
        self.prefix = resource.store_prefix();
        let mut start_after: Option<Key> = None;
        loop {
            let page = store.range(resource.store_prefix(), start_after.as_deref(), LOAD_PAGE, at)?;
            start_after = page.last().map(|stored| Arc::clone(&stored.key));
            if start_after.is_none() {
                return Ok(());
            }
            for stored in page {
                let attributes = describe(resource, &stored.json).ok_or_else(|| ReadError::Damaged {
                    revision: stored.revision,
                    detail: format!("{} is not a {}", stored.key, resource.kind),
                })?;
                self.revision = self.revision.max(stored.revision);
                let entry = Entry {
                    key: Arc::clone(&stored.key),
                    revision: stored.revision,
                    json: stored_form(resource, stored.json),
                    attributes: Arc::new(attributes),
                };
                self.entries.insert(stored.key, entry);
            }
        }
    }
}

impl Publisher for WatchCache {
    fn publish(&self, changes: &[Published]) {
        let mut state = self.state.write();
        let state = &mut *state;
        let mut fan = Fan::default();
        for published in changes {
            state.revision = published.revision;
            let Some(resource) = kinds::of_key(&published.key).or_else(|| state.custom_of(&published.key))
            else {
                continue;
            };
            let kind = kind_of(resource);
            let describe = |_| Arc::new((self.describe)(resource, &published.json).unwrap_or_default());
            let attributes = Arc::clone(&published.attachment)
                .downcast::<Attributes>()
                .unwrap_or_else(describe);
            let entry = Entry {
                key: Arc::clone(&published.key),
                revision: published.revision,
                json: published.json.clone(),
                attributes,
            };
            let deleted = published.kind == ChangeKind::Delete;
            let Some(latest) = state.kinds.get_mut(kind) else {
                continue;
            };
            latest.revision = published.revision;
            let previous = if deleted {
                latest.entries.remove(&published.key)
            } else {
                latest.entries.insert(Arc::clone(&published.key), entry.clone())
            };
            if let Some(observer) = self.observer.get() {
                observer(resource, &entry, !deleted);
            }
            let change = Arc::new(Change {
                kind,
                revision: published.revision,
                deleted,
                entry,
                previous,
                left: OnceLock::new(),
            });
            state.hub.collect(&change, &mut fan);
            state.window.push(change);
        }
        state.hub.deliver(fan);
    }
}

/// The place of a kind in the table: all its versions are one.
pub(super) fn kind_of(resource: &Resource) -> usize {
    resource.storage().place
}

fn prefix_of(resource: &Resource, namespace: &str) -> String {
    let prefix = resource.store_prefix();
    if namespace.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}{namespace}/")
    }
}
