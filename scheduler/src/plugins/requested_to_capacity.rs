//! Scores nodes by a curve over how full they would be: NodeResourcesFit with the strategy RequestedToCapacityRatio.

use super::least_allocated::{Weights, weighted};
use crate::{
    framework::{Candidate, MAX_SCORE, Score},
    requirements::Requirements,
    snapshot::NodeRow,
};

/// A curve of straight pieces.
pub struct RequestedToCapacity {
    /// Points of the curve: percent taken, and score from 0 to 10; by percent, at least one.
    pub shape: Box<[(i64, i64)]>,
    /// Of which resources.
    pub weights: Weights,
}

/// The highest score in a configured curve.
pub const MAX_SHAPE_SCORE: i64 = 10;

impl Score for RequestedToCapacity {
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
        weighted(&self.weights, candidate, row, |usage, amount| {
            let taken = usage.requested.saturating_add(amount);
            let percent = if taken > usage.allocatable {
                100
            } else {
                (i128::from(taken) * 100 / i128::from(usage.allocatable)) as i64
            };
            self.at(percent)
        })
    }
}

impl RequestedToCapacity {
    fn at(&self, percent: i64) -> i64 {
        let scaled = |score: i64| score * (MAX_SCORE / MAX_SHAPE_SCORE);
        let mut before: Option<(i64, i64)> = None;
        for (at, score) in &self.shape {
            if percent <= *at {
                return match before {
                    None => scaled(*score),
                    Some((from, low)) => {
                        let (low, high) = (scaled(low), scaled(*score));
                        low + (high - low) * (percent - from) / (at - from)
                    }
                };
            }
            before = Some((*at, *score));
        }
        before.map_or(0, |(_, score)| scaled(score))
    }
}
