//! Pods on nodes, grouped by who they are to other pods, so that a term is compared with a kind of pod once and not
//! with every pod: a Deployment of ten thousand replicas is one group.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::NodeIndex;
use crate::requirements::{Identity, Label, PodSet};

/// Sets of pods whose groups are remembered, at most; beyond that all are forgotten and found again when asked for.
const SETS_MAX: usize = 4_096;
/// Groups without pods that are kept for their next pod, at most.
const EMPTY_MAX: usize = 1_024;

/// Pods of one identity.
#[derive(Debug)]
pub struct Group {
    identity: Arc<Identity>,
    nodes: HashMap<NodeIndex, u32>,
}

impl Group {
    /// Who they are.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How many of them each node holds, in no order.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeIndex, u32)> + '_ {
        self.nodes.iter().map(|(index, count)| (*index, *count))
    }
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    ids: HashMap<Arc<Identity>, usize>,
    list: Vec<Group>,
    empty: usize,
    with_terms: BTreeSet<usize>,
    sets: HashMap<Arc<PodSet>, Vec<usize>>,
    namespaces: HashMap<Box<str>, Box<[Label]>>,
}

impl Groups {
    /// Counts a pod more on a node.
    pub(super) fn add(&mut self, identity: &Arc<Identity>, index: NodeIndex) {
        let id = match self.ids.get(identity) {
            Some(id) => *id,
            None => self.insert(identity),
        };
        let nodes = &mut self.list[id].nodes;
        if nodes.is_empty() {
            self.empty = self.empty.saturating_sub(1);
        }
        *nodes.entry(index).or_default() += 1;
    }

    /// Counts a pod less on a node.
    pub(super) fn remove(&mut self, identity: &Arc<Identity>, index: NodeIndex) {
        let Some(id) = self.ids.get(identity) else { return };
        let nodes = &mut self.list[*id].nodes;
        if let Some(count) = nodes.get_mut(&index) {
            *count -= 1;
            if *count == 0 {
                nodes.remove(&index);
            }
        }
        if nodes.is_empty() {
            self.empty += 1;
            if self.empty > EMPTY_MAX.max(self.list.len() / 2) {
                self.drop_empty();
            }
        }
    }

    /// Remembers which groups belong to a set.
    pub(super) fn remember(&mut self, set: &Arc<PodSet>) {
        if self.sets.contains_key(set) {
            return;
        }
        if self.sets.len() >= SETS_MAX {
            self.sets.clear();
        }
        let members = self.search(set);
        self.sets.insert(Arc::clone(set), members);
    }

    /// The groups of a set.
    pub(super) fn of_set<'a>(&'a self, set: &PodSet) -> Vec<&'a Group> {
        match self.sets.get(set) {
            Some(ids) => ids.iter().map(|id| &self.list[*id]).collect(),
            None => self.search(set).into_iter().map(|id| &self.list[id]).collect(),
        }
    }

    /// Groups of pods that have terms of their own.
    pub(super) fn with_terms(&self) -> impl Iterator<Item = &Group> {
        self.with_terms.iter().map(|id| &self.list[*id])
    }

    /// Whether a pod belongs to a set.
    pub(super) fn holds(&self, set: &PodSet, identity: &Identity) -> bool {
        set.holds(identity, |name| self.namespaces.get(name).map(|labels| &**labels))
    }

    /// A namespace's labels, `None` where it is gone. Answers whether anything changed.
    pub(super) fn set_namespace(&mut self, name: &str, labels: Option<Box<[Label]>>) -> bool {
        if self.namespaces.get(name) == labels.as_ref() {
            return false;
        }
        match labels {
            Some(labels) => self.namespaces.insert(name.into(), labels),
            None => self.namespaces.remove(name),
        };
        self.sets.clear();
        true
    }

    fn search(&self, set: &PodSet) -> Vec<usize> {
        let ids = 0..self.list.len();
        ids.filter(|id| self.holds(set, &self.list[*id].identity))
            .collect()
    }

    fn insert(&mut self, identity: &Arc<Identity>) -> usize {
        let id = self.list.len();
        let Self { sets, namespaces, .. } = self;
        for (set, members) in sets {
            if set.holds(identity, |name| namespaces.get(name).map(|labels| &**labels)) {
                members.push(id);
            }
        }
        if identity.terms.is_some() {
            self.with_terms.insert(id);
        }
        self.ids.insert(Arc::clone(identity), id);
        self.list.push(Group {
            identity: Arc::clone(identity),
            nodes: HashMap::new(),
        });
        // Counted as empty until its first pod is.
        self.empty += 1;
        id
    }

    fn drop_empty(&mut self) {
        self.list.retain(|group| !group.nodes.is_empty());
        self.empty = 0;
        self.sets.clear();
        let numbered = || self.list.iter().enumerate();
        self.with_terms = numbered()
            .filter(|(_, group)| group.identity.terms.is_some())
            .map(|(id, _)| id)
            .collect();
        self.ids = numbered()
            .map(|(id, group)| (Arc::clone(&group.identity), id))
            .collect();
    }
}
