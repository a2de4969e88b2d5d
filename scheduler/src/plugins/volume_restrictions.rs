//! Keeps a claim with the access mode ReadWriteOncePod to one pod.

use crate::{
    framework::{Candidate, ClusterEvents, CycleState, Filter, Rejection, Scope},
    requirements::Requirements,
    snapshot::{NodeRow, Snapshot},
    storage::claims_of,
};

/// Claims that only one pod may use. Upstream's older checks of disks that only one node may attach need kinds of
/// volumes that do not exist here.
pub struct VolumeRestrictions;

impl Filter for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        !requirements.load.claims.is_empty()
    }

    fn pre_filter(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        state: &mut CycleState,
    ) -> Result<bool, Rejection> {
        let storage = snapshot.storage();
        let exclusive = "ReadWriteOncePod".into();
        state.is_claim_taken = claims_of(&requirements.load).any(|key| {
            storage.is_used(&key)
                && (storage.claim(&key)).is_some_and(|claim| claim.access_modes.contains(&exclusive))
        });
        Ok(true)
    }

    fn admits(&self, candidate: &Candidate<'_>, _: NodeRow<'_>) -> bool {
        !candidate.state.is_claim_taken
    }

    fn reasons(&self, candidate: &Candidate<'_>, _: NodeRow<'_>) -> Vec<String> {
        const REASON: &str =
            "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
        let reason = candidate.state.is_claim_taken.then(|| REASON.to_owned());
        reason.into_iter().collect()
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::POD_REMOVED.union(ClusterEvents::STORAGE)
    }
}
