//! Prefers nodes whose cpu and memory would be taken in like shares: upstream's NodeResourcesBalancedAllocation.

use crate::{
    framework::{Candidate, MAX_SCORE, Score},
    requirements::Requirements,
    snapshot::{NodeRow, Usage},
};

/// The distance between the taken shares of cpu and memory after the pod.
pub struct BalancedAllocation;

impl Score for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn weight(&self) -> i64 {
        1
    }

    /// A pod that requests neither changes no balance.
    fn applies(&self, requirements: &Requirements) -> bool {
        let requests = &requirements.load.requests;
        requests.cpu_milli > 0 || requests.memory_bytes > 0
    }

    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        let requests = &candidate.requirements.load.requests;
        let cpu = taken_share(row.cpu_milli(), requests.cpu_milli);
        let memory = taken_share(row.memory_bytes(), requests.memory_bytes);
        // Of two values the standard deviation is half their distance; with one resource there is no imbalance.
        let deviation = match (cpu, memory) {
            (Some(cpu), Some(memory)) => (cpu - memory).abs() / 2.0,
            _ => 0.0,
        };
        ((1.0 - deviation) * MAX_SCORE as f64) as i64
    }
}

fn taken_share(usage: Usage, amount: i64) -> Option<f64> {
    let taken = usage.requested.saturating_add(amount);
    (usage.allocatable > 0).then(|| (taken as f64 / usage.allocatable as f64).clamp(0.0, 1.0))
}
