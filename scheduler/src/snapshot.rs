//! What the scheduler knows of the nodes: one live snapshot, changed in place.
//!
//! It is never relisted and never cloned: every change of a node or a pod touches one row. What the resource filters
//! and scores read for every node stands in columns; labels and taints stay in the node's projection. Every change
//! is noted in a log of row indexes, so that whoever computed something over all nodes renews only the rows that
//! changed since ([`Snapshot::changes_since`]).
//!
//! A row belongs to a node's name from the first node or pod that mentions it until neither is left: pods that are
//! told before their node, or outlive it, are counted all the same.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    framework::ClusterEvents,
    projection::{Allocatable, Node},
    requirements::{Class, HOSTNAME, HostPort, Identity, Label, Load, PodSet, PodTerm, PodTerms, ZONE},
    storage::Storage,
};

mod columns;
mod groups;
mod row;
#[cfg(test)]
mod tests;
mod topology;

use columns::Columns;
pub use groups::Group;
use groups::Groups;
pub use row::{NodeRow, Usage};
use topology::Topologies;
pub use topology::TopologyId;

/// The row of a node; stays the same while the node or a pod on it is known, and is used again after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(u32);

impl NodeIndex {
    /// The position in columns.
    #[must_use]
    pub fn position(self) -> usize {
        self.0 as usize
    }

    /// The index of a position in columns.
    ///
    /// # Panics
    /// Beyond four billion rows, which no cluster has.
    #[must_use]
    pub fn at(position: usize) -> Self {
        assert!(
            u32::try_from(position).is_ok(),
            "a cluster has fewer than four billion nodes"
        );
        Self(position as u32)
    }
}

/// Changes that the log holds at least; whoever lags further behind begins anew. Also the least factor of rows.
const LOG_MIN: usize = 1_024;

/// All nodes and the load on them.
#[derive(Debug, Default)]
pub struct Snapshot {
    rows: HashMap<Arc<str>, NodeIndex>,
    free: Vec<NodeIndex>,
    names: Vec<Option<Arc<str>>>,
    nodes: Vec<Option<Arc<Node>>>,
    columns: Columns,
    /// Host ports taken on each node.
    host_ports: Vec<Vec<HostPort>>,
    /// Extended resources taken on each node, in whole units.
    extended: Vec<Vec<(Box<str>, i64)>>,
    /// Pods by controlling owner and node.
    owners: HashMap<Arc<str>, HashMap<NodeIndex, u32>>,
    groups: Groups,
    topologies: Topologies,
    /// How many nodes have each image.
    images: HashMap<Box<str>, usize>,
    storage: Storage,
    live: usize,
    log: VecDeque<NodeIndex>,
    /// How many changes were dropped from the log's front.
    dropped: u64,
    /// How many changes concerned no row.
    epoch: u64,
    /// While a supposition holds, nothing is noted: it ends where it began.
    is_supposing: bool,
}

