//! Which pods are on which node, by name: what preemption chooses its victims from.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use coracle_runtime::Key;

use crate::projection::Pod;

/// The pods on each node, assumed ones included.
#[derive(Debug, Default)]
pub struct Tenants {
    by_node: HashMap<Box<str>, BTreeMap<Key, Arc<Pod>>>,
    /// How many pods have each priority.
    priorities: BTreeMap<i32, usize>,
}

impl Tenants {
    /// A pod is on a node from now on, or has changed there.
    pub fn put(&mut self, node: &str, key: &Key, pod: &Arc<Pod>) {
        let pods = match self.by_node.get_mut(node) {
            Some(pods) => pods,
            None => self.by_node.entry(node.into()).or_default(),
        };
        let old = pods.insert(key.clone(), Arc::clone(pod));
        *self.priorities.entry(pod.priority()).or_default() += 1;
        if let Some(old) = old {
            self.forget(old.priority());
        }
    }

    /// A pod is on a node no more.
    pub fn remove(&mut self, node: &str, key: &Key) {
        let Some(pods) = self.by_node.get_mut(node) else {
            return;
        };
        let Some(pod) = pods.remove(key) else { return };
        if pods.is_empty() {
            self.by_node.remove(node);
        }
        self.forget(pod.priority());
    }

    /// The pods on a node, by name.
    pub fn on(&self, node: &str) -> impl Iterator<Item = (&Key, &Arc<Pod>)> {
        self.by_node.get(node).into_iter().flatten()
    }

    /// Whether any pod anywhere has a lower priority.
    #[must_use]
    pub fn has_below(&self, priority: i32) -> bool {
        self.priorities.range(..priority).next().is_some()
    }

    fn forget(&mut self, priority: i32) {
        if let Some(count) = self.priorities.get_mut(&priority) {
            *count -= 1;
            if *count == 0 {
                self.priorities.remove(&priority);
            }
        }
    }
}
