//! Keeps pods off nodes with taints that they do not tolerate, and prefers nodes with fewer such taints.

use super::scale_to_max;
use crate::{
    framework::{Candidate, ClusterEvents, Filter, Range, Score},
    projection::Node,
    requirements::{Effect, Requirements, Taint},
    snapshot::NodeRow,
};

/// spec.taints against spec.tolerations.
pub struct TaintToleration;

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn applies(&self, _: &Requirements) -> bool {
        true
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        tolerates(candidate.requirements, row.node())
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        let first = untolerated(candidate.requirements, row.node()).next();
        first
            .map(|taint| format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value))
            .into_iter()
            .collect()
    }

    fn is_resolvable(&self, _: &Candidate<'_>, _: NodeRow<'_>) -> bool {
        false
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED.union(ClusterEvents::NODE_TAINTS)
    }
}

/// Whether the pod tolerates whatever keeps pods off the node.
pub(super) fn tolerates(requirements: &Requirements, node: &Node) -> bool {
    untolerated(requirements, node).next().is_none()
}

fn untolerated<'a>(requirements: &'a Requirements, node: &'a Node) -> impl Iterator<Item = &'a Taint> {
    let taints = node
        .taints
        .iter()
        .filter(|taint| taint.effect != Effect::PreferNoSchedule);
    taints.filter(|taint| !taint.is_tolerated(&requirements.tolerations))
}

impl Score for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn weight(&self) -> i64 {
        3
    }

    fn applies(&self, _: &Requirements) -> bool {
        true
    }

    /// How many taints the pod would rather avoid.
    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        let tolerations = &candidate.requirements.tolerations;
        let taints = row
            .node()
            .taints
            .iter()
            .filter(|taint| taint.effect == Effect::PreferNoSchedule);
        i64::try_from(taints.filter(|taint| !taint.is_tolerated(tolerations)).count()).unwrap_or(i64::MAX)
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn normalize(&self, score: i64, range: Range) -> i64 {
        scale_to_max(score, range, true)
    }
}
