//! Spreads the pods of one owner over the nodes: upstream's PodTopologySpread with the hostname default, counted by
//! controlling owner instead of by selector, so that the count is kept and never taken.

use crate::{
    framework::{Candidate, MAX_SCORE, Range, Score},
    requirements::Requirements,
    snapshot::NodeRow,
};

/// Fewer pods of the same owner are better.
pub struct Spread;

impl Score for Spread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        requirements.load.owner.is_some()
    }

    /// How many pods of the owner are there.
    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        i64::from(candidate.siblings_on(row.index()))
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn normalize(&self, score: i64, range: Range) -> i64 {
        if range.max == 0 {
            MAX_SCORE
        } else {
            MAX_SCORE * (range.max + range.min - score) / range.max
        }
    }
}
