//! Who is told of a change: watchers by kind, by namespace and by node, so that a write costs as many deliveries as
//! there are interested watchers, however many there are in all.
//!
//! Watchers with the same interest share a bucket, and a bucket gets one shared batch per published group. Labels and
//! other fields are judged by each watcher for itself.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    event::{Batch, Change},
    queue::Queue,
};

/// What a watcher wants to be told about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interest {
    Kind(usize),
    Namespace(usize, Box<str>),
    /// Objects whose `spec.nodeName` is one of these. An object that moves between two of them is told once.
    Nodes(usize, Vec<Box<str>>),
}

impl Interest {
    /// The narrowest index that still tells everything the filter may match.
    pub fn of(kind: usize, filter: &super::Filter) -> Self {
        if !filter.node_names.is_empty() {
            let nodes = filter
                .node_names
                .iter()
                .map(|node| node.as_str().into())
                .collect();
            return Self::Nodes(kind, nodes);
        }
        if let Some(node) = filter.fields.requires_exact("spec.nodeName") {
            return Self::Nodes(kind, vec![node.into()]);
        }
        match filter.namespace.as_str() {
            "" => Self::Kind(kind),
            namespace => Self::Namespace(kind, namespace.into()),
        }
    }
}

/// A watcher's place in the hub.
#[derive(Debug)]
pub(super) struct Registration {
    interest: Interest,
    id: u64,
}

#[derive(Default)]
pub(super) struct Hub {
    next_id: u64,
    watchers: usize,
    buckets: BTreeMap<Interest, BTreeMap<u64, Arc<Queue>>>,
    /// Which buckets a node's changes go to.
    nodes: BTreeMap<(usize, Box<str>), Vec<Interest>>,
}

/// The changes of a group, sorted by who is interested.
#[derive(Default)]
pub(super) struct Fan {
    batches: BTreeMap<Interest, Vec<Arc<Change>>>,
}

impl Hub {
    /// How many are registered.
    pub const fn watchers(&self) -> usize {
        self.watchers
    }

    pub fn register(&mut self, interest: Interest, queue: Arc<Queue>) -> Registration {
        let id = self.next_id;
        self.next_id += 1;
        let bucket = self.buckets.entry(interest.clone()).or_default();
        if let (Interest::Nodes(kind, nodes), true) = (&interest, bucket.is_empty()) {
            for node in nodes {
                self.nodes
                    .entry((*kind, node.clone()))
                    .or_default()
                    .push(interest.clone());
            }
        }
        bucket.insert(id, queue);
        self.watchers += 1;
        Registration { interest, id }
    }

    pub fn unregister(&mut self, registration: &Registration) {
        let Registration { interest, id } = registration;
        let Some(bucket) = self.buckets.get_mut(interest) else {
            return;
        };
        if bucket.remove(id).is_some() {
            self.watchers -= 1;
        }
        if !bucket.is_empty() {
            return;
        }
        self.buckets.remove(interest);
        let Interest::Nodes(kind, nodes) = interest else {
            return;
        };
        for node in nodes {
            let key = (*kind, node.clone());
            if let Some(interests) = self.nodes.get_mut(&key) {
                interests.retain(|other| other != interest);
                if interests.is_empty() {
                    self.nodes.remove(&key);
                }
            }
        }
    }

    /// Puts a change before everybody who is interested.
    pub fn collect(&self, change: &Arc<Change>, fan: &mut Fan) {
        let kind = change.kind;
        self.add(&Interest::Kind(kind), change, fan);
        let namespace = &change.entry.attributes.namespace;
        if !namespace.is_empty() {
            self.add(&Interest::Namespace(kind, namespace.clone()), change, fan);
        }
        if self.nodes.is_empty() {
            return;
        }
        let node = change.entry.attributes.field("spec.nodeName");
        let node_before = change
            .previous
            .as_ref()
            .map_or(node, |entry| entry.attributes.field("spec.nodeName"));
        self.add_node(node, change, fan);
        if node_before != node {
            self.add_node(node_before, change, fan);
        }
    }

    fn add_node(&self, node: &str, change: &Arc<Change>, fan: &mut Fan) {
        for interest in self.nodes.get(&(change.kind, node.into())).into_iter().flatten() {
            self.add(interest, change, fan);
        }
    }

    fn add(&self, interest: &Interest, change: &Arc<Change>, fan: &mut Fan) {
        if !self.buckets.contains_key(interest) {
            return;
        }
        if let Some(batch) = fan.batches.get_mut(interest) {
            if batch.last().is_none_or(|last| last.revision < change.revision) {
                batch.push(Arc::clone(change));
            }
        } else {
            fan.batches.insert(interest.clone(), vec![Arc::clone(change)]);
        }
    }

    /// Hands every bucket its batch.
    pub fn deliver(&self, fan: Fan) {
        for (interest, changes) in fan.batches {
            let size_bytes = changes.iter().map(|change| change.size_bytes()).sum();
            let batch = Arc::new(Batch { changes, size_bytes });
            for queue in self.buckets.get(&interest).into_iter().flat_map(BTreeMap::values) {
                queue.push(&batch);
            }
        }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.nodes.is_empty()
    }
}
