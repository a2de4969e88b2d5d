//! What a component knows of one kind: its own projection of every object, indexed as it needs, as of one revision.
//!
//! One writer (the informer) and many readers. It promises that readers see changes in revision order, that indexes
//! agree with the objects at every moment, and that subscribers are told of every difference, once and in order,
//! whatever happened to the connection meanwhile. It does not promise to be current: see [`Cache::wait_revision`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use coracle_api::{ApiError, Resource};
use coracle_client::Object;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::Key;

mod index;
#[cfg(test)]
mod tests;

pub use index::Index;
use index::Indexes;

/// A consumer's own view of an object, read straight from its JSON: only the fields that it acts upon.
pub trait Project: Sized + Send + Sync + 'static {
    /// Reads the object.
    ///
    /// # Errors
    /// Where the JSON is not that of the kind. The object is then left as the cache knew it.
    fn project(object: &Object) -> Result<Self, ApiError>;
}

/// One difference, as subscribers are told of it.
#[derive(Debug)]
pub struct Change<T> {
    /// Which object.
    pub key: Key,
    /// As it was; `None` where it is new.
    pub old: Option<Arc<T>>,
    /// As it is; `None` where it is gone.
    pub new: Option<Arc<T>>,
}

impl<T> Change<T> {
    /// As it was and as it is, whichever there are.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<T>> {
        self.old.iter().chain(self.new.iter())
    }
}

/// Everything known of one kind. Cheap to clone; clones share the objects.
pub struct Cache<T> {
    shared: Arc<Shared<T>>,
}

type Subscriber<T> = Box<dyn Fn(&Change<T>) + Send + Sync>;

struct Shared<T> {
    resource: &'static Resource,
    objects: RwLock<Objects<T>>,
    /// Held while changes are applied and told, so that a late subscriber misses and repeats nothing.
    subscribers: Mutex<Vec<Subscriber<T>>>,
    progress: Mutex<Progress>,
    /// Wakes who waits for progress in the order in which they came, which a watch channel leaves to chance.
    moved: Notify,
}

struct Objects<T> {
    by_key: BTreeMap<Key, Entry<T>>,
    indexes: Indexes<T>,
}

struct Entry<T> {
    revision: i64,
    /// Tells a recreated object from a changed one without keeping 36 bytes of text.
    uid_hash: u64,
    value: Arc<T>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    revision: i64,
    /// How often the present state has been told in full.
    lists: u64,
}

/// One observation by the informer.
#[derive(Clone, Debug)]
pub(crate) enum Observation {
    Present(Object),
    Gone(Object),
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: Project> Cache<T> {
    /// An empty cache, not synced, for [`crate::informer::start`] to fill.
    #[must_use]
    pub fn new(resource: &'static Resource) -> Self {
        let objects = RwLock::new(Objects {
            by_key: BTreeMap::new(),
            indexes: Indexes::default(),
        });
        Self {
            shared: Arc::new(Shared {
                resource,
                objects,
                subscribers: Mutex::default(),
                progress: Mutex::default(),
                moved: Notify::new(),
            }),
        }
    }

    /// The kind.
    #[must_use]
    pub fn resource(&self) -> &'static Resource {
        self.shared.resource
    }

    /// Keeps objects findable by texts that `keys_of` derives from each, from now on. See [`Cache::by_index`].
    pub fn index(&self, keys_of: impl Fn(&T, &mut Vec<String>) + Send + Sync + 'static) -> Index<T> {
        let mut objects = self.shared.objects.write();
        let Objects { by_key, indexes } = &mut *objects;
        indexes.add(
            Box::new(keys_of),
            by_key.iter().map(|(key, entry)| (key, &*entry.value)),
        )
    }

    /// Calls `subscriber` with the present objects as new ones, and with every change from then on.
    ///
    /// It is called on the informer's task after the cache shows the change; it must not block, and must not
    /// subscribe in turn.
    pub fn subscribe(&self, subscriber: impl Fn(&Change<T>) + Send + Sync + 'static) {
        let mut subscribers = self.shared.subscribers.lock();
        for (key, value) in self.entries() {
            subscriber(&Change {
                key,
                old: None,
                new: Some(value),
            });
        }
        subscribers.push(Box::new(subscriber));
    }