impl Snapshot {
    /// No nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many rows there are, those without a node included; every index is below.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.nodes.len()
    }

    /// The node of a row, with what is on it; `None` where the row has no node.
    #[must_use]
    pub fn row(&self, index: NodeIndex) -> Option<NodeRow<'_>> {
        let node = self.nodes.get(index.position())?.as_deref()?;
        Some(NodeRow {
            snapshot: self,
            index,
            node,
        })
    }

    /// Every row that has a node.
    pub fn iter(&self) -> impl Iterator<Item = NodeRow<'_>> {
        (0..self.rows()).filter_map(|position| self.row(NodeIndex::at(position)))
    }

    /// The node of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeRow<'_>> {
        self.row(*self.rows.get(name)?)
    }

    /// How many pods of an owner each node holds; `None` where it has none anywhere.
    #[must_use]
    pub fn owned(&self, owner: &str) -> Option<&HashMap<NodeIndex, u32>> {
        self.owners.get(owner)
    }

    /// Adds or replaces a node. Returns its row and what about it could help a waiting pod; heartbeats are nothing.
    pub fn set_node(&mut self, node: Arc<Node>) -> (NodeIndex, ClusterEvents) {
        let index = self.row_for(&node.name);
        let at = index.position();
        let events = match &self.nodes[at] {
            Some(old) => difference(old, &node),
            None => {
                self.live += 1;
                ClusterEvents::NODE_ADDED
            }
        };
        if !events.is_empty() || self.nodes[at].as_ref() != Some(&node) {
            self.count_images(at, false);
            self.columns.offer(at, &node.allocatable);
            self.topologies.changed(at, Some(&node));
            self.nodes[at] = Some(node);
            self.count_images(at, true);
            self.note(index);
        }
        (index, events)
    }

    /// Removes a node. What its pods take is remembered until they are gone too.
    pub fn remove_node(&mut self, name: &str) {
        let Some(&index) = self.rows.get(name) else { return };
        let at = index.position();
        self.count_images(at, false);
        if self.nodes[at].take().is_some() {
            self.live -= 1;
            self.columns.offer(at, &Allocatable::default());
            self.topologies.changed(at, None);
            self.note(index);
        }
        self.release_if_unused(index);
    }

    /// Counts a pod's load against the node it is on.
    pub fn add(&mut self, node: &str, load: &Load) -> NodeIndex {
        let index = self.row_for(node);
        self.account(index, load, 1);
        self.host_ports[index.position()].extend(load.host_ports.iter().cloned());
        self.storage.add(index, load);
        self.groups.add(&load.identity, index);
        if let Some(terms) = &load.identity.terms {
            self.follow_terms(terms);
        }
        if let Some(owner) = owner_to_spread(load) {
            *self
                .owners
                .entry(Arc::clone(owner))
                .or_default()
                .entry(index)
                .or_default() += 1;
        }
        index
    }

    /// Gives back a load that [`Snapshot::add`] counted; with another one the books would be wrong for good.
    ///
    /// # Panics
    /// If no pod was counted on the node.
    pub fn remove(&mut self, node: &str, load: &Load) -> NodeIndex {
        let Some(&index) = self.rows.get(node) else {
            unreachable!("a load is only given back to a node that it was counted against");
        };
        self.account(index, load, -1);
        let at = index.position();
        assert!(self.columns.pods[at] >= 0, "a load is given back once");
        let taken = &mut self.host_ports[at];
        for port in &load.host_ports {
            if let Some(found) = taken.iter().position(|candidate| candidate == port) {
                taken.swap_remove(found);
            }
        }
        self.storage.remove(index, load);
        self.groups.remove(&load.identity, index);
        if let Some(owner) = owner_to_spread(load)
            && let Some(nodes) = self.owners.get_mut(owner)
        {
            if let Some(count) = nodes.get_mut(&index) {
                *count -= 1;
                if *count == 0 {
                    nodes.remove(&index);
                }
            }
            if nodes.is_empty() {
                self.owners.remove(owner);
            }
        }
        self.release_if_unused(index);
        index
    }

    /// Makes ready what the plugins look up for pods of a class: the topologies and the sets of pods that it names.
    pub fn prepare(&mut self, class: &Class) {
        if self.topologies.is_full() {
            self.topologies.clear();
            let keys: Vec<Box<str>> = (self.groups.with_terms())
                .filter_map(|group| group.identity().terms.as_deref())
                .flat_map(|terms| terms_of(terms).map(|term| term.topology_key.clone()))
                .collect();
            keys.iter().for_each(|key| self.follow(key));
        }
        self.follow(HOSTNAME);
        self.follow(ZONE);
        for constraint in &class.spread {
            self.follow(&constraint.topology_key);
            if let Some(set) = &constraint.pods {
                self.groups.remember(set);
            }
        }
        if let Some(terms) = class.terms() {
            self.follow_terms(terms);
            terms_of(terms).for_each(|term| self.groups.remember(&term.pods));
        }
    }

    /// The followed topology of a label key.
    #[must_use]
    pub fn topology(&self, key: &str) -> Option<TopologyId> {
        self.topologies.find(key)
    }

    /// How many numbers a topology's domains have.
    #[must_use]
    pub fn domains(&self, id: TopologyId) -> usize {
        self.topologies.domains(id)
    }

    /// The domain of a row, where its node has the topology's label.
    #[must_use]
    pub fn domain(&self, id: TopologyId, index: NodeIndex) -> Option<usize> {
        self.topologies.domain(id, index)
    }

    /// The groups of pods that belong to a set.
    #[must_use]
    pub fn groups_of(&self, set: &PodSet) -> Vec<&Group> {
        self.groups.of_set(set)
    }

    /// The groups of pods that have terms of their own.
    pub fn groups_with_terms(&self) -> impl Iterator<Item = &Group> {
        self.groups.with_terms()
    }

    /// Whether a pod belongs to a set.
    #[must_use]
    pub fn holds(&self, set: &PodSet, identity: &Identity) -> bool {
        self.groups.holds(set, identity)
    }

    /// Takes note of a namespace's labels; `None` where it is gone.
    pub fn set_namespace(&mut self, name: &str, labels: Option<Box<[Label]>>) -> bool {
        let is_changed = self.groups.set_namespace(name, labels);
        self.epoch += u64::from(is_changed);
        is_changed
    }

    /// Claims, volumes and drivers.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Claims, volumes and drivers, to be changed.
    pub fn storage_mut(&mut self) -> &mut Storage {
        self.epoch += 1;
        &mut self.storage
    }

    /// How many nodes have an image.
    #[must_use]
    pub fn nodes_with_image(&self, image: &str) -> usize {
        self.images.get(image).copied().unwrap_or_default()
    }

    /// Whether any node tells of its images.
    #[must_use]
    pub fn has_images(&self) -> bool {
        !self.images.is_empty()
    }

    /// Changes loads, asks something, and changes them back, which nobody notices. `change` gets the snapshot and
    /// whether the changes are to be made or undone.
    pub fn suppose<T>(
        &mut self,
        mut change: impl FnMut(&mut Self, bool),
        ask: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let was_supposing = std::mem::replace(&mut self.is_supposing, true);
        change(self, true);
        let answer = ask(self);
        change(self, false);
        self.is_supposing = was_supposing;
        answer
    }

    /// How many changes there have been that concern no single row.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many changes there have been; the present end of the log.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.dropped + self.log.len() as u64
    }

    /// The rows that changed since a [`Snapshot::version`], oldest first, repeats included; `None` where the log no
    /// longer reaches back so far, or so much has changed that looking at every row is as quick.
    #[must_use]
    pub fn changes_since(&self, version: u64) -> Option<impl Iterator<Item = NodeIndex>> {
        let skip = usize::try_from(version.checked_sub(self.dropped)?).ok()?;
        let changes = self.log.len().checked_sub(skip)?;
        (changes <= self.rows().max(64)).then(|| self.log.range(skip..).copied())
    }

    fn follow(&mut self, key: &str) {
        self.topologies.follow(key, &self.nodes);
    }

    fn follow_terms(&mut self, terms: &PodTerms) {
        terms_of(terms).for_each(|term| self.follow(&term.topology_key));
    }

    fn count_images(&mut self, at: usize, is_there: bool) {
        let Some(node) = self.nodes[at].clone() else {
            return;
        };
        for (image, _) in &node.images {
            if is_there {
                *self.images.entry(image.clone()).or_default() += 1;
            } else if let Some(count) = self.images.get_mut(image) {
                *count -= 1;
                if *count == 0 {
                    self.images.remove(image);
                }
            }
        }
    }

    fn account(&mut self, index: NodeIndex, load: &Load, sign: i64) {
        let at = index.position();
        self.columns.count(at, &load.requests, sign);
        let taken = &mut self.extended[at];
        for (name, amount) in &load.requests.extended {
            match taken.iter_mut().find(|(candidate, _)| candidate == name) {
                Some((_, sum)) => *sum = sum.wrapping_add(amount.wrapping_mul(sign)),
                None => taken.push((name.clone(), amount.wrapping_mul(sign))),
            }
        }
        self.note(index);
    }

    fn row_for(&mut self, name: &str) -> NodeIndex {
        if let Some(index) = self.rows.get(name) {
            return *index;
        }
        let name: Arc<str> = name.into();
        let index = self.free.pop().unwrap_or_else(|| {
            self.names.push(None);
            self.nodes.push(None);
            self.host_ports.push(Vec::new());
            self.extended.push(Vec::new());
            self.columns.push_empty();
            self.topologies.push_empty();
            NodeIndex::at(self.nodes.len() - 1)
        });
        self.columns.tie[index.position()] = fnv1a(&name);
        self.names[index.position()] = Some(Arc::clone(&name));
        self.rows.insert(name, index);
        index
    }

    fn release_if_unused(&mut self, index: NodeIndex) {
        let at = index.position();
        if self.nodes[at].is_some() || self.columns.pods[at] > 0 || self.is_supposing {
            return;
        }
        self.extended[at].clear();
        if let Some(name) = self.names[at].take() {
            self.rows.remove(&name);
            self.free.push(index);
        }
    }

    fn note(&mut self, index: NodeIndex) {
        if self.is_supposing {
            return;
        }
        if self.log.len() >= LOG_MIN.max(2 * self.rows()) {
            self.log.pop_front();
            self.dropped += 1;
        }
        self.log.push_back(index);
    }
}

/// The owner whose pods are spread; those on their way out no longer count.
fn owner_to_spread(load: &Load) -> Option<&Arc<str>> {
    load.owner.as_ref().filter(|_| !load.identity.is_deleting)
}

fn terms_of(terms: &PodTerms) -> impl Iterator<Item = &PodTerm> {
    let preferred = terms.preferred.iter().map(|(_, term)| term);
    terms.affinity.iter().chain(&terms.anti_affinity).chain(preferred)
}

/// What about the change could let a pod in that the old node turned away.
fn difference(old: &Node, new: &Node) -> ClusterEvents {
    let mut events = ClusterEvents::default();
    events.set_if(
        old.allocatable != new.allocatable,
        ClusterEvents::NODE_ALLOCATABLE,
    );
    events.set_if(old.labels != new.labels, ClusterEvents::NODE_LABELS);
    events.set_if(old.taints != new.taints, ClusterEvents::NODE_TAINTS);
    events.set_if(
        old.is_unschedulable != new.is_unschedulable,
        ClusterEvents::NODE_UNSCHEDULABLE,
    );
    events
}

/// FNV-1a, 32 bits: spreads ties over nodes the same way in every run.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
