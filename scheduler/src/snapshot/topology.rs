//! Which topology domain each node is in, for the label keys that somebody asks about.
//!
//! Domains are numbered in the order in which they were first seen, so that counts by domain are vectors.

use std::collections::HashMap;

use super::NodeIndex;
use crate::{projection::Node, requirements::label};

/// Label keys followed, at most. Beyond that all are forgotten, and those still in use are read anew.
const TOPOLOGIES_MAX: usize = 256;
/// The domain of a row whose node lacks the label, or that has no node.
const NONE: u32 = u32::MAX;

/// A followed label key; valid until the snapshot is next made ready for a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopologyId(usize);

/// Followed label keys.
#[derive(Debug, Default)]
pub(super) struct Topologies {
    list: Vec<Topology>,
}

#[derive(Debug)]
struct Topology {
    key: Box<str>,
    ids: HashMap<Box<str>, u32>,
    of_row: Vec<u32>,
}

impl Topology {
    fn read(&mut self, at: usize, node: Option<&Node>) {
        let value = node.and_then(|node| label(&node.labels, &self.key));
        self.of_row[at] = match value {
            None => NONE,
            Some(value) => match self.ids.get(value) {
                Some(id) => *id,
                None => {
                    let id = self.ids.len() as u32;
                    self.ids.insert(value.into(), id);
                    id
                }
            },
        };
    }
}

impl Topologies {
    /// The id of a key that is followed.
    pub(super) fn find(&self, key: &str) -> Option<TopologyId> {
        self.list
            .iter()
            .position(|topology| *topology.key == *key)
            .map(TopologyId)
    }

    /// Whether room must be made before another key is followed.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= TOPOLOGIES_MAX
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// Follows a key from now on.
    pub(super) fn follow(&mut self, key: &str, nodes: &[Option<std::sync::Arc<Node>>]) {
        if self.find(key).is_some() {
            return;
        }
        let mut topology = Topology {
            key: key.into(),
            ids: HashMap::new(),
            of_row: vec![NONE; nodes.len()],
        };
        for (at, node) in nodes.iter().enumerate() {
            topology.read(at, node.as_deref());
        }
        self.list.push(topology);
    }

    /// Makes room for one more row.
    pub(super) fn push_empty(&mut self) {
        self.list
            .iter_mut()
            .for_each(|topology| topology.of_row.push(NONE));
    }

    /// A row's node came, changed or went.
    pub(super) fn changed(&mut self, at: usize, node: Option<&Node>) {
        self.list.iter_mut().for_each(|topology| topology.read(at, node));
    }

    /// How many numbers domains have; every domain is below.
    pub(super) fn domains(&self, id: TopologyId) -> usize {
        self.list[id.0].ids.len()
    }

    /// The domain of a row, if its node has the label.
    pub(super) fn domain(&self, id: TopologyId, index: NodeIndex) -> Option<usize> {
        let domain = self.list[id.0].of_row[index.position()];
        (domain != NONE).then_some(domain as usize)
    }
}
