//! Keeps pods off nodes that have too little left of anything they request, or too many pods.

use crate::{
    framework::{Candidate, ClusterEvents, Filter},
    requirements::{Requests, Requirements},
    snapshot::NodeRow,
};

/// Requests against what is allocatable. A pod that requests nothing still counts as a pod.
pub struct ResourcesFit;

impl Filter for ResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn applies(&self, _: &Requirements) -> bool {
        true
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let Requests {
            cpu_milli,
            memory_bytes,
            ephemeral_storage_bytes,
            extended,
            ..
        } = &candidate.requirements.load.requests;
        row.pods().free() >= 1
            && fits(*cpu_milli, || row.cpu_milli().free())
            && fits(*memory_bytes, || row.memory_bytes().free())
            && fits(*ephemeral_storage_bytes, || row.ephemeral_storage_bytes().free())
            && extended
                .iter()
                .all(|(name, amount)| fits(*amount, || row.extended(name).free()))
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        let Requests {
            cpu_milli,
            memory_bytes,
            ephemeral_storage_bytes,
            extended,
            ..
        } = &candidate.requirements.load.requests;
        let mut reasons = Vec::new();
        if row.pods().free() < 1 {
            reasons.push("Too many pods".to_owned());
        }
        for (name, amount, free) in [
            ("cpu", *cpu_milli, row.cpu_milli().free()),
            ("memory", *memory_bytes, row.memory_bytes().free()),
            (
                "ephemeral-storage",
                *ephemeral_storage_bytes,
                row.ephemeral_storage_bytes().free(),
            ),
        ] {
            if !fits(amount, || free) {
                reasons.push(format!("Insufficient {name}"));
            }
        }
        for (name, amount) in extended {
            if !fits(*amount, || row.extended(name).free()) {
                reasons.push(format!("Insufficient {name}"));
            }
        }
        reasons
    }

    /// Not where the pod asks for more than an empty node has.
    fn is_resolvable(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let requests = &candidate.requirements.load.requests;
        requests.cpu_milli <= row.cpu_milli().allocatable
            && requests.memory_bytes <= row.memory_bytes().allocatable
            && requests.ephemeral_storage_bytes <= row.ephemeral_storage_bytes().allocatable
            && (requests.extended.iter()).all(|(name, amount)| *amount <= row.extended(name).allocatable)
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED
            .union(ClusterEvents::NODE_ALLOCATABLE)
            .union(ClusterEvents::POD_REMOVED)
    }
}

/// Nothing fits everywhere, also on a node that holds more than it offers.
fn fits(amount: i64, free: impl FnOnce() -> i64) -> bool {
    amount == 0 || amount <= free()
}
