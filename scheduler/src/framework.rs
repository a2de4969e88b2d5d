//! What a scheduling plugin is: upstream's phases as traits, and what passes between them.
//!
//! | phase | here |
//! |---|---|
//! | queue sort | by priority, then first come first served: [`crate::queue`] |
//! | pre-enqueue | [`PreEnqueue`] |
//! | pre-filter | [`Filter::pre_filter`], into the [`CycleState`] |
//! | filter | [`Filter::admits`], [`Filter::reasons`] |
//! | post-filter | [`crate::preemption`] |
//! | pre-score | [`Score::pre_score`], into the [`CycleState`] |
//! | score | [`Score::score`], [`Score::normalize`] |
//! | reserve | the snapshot's accounting ([`crate::scheduler`]), volumes ([`crate::storage`]) |
//! | permit | none: no plugin of upstream's default set has anything to wait for there |
//! | pre-bind, bind | [`crate::volumes`], [`crate::bind`] |
//!
//! A plugin whose answer depends on a node and what is on it alone has [`Scope::Node`]: its answers are reused until
//! that node changes ([`crate::evaluation`]). Whatever looks further has [`Scope::Cluster`] and is asked for every pod.

mod events;
mod state;

pub use events::ClusterEvents;
pub use state::{Candidate, CycleState, Rejection};

use crate::{
    projection::Unbound,
    requirements::Requirements,
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

/// The highest score of a node; the lowest is zero.
pub const MAX_SCORE: i64 = 100;

/// What an answer of a plugin depends on beside the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One node and what is on it.
    Node,
    /// More than that.
    Cluster,
}

/// Decides whether a pod may enter the queue.
pub trait PreEnqueue: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;
    /// Whether it may.
    fn admits(&self, pod: &Unbound) -> bool;
}

/// Decides whether a pod may run on a node.
pub trait Filter: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;
    /// What its answers depend on.
    fn scope(&self) -> Scope {
        Scope::Node
    }
    /// Whether it has anything to say about such pods; if not, it is not asked.
    fn applies(&self, requirements: &Requirements) -> bool;
    /// Looks up, once for all nodes, what [`Filter::admits`] needs. `false` where it has nothing to say after all.
    ///
    /// # Errors
    /// Where no node can admit the pod, whatever it is.
    fn pre_filter(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        state: &mut CycleState,
    ) -> Result<bool, Rejection> {
        let _ = (requirements, snapshot, state);
        Ok(true)
    }
    /// Whether the pod may run there.
    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool;
    /// Why it may not, in upstream's words; empty exactly where [`Filter::admits`].
    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String>;
    /// Whether fewer pods on the node could change a refusal.
    fn is_resolvable(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let _ = (candidate, row);
        true
    }
    /// What could make it admit a pod that it turned away.
    fn helped_by(&self) -> ClusterEvents;
}

/// Says how well a pod would run on a node.
pub trait Score: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;
    /// Its share in the sum, unless the profile says otherwise.
    fn weight(&self) -> i64;
    /// What its scores depend on.
    fn scope(&self) -> Scope {
        Scope::Node
    }
    /// Whether it has anything to say about such pods; if not, it is not asked.
    fn applies(&self, requirements: &Requirements) -> bool;
    /// Looks up, once for all nodes that may run the pod, what [`Score::score`] needs. `false` where it has nothing to
    /// say after all.
    fn pre_score(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        rows: &[NodeIndex],
        state: &mut CycleState,
    ) -> bool {
        let _ = (requirements, snapshot, rows, state);
        true
    }
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

/// A relative score that takes no part in its plugin's range and becomes zero.
pub const IGNORED: i64 = i64::MIN;

/// The lowest and the highest score of the nodes that may run a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The lowest.
    pub min: i64,
    /// The highest.
    pub max: i64,
}

impl Range {
    /// Of these scores; zeros where there are none.
    #[must_use]
    pub fn of(scores: &[i64]) -> Self {
        let counted = || scores.iter().copied().filter(|score| *score != IGNORED);
        Self {
            min: counted().min().unwrap_or_default(),
            max: counted().max().unwrap_or_default(),
        }
    }
}
