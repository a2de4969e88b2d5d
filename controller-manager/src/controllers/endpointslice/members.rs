//! Which pods each Service selects, kept up with every change of a Service or pod.
//!
//! A Service is filed under the first pair of its selector, so that a pod finds those that may select it by its own
//! labels. Only a new or changed selector makes anybody look through the pods of its namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use coracle_api::Labels;
use coracle_runtime::{Change, Key, WorkQueue};
use parking_lot::Mutex;

use crate::{
    view::{Pod, Service},
    world::World,
};

/// The pods of all Services.
#[derive(Default)]
pub(crate) struct Members {
    state: Mutex<State>,
    /// Told of each Service whose endpoints may have changed.
    queues: Mutex<Vec<WorkQueue<Key>>>,
}

#[derive(Default)]
struct State {
    groups: BTreeMap<Key, Group>,
    /// Services by namespace and the first pair of their selector.
    by_pair: BTreeMap<String, BTreeSet<Key>>,
}

struct Group {
    selector: Labels,
    pods: BTreeMap<Key, Arc<Pod>>,
}

impl Members {
    /// Follows the Services and pods of `world` from now on.
    pub(crate) fn follow(world: &Arc<World>) -> Arc<Self> {
        let members = Arc::new(Self::default());
        // Weak, because the world owns the subscriptions.
        let (following, weak) = (Arc::clone(&members), Arc::downgrade(world));
        world.services.cache.subscribe(move |change| {
            if let Some(world) = weak.upgrade() {
                following.service(&world, change);
            }
        });
        let following = Arc::clone(&members);
        world.pods.cache.subscribe(move |change| following.pod(change));
        members
    }

    /// Adds every Service whose endpoints may have changed to `queue` from now on.
    pub(super) fn tell(&self, queue: WorkQueue<Key>) {
        for key in self.state.lock().groups.keys() {
            queue.add(key.clone());
        }
        self.queues.lock().push(queue);
    }

    /// The pods of a Service.
    pub(super) fn of(&self, service: &Key) -> Vec<Arc<Pod>> {
        let state = self.state.lock();
        let group = state.groups.get(service);
        group.map_or_else(Vec::new, |group| group.pods.values().cloned().collect())
    }

    /// The Services that select a pod.
    pub(super) fn services_of(&self, pod: &Pod) -> Vec<Key> {
        self.state.lock().services_of(pod)
    }

    fn service(&self, world: &World, change: &Change<Service>) {
        let selector = |service: &Arc<Service>| service.has_selector().then(|| service.selector.clone());
        let (old, new) = (
            change.old.as_ref().and_then(selector),
            change.new.as_ref().and_then(selector),
        );
        if old != new || (new.is_some() && change.old.is_none()) {
            let mut state = self.state.lock();
            state.forget(&change.key);
            if let Some(selector) = new {
                let pods = world.pods.cache.in_namespace(change.key.namespace());
                let service = change.new.as_ref();
                let selected = pods
                    .into_iter()
                    .filter(|pod| service.is_some_and(|service| service.selects(&pod.meta.labels)));
                let pods = selected.map(|pod| (pod.meta.key(), pod)).collect();
                state.file(change.key.clone(), Group { selector, pods });
            }
        }
        self.enqueue([change.key.clone()]);
    }

    fn pod(&self, change: &Change<Pod>) {
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && same_endpoint(old, new)
        {
            return;
        }
        let mut touched = Vec::new();
        {
            let mut state = self.state.lock();
            if let Some(old) = &change.old {
                touched = state.services_of(old);
                for service in &touched {
                    if let Some(group) = state.groups.get_mut(service) {
                        group.pods.remove(&change.key);
                    }
                }
            }
            if let Some(new) = &change.new {
                for service in state.services_of(new) {
                    if let Some(group) = state.groups.get_mut(&service) {
                        group.pods.insert(change.key.clone(), Arc::clone(new));
                    }
                    touched.push(service);
                }
            }
        }
        self.enqueue(touched);
    }

    fn enqueue(&self, services: impl IntoIterator<Item = Key>) {
        let queues = self.queues.lock();
        for service in services {
            for queue in queues.iter() {
                queue.add(service.clone());
            }
        }
    }
}

impl State {
    fn services_of(&self, pod: &Pod) -> Vec<Key> {
        let namespace = &pod.meta.namespace;
        let mut found = Vec::new();
        for (key, value) in pod.meta.labels.iter() {
            for service in self
                .by_pair
                .get(&pair(namespace, key, value))
                .into_iter()
                .flatten()
            {
                let Some(group) = self.groups.get(service) else {
                    continue;
                };
                let mut wanted = group.selector.iter();
                if wanted.all(|(key, value)| pod.meta.labels.get(key) == Some(value)) {
                    found.push(service.clone());
                }
            }
        }
        found
    }

    fn file(&mut self, service: Key, group: Group) {
        if let Some((key, value)) = group.selector.iter().next() {
            let text = pair(service.namespace(), key, value);
            self.by_pair.entry(text).or_default().insert(service.clone());
        }
        self.groups.insert(service, group);
    }

    fn forget(&mut self, service: &Key) {
        let Some(group) = self.groups.remove(service) else {
            return;
        };
        let Some((key, value)) = group.selector.iter().next() else {
            return;
        };
        let text = pair(service.namespace(), key, value);
        if let Some(filed) = self.by_pair.get_mut(&text) {
            filed.remove(service);
            if filed.is_empty() {
                self.by_pair.remove(&text);
            }
        }
    }
}

fn pair(namespace: &str, key: &str, value: &str) -> String {
    format!("{namespace}/{key}={value}")
}

/// Whether nothing of the pod changed that an endpoint shows.
fn same_endpoint(old: &Pod, new: &Pod) -> bool {
    let face = |pod: &Pod| (pod.ip, pod.ready, pod.meta.is_deleting(), pod.is_finished());
    face(old) == face(new)
        && old.node == new.node
        && old.meta.uid == new.meta.uid
        && old.meta.labels == new.meta.labels
        && old.ports == new.ports
        && old.names == new.names
}
