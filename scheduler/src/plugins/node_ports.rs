//! Keeps pods off nodes where another pod holds a host port that they want.

use crate::{
    framework::{Candidate, ClusterEvents, Filter},
    requirements::Requirements,
    snapshot::NodeRow,
};

/// Host ports of containers.
pub struct NodePorts;

impl Filter for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !requirements.load.host_ports.is_empty()
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let mut wanted = candidate.requirements.load.host_ports.iter();
        wanted.all(|port| !row.host_ports().iter().any(|taken| taken.conflicts_with(port)))
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        if self.admits(candidate, row) {
            return Vec::new();
        }
        vec!["node(s) didn't have free ports for the requested pod ports".to_owned()]
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED.union(ClusterEvents::POD_REMOVED)
    }
}
