//! Keeps pods on nodes of the zones and regions that their bound volumes are labelled with.

use crate::{
    framework::{Candidate, ClusterEvents, Filter, Scope},
    requirements::{Requirements, label},
    snapshot::NodeRow,
};

/// Labels of volumes that name zones and regions, the old ones too.
const LABELS: [&str; 4] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];
/// Between the zones of a volume that is in several.
const SEPARATOR: &str = "__";

/// metadata.labels of PersistentVolumes. What it needs was looked up by VolumeBinding.
pub struct VolumeZone;

impl Filter for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !requirements.load.claims.is_empty()
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        candidate.state.volumes.bound.iter().all(|volume| {
            LABELS.iter().all(|key| {
                let Some(zones) = label(&volume.labels, key) else {
                    return true;
                };
                let zone = label(&row.node().labels, key);
                zone.is_some_and(|zone| zones.split(SEPARATOR).any(|one| one == zone))
            })
        })
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        if self.admits(candidate, row) {
            return Vec::new();
        }
        vec!["node(s) had no available volume zone".to_owned()]
    }

    fn is_resolvable(&self, _: &Candidate<'_>, _: NodeRow<'_>) -> bool {
        false
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED
            .union(ClusterEvents::NODE_LABELS)
            .union(ClusterEvents::STORAGE)
    }
}
