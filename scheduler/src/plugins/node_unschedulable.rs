//! Keeps pods off cordoned nodes, except those that tolerate the taint that a cordon stands for.

use crate::{
    framework::{Candidate, ClusterEvents, Filter},
    requirements::{Effect, Requirements, Taint, Toleration},
    snapshot::NodeRow,
};

/// spec.unschedulable.
pub struct NodeUnschedulable;

impl Filter for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !tolerates_cordon(&requirements.tolerations)
    }

    fn admits(&self, _: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        !row.node().is_unschedulable
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        if self.admits(candidate, row) {
            Vec::new()
        } else {
            vec!["node(s) were unschedulable".to_owned()]
        }
    }

    fn is_resolvable(&self, _: &Candidate<'_>, _: NodeRow<'_>) -> bool {
        false
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED.union(ClusterEvents::NODE_UNSCHEDULABLE)
    }
}

fn tolerates_cordon(tolerations: &[Toleration]) -> bool {
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        value: "".into(),
        effect: Effect::NoSchedule,
    };
    cordon.is_tolerated(tolerations)
}
