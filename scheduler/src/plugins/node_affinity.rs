//! Node selectors and node affinity: required ones filter, preferred ones score.

use super::scale_to_max;
use crate::{
    framework::{Candidate, ClusterEvents, Filter, Range, Score},
    projection::Node,
    requirements::{Requirements, label},
    snapshot::NodeRow,
};

/// spec.nodeSelector and spec.affinity.nodeAffinity.
pub struct NodeAffinity;

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !requirements.node_selector.is_empty() || requirements.required_terms.is_some()
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        is_drawn_to(candidate.requirements, row.node())
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        if Filter::admits(self, candidate, row) {
            return Vec::new();
        }
        vec!["node(s) didn't match Pod's node affinity/selector".to_owned()]
    }

    fn is_resolvable(&self, _: &Candidate<'_>, _: NodeRow<'_>) -> bool {
        false
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED.union(ClusterEvents::NODE_LABELS)
    }
}

/// Whether node selector and required node affinity let a pod be on the node.
pub(super) fn is_drawn_to(requirements: &Requirements, node: &Node) -> bool {
    let Requirements {
        node_selector,
        required_terms,
        ..
    } = requirements;
    node_selector
        .iter()
        .all(|(key, value)| label(&node.labels, key) == Some(value))
        && required_terms
            .as_ref()
            .is_none_or(|terms| terms.iter().any(|term| term.matches(&node.name, &node.labels)))
}

impl Score for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !requirements.preferred_terms.is_empty()
    }

    /// The sum of the weights of the terms that match.
    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        let node = row.node();
        let preferred = candidate.requirements.preferred_terms.iter();
        let matching = preferred.filter(|preferred| preferred.term.matches(&node.name, &node.labels));
        matching
            .map(|preferred| preferred.weight)
            .fold(0, i64::saturating_add)
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn normalize(&self, score: i64, range: Range) -> i64 {
        scale_to_max(score, range, false)
    }
}
