//! Prefers nodes with much left: upstream's NodeResourcesFit with its default strategy, LeastAllocated.

use crate::{
    framework::{Candidate, MAX_SCORE, Score},
    requirements::Requirements,
    snapshot::{NodeRow, Usage},
};

/// The free share of cpu and memory after the pod, in equal parts.
pub struct LeastAllocated;

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
        let requests = &candidate.requirements.load.requests;
        let shares = [
            free_share(row.nonzero_cpu_milli(), requests.nonzero_cpu_milli),
            free_share(row.nonzero_memory_bytes(), requests.nonzero_memory_bytes),
        ];
        // A resource that the node does not have does not count.
        let (sum, count) = shares
            .into_iter()
            .flatten()
            .fold((0, 0), |(sum, count), share| (sum + share, count + 1));
        if count == 0 { 0 } else { sum / count }
    }
}

fn free_share(usage: Usage, amount: i64) -> Option<i64> {
    if usage.allocatable <= 0 {
        return None;
    }
    let free = usage.free().saturating_sub(amount).max(0);
    // Exact also for amounts whose hundredfold does not fit into 64 bits.
    Some(match free.checked_mul(MAX_SCORE) {
        Some(scaled) => scaled / usage.allocatable,
        None => free / (usage.allocatable / MAX_SCORE),
    })
}