    /// The object of this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
        self.get_key(&Key::new(namespace, name))
    }

    /// The object of this key.
    #[must_use]
    pub fn get_key(&self, key: &Key) -> Option<Arc<T>> {
        self.shared
            .objects
            .read()
            .by_key
            .get(key)
            .map(|entry| Arc::clone(&entry.value))
    }

    /// All objects, by namespace.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<T>> {
        self.shared
            .objects
            .read()
            .by_key
            .values()
            .map(|entry| Arc::clone(&entry.value))
            .collect()
    }

    /// The keys of all objects, by namespace.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        self.shared.objects.read().by_key.keys().cloned().collect()
    }

    /// All objects with their keys, by namespace.
    #[must_use]
    pub fn entries(&self) -> Vec<(Key, Arc<T>)> {
        let objects = self.shared.objects.read();
        objects
            .by_key
            .iter()
            .map(|(key, entry)| (key.clone(), Arc::clone(&entry.value)))
            .collect()
    }

    /// The objects of one namespace, by name.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        let objects = self.shared.objects.read();
        let from = objects.by_key.range(Key::first_of(namespace)..);
        from.take_while(|(key, _)| key.namespace() == namespace)
            .map(|(_, entry)| Arc::clone(&entry.value))
            .collect()
    }

    /// The objects that `index` files under `text`, by namespace and name.
    #[must_use]
    pub fn by_index(&self, index: Index<T>, text: &str) -> Vec<Arc<T>> {
        let objects = self.shared.objects.read();
        let keys = objects.indexes.find(index, text);
        let entries = keys
            .into_iter()
            .flatten()
            .filter_map(|key| objects.by_key.get(key));
        entries.map(|entry| Arc::clone(&entry.value)).collect()
    }

    /// The keys of the objects that `index` files under `text`, by namespace and name.
    #[must_use]
    pub fn keys_by_index(&self, index: Index<T>, text: &str) -> Vec<Key> {
        self.shared
            .objects
            .read()
            .indexes
            .find(index, text)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// How many objects `index` files under `text`, without looking at them.
    #[must_use]
    pub fn count(&self, index: Index<T>, text: &str) -> usize {
        self.shared
            .objects
            .read()
            .indexes
            .find(index, text)
            .map_or(0, BTreeSet::len)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.objects.read().by_key.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the present state has been told in full once. Nothing may be concluded from absence before.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.shared.progress.lock().lists > 0
    }

    /// The cache shows everything up to this revision.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.shared.progress.lock().revision
    }

    /// Waits for [`Cache::is_synced`].
    pub async fn wait_synced(&self) {
        self.wait(|progress| progress.lists > 0).await;
    }

    /// Waits until the cache shows a write of `revision` that was acknowledged before the call.
    ///
    /// A state told in full since then shows it too, whatever its number: an apiserver whose data was restored
    /// counts from an older revision, and nobody may wait for the old one forever.
    pub async fn wait_revision(&self, revision: i64) {
        let lists = self.shared.progress.lock().lists;
        self.wait(|progress| progress.revision >= revision || progress.lists > lists)
            .await;
    }

    async fn wait(&self, reached: impl Fn(&Progress) -> bool) {
        loop {
            // Made before the look, so that no progress falls between the two.
            let moved = self.shared.moved.notified();
            if reached(&self.shared.progress.lock()) {
                return;
            }
            moved.await;
        }
    }

    /// Shows `observations` and tells them; the cache then stands at `revision`.
    pub(crate) fn apply(&self, observations: Vec<Observation>, revision: i64) {
        let subscribers = self.shared.subscribers.lock();
        // Reading JSON is the expensive part, so it is done before readers are kept waiting.
        let read: Vec<_> = observations
            .into_iter()
            .filter_map(|seen| self.read(seen))
            .collect();
        let mut changes = Vec::with_capacity(read.len());
        {
            let mut objects = self.shared.objects.write();
            for (key, entry) in read {
                objects.put(key, entry, &mut changes);
            }
        }
        tell(&subscribers, &changes);
        let mut progress = self.shared.progress.lock();
        if revision > progress.revision {
            progress.revision = revision;
            self.shared.moved.notify_waiters();
        }
    }

    /// The present state has been told in full: whatever is not in `present` is gone.
    pub(crate) fn finish_list(&self, present: &BTreeSet<Key>, revision: i64) {
        let subscribers = self.shared.subscribers.lock();
        let mut changes = Vec::new();
        {
            let mut objects = self.shared.objects.write();
            let gone: Vec<Key> = objects
                .by_key
                .keys()
                .filter(|key| !present.contains(key))
                .cloned()
                .collect();
            for key in gone {
                objects.put(key, None, &mut changes);
            }
        }
        tell(&subscribers, &changes);
        let mut progress = self.shared.progress.lock();
        // Not the maximum: restored data counts from an older revision.
        progress.revision = revision;
        progress.lists += 1;
        self.shared.moved.notify_waiters();
    }

    fn read(&self, seen: Observation) -> Option<(Key, Option<Entry<T>>)> {
        match seen {
            Observation::Gone(object) => Some((Key::of(&object), None)),
            Observation::Present(object) => match T::project(&object) {
                Ok(value) => {
                    let uid_hash = hash(&object.uid);
                    let entry = Entry {
                        revision: object.revision,
                        uid_hash,
                        value: Arc::new(value),
                    };
                    Some((Key::of(&object), Some(entry)))
                }
                Err(error) => {
                    tracing::error!(resource = %self.shared.resource, ?object, %error, "read watched object");
                    None
                }
            },
        }
    }
}

impl<T> Objects<T> {
    fn put(&mut self, key: Key, entry: Option<Entry<T>>, changes: &mut Vec<Change<T>>) {
        let old = match &entry {
            Some(entry) => match self.by_key.get(&key) {
                // A list repeats what is known.
                Some(old) if old.revision == entry.revision && old.uid_hash == entry.uid_hash => return,
                Some(old) if old.uid_hash != entry.uid_hash => {
                    // Deleted and made anew while nobody looked: consumers are told of both.
                    self.put(key.clone(), None, changes);
                    None
                }
                old => old.map(|old| Arc::clone(&old.value)),
            },
            None => match self.by_key.get(&key) {
                Some(old) => Some(Arc::clone(&old.value)),
                None => return,
            },
        };
        let new = entry.as_ref().map(|entry| Arc::clone(&entry.value));
        self.indexes.replace(&key, old.as_deref(), new.as_deref());
        match entry {
            Some(entry) => {
                self.by_key.insert(key.clone(), entry);
            }
            None => {
                self.by_key.remove(&key);
            }
        }
        changes.push(Change { key, old, new });
    }
}

fn tell<T>(subscribers: &[Subscriber<T>], changes: &[Change<T>]) {
    for change in changes {
        for subscriber in subscribers {
            subscriber(change);
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A map that is only ever looked up, never walked, so its hasher's order shows nowhere.
type Lookup<V> = HashMap<Box<str>, V>;
