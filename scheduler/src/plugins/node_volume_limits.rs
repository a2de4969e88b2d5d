//! Keeps pods off nodes that would have to attach more volumes of a driver than they can.

use std::collections::BTreeSet;

use coracle_runtime::Key;

use crate::{
    framework::{Candidate, ClusterEvents, CycleState, Filter, Rejection, Scope},
    requirements::Requirements,
    snapshot::{NodeRow, Snapshot},
    storage::{Storage, claims_of},
};

/// What CSINodes say that their drivers can attach.
pub struct NodeVolumeLimits;

/// A volume that the pod needs attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    driver: Box<str>,
    /// The volume's handle, or the claim that has none yet: claims of one volume attach it once.
    volume: Box<str>,
}

impl Attachment {
    fn of(key: &Key, storage: &Storage) -> Option<Self> {
        let claim = storage.claim(key)?;
        if let Some(volume) = storage.volume(&claim.volume) {
            return (!volume.driver.is_empty()).then(|| Self {
                driver: volume.driver.clone(),
                volume: volume.handle.clone(),
            });
        }
        let class = storage.class(&claim.class)?;
        class.provisions().then(|| Self {
            driver: class.provisioner.clone(),
            volume: key.to_string().into(),
        })
    }
}

impl Filter for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
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
        state.attachments = claims_of(&requirements.load)
            .filter_map(|key| Attachment::of(&key, storage))
            .collect();
        Ok(true)
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let wanted = &candidate.state.attachments;
        let storage = row.snapshot().storage();
        let Some(drivers) = storage.drivers(&row.node().name).filter(|_| !wanted.is_empty()) else {
            return true;
        };
        let attached: BTreeSet<Attachment> = (storage.used_on(row.index()))
            .filter_map(|key| Attachment::of(key, storage))
            .chain(wanted.iter().cloned())
            .collect();
        let is_within = |(driver, limit): &(Box<str>, i64)| {
            let count = |attachment: &&Attachment| attachment.driver == *driver;
            // A node that is over its limit already still takes pods that bring no volume of that driver.
            !wanted.iter().any(|attachment| attachment.driver == *driver)
                || attached.iter().filter(count).count() as i64 <= *limit
        };
        drivers.0.iter().all(is_within)
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        if self.admits(candidate, row) {
            return Vec::new();
        }
        vec!["node(s) exceed max volume count".to_owned()]
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED
            .union(ClusterEvents::POD_REMOVED)
            .union(ClusterEvents::STORAGE)
    }
}
