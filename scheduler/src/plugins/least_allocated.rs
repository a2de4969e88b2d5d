//! Prefers nodes with much left: upstream's NodeResourcesFit with its default strategy, LeastAllocated.

use crate::{
    framework::{Candidate, MAX_SCORE, Score},
    requirements::Requirements,
    snapshot::{NodeRow, Usage},
};

/// The free share of the resources after the pod.
#[derive(Default)]
pub struct LeastAllocated {
    /// Of which resources.
    pub weights: Weights,
}

/// Which resources a strategy looks at, and what each weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights(pub Box<[(Box<str>, i64)]>);

impl Default for Weights {
    fn default() -> Self {
        Self(Box::new([("cpu".into(), 1), ("memory".into(), 1)]))
    }
}

impl Score for LeastAllocated {
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
        weighted(&self.weights, candidate, row, free_share)
    }
}

/// The weighted mean of what `share` says of each resource that the node has.
pub(super) fn weighted(
    weights: &Weights,
    candidate: &Candidate<'_>,
    row: NodeRow<'_>,
    share: impl Fn(Usage, i64) -> i64,
) -> i64 {
    let requests = &candidate.requirements.load.requests;
    let (mut sum, mut total) = (0, 0);
    for (name, weight) in &weights.0 {
        // Pods that request no cpu or memory count as small ones, so that they spread too.
        let (usage, amount) = match &**name {
            "cpu" => (row.nonzero_cpu_milli(), requests.nonzero_cpu_milli),
            "memory" => (row.nonzero_memory_bytes(), requests.nonzero_memory_bytes),
            "ephemeral-storage" => (row.ephemeral_storage_bytes(), requests.ephemeral_storage_bytes),
            other => {
                let wanted = requests.extended.iter().find(|(known, _)| **known == *other);
                // An extended resource that the pod does not want is no reason.
                let Some((_, amount)) = wanted else { continue };
                (row.extended(other), *amount)
            }
        };
        // A resource that the node does not have does not count.
        if usage.allocatable > 0 {
            sum += weight * share(usage, amount);
            total += weight;
        }
    }
    if total == 0 { 0 } else { sum / total }
}

fn free_share(usage: Usage, amount: i64) -> i64 {
    let free = usage.free().saturating_sub(amount).max(0);
    // Exact also for amounts whose hundredfold does not fit into 64 bits.
    match free.checked_mul(MAX_SCORE) {
        Some(scaled) => scaled / usage.allocatable,
        None => (i128::from(free) * i128::from(MAX_SCORE) / i128::from(usage.allocatable)) as i64,
    }
}
