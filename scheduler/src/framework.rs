//! What a scheduling plugin is, and the profile that lists those in use.
//!
//! Two kinds exist so far, in upstream's sense: a [`Filter`] says whether a pod may run on a node, a [`Score`] how
//! well. Both are pure functions of a pod's requirements, one node and that node's load, which is what makes
//! answers reusable between pods of one template ([`crate::evaluation`]). Reserving is the snapshot's own accounting
//! ([`crate::scheduler`]). Whatever needs to reserve more than that (volumes), or to wait before binding, gets its own
//! trait here when it comes.

use std::collections::HashMap;

use crate::{
    plugins,
    requirements::Requirements,
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

/// The highest score of a node; the lowest is zero.
pub const MAX_SCORE: i64 = 100;

/// A pod to be placed, with what was looked up once for all nodes.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the pod asks for.
    pub requirements: &'a Requirements,
    /// How many pods of the same owner each node holds.
    siblings: Option<&'a HashMap<NodeIndex, u32>>,
}

impl<'a> Candidate<'a> {
    /// Looks up what the plugins need.
    #[must_use]
    pub fn new(requirements: &'a Requirements, snapshot: &'a Snapshot) -> Self {
        let siblings = requirements
            .load
            .owner
            .as_deref()
            .and_then(|owner| snapshot.owned(owner));
        Self {
            requirements,
            siblings,
        }
    }

    /// How many pods of the same owner are on a node.
    #[must_use]
    pub fn siblings_on(&self, index: NodeIndex) -> u32 {
        self.siblings
            .and_then(|siblings| siblings.get(&index))
            .copied()
            .unwrap_or_default()
    }
}

/// Decides whether a pod may run on a node.
pub trait Filter: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// Whether it has anything to say about such pods; if not, it is not asked.
    fn applies(&self, requirements: &Requirements) -> bool;

    /// Whether the pod may run there.
    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool;

    /// Why it may not, in upstream's words; empty exactly where [`Filter::admits`].
    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String>;

    /// What could make it admit a pod that it turned away.
    fn helped_by(&self) -> ClusterEvents;
}

/// Says how well a pod would run on a node.
pub trait Score: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// Its share in the sum.
    fn weight(&self) -> i64;

    /// Whether it has anything to say about such pods; if not, it is not asked.
    fn applies(&self, requirements: &Requirements) -> bool;

    /// The node's score, before [`Score::normalize`].
    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64;

    /// Whether scores only mean something beside those of the other nodes.
    fn is_relative(&self) -> bool {
        false
    }

    /// Brings a relative score to 0 ..= [`MAX_SCORE`], given the range of all nodes that may run the pod.
    fn normalize(&self, score: i64, range: Range) -> i64 {
        let _ = range;
        score
    }
}

/// The lowest and the highest score of the nodes that may run a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The lowest.
    pub min: i64,
    /// The highest.
    pub max: i64,
}

/// The plugins in use, in the order in which they are asked.
pub struct Profile {
    /// All must admit; the first that does not gives the reason.
    pub filters: Vec<Box<dyn Filter>>,
    /// Their weighted sum decides.
    pub scores: Vec<Box<dyn Score>>,
}

impl Default for Profile {
    /// Upstream's default plugins, order and weights, as far as they exist here.
    fn default() -> Self {
        Self {
            filters: vec![
                Box::new(plugins::node_unschedulable::NodeUnschedulable),
                Box::new(plugins::taint_toleration::TaintToleration),
                Box::new(plugins::node_affinity::NodeAffinity),
                Box::new(plugins::node_ports::NodePorts),
                Box::new(plugins::resources_fit::ResourcesFit),
            ],
            scores: vec![
                Box::new(plugins::taint_toleration::TaintToleration),
                Box::new(plugins::node_affinity::NodeAffinity),
                Box::new(plugins::spread::Spread),
                Box::new(plugins::least_allocated::LeastAllocated),
                Box::new(plugins::balanced_allocation::BalancedAllocation),
            ],
        }
    }
}

/// A set of things that happen to a cluster and may let a waiting pod in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterEvents(u8);

impl ClusterEvents {
    /// A node came.
    pub const NODE_ADDED: Self = Self(1);
    /// A node offers other amounts.
    pub const NODE_ALLOCATABLE: Self = Self(1 << 1);
    /// A node's labels changed.
    pub const NODE_LABELS: Self = Self(1 << 2);
    /// A node's taints changed.
    pub const NODE_TAINTS: Self = Self(1 << 3);
    /// A node was cordoned or uncordoned.
    pub const NODE_UNSCHEDULABLE: Self = Self(1 << 4);
    /// A pod left its node, or takes less of it.
    pub const POD_REMOVED: Self = Self(1 << 5);
    /// Whatever may happen.
    pub const ALL: Self = Self((1 << 6) - 1);

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether they have something in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether nothing happened.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds `events` where `condition` holds.
    pub fn set_if(&mut self, condition: bool, events: Self) {
        if condition {
            *self = self.union(events);
        }
    }
}
