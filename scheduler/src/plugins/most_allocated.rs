//! Prefers nodes with little left: NodeResourcesFit with the strategy MostAllocated, which packs.

use super::least_allocated::{Weights, weighted};
use crate::{
    framework::{Candidate, MAX_SCORE, Score},
    requirements::Requirements,
    snapshot::{NodeRow, Usage},
};

/// The taken share of the resources after the pod.
#[derive(Default)]
pub struct MostAllocated {
    /// Of which resources.
    pub weights: Weights,
}

impl Score for MostAllocated {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn weight(&self) -> i64 {
        1
    }

    fn applies(&self, _: &Requirements) -> bool {
        true
    }

    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        weighted(&self.weights, candidate, row, taken_share)
    }
}

fn taken_share(usage: Usage, amount: i64) -> i64 {
    let taken = usage.requested.saturating_add(amount).clamp(0, usage.allocatable);
    (i128::from(taken) * i128::from(MAX_SCORE) / i128::from(usage.allocatable)) as i64
}
