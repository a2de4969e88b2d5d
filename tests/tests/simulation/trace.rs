//! What is kept of a simulation: every revision, by which two runs are compared, and how much happened at all.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use bytes::Bytes;

/// One revision, as the trace keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// When it was seen.
    pub at: Duration,
    /// Which one.
    pub revision: i64,
    /// What it changed.
    pub key: String,
    /// The object.
    pub json: Bytes,
    /// It is gone.
    pub is_gone: bool,
}

/// A number for a whole trace.
pub fn digest(trace: &[Step]) -> u64 {
    let mut hasher = DefaultHasher::new();
    trace.hash(&mut hasher);
    hasher.finish()
}

/// How much of what the faults are for has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Pods that were made.
    pub pods: usize,
    /// Containers that started anew because their node came back.
    pub restarts: usize,
    /// Leaders that took over.
    pub takeovers: usize,
    /// Times that a node was not heard of for too long.
    pub lost_nodes: usize,
}

impl Coverage {
    /// Together with another simulation's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            pods: self.pods + other.pods,
            restarts: self.restarts + other.restarts,
            takeovers: self.takeovers + other.takeovers,
            lost_nodes: self.lost_nodes + other.lost_nodes,
        }
    }
}
