//! Keeps pods on nodes that can reach their volumes, and finds volumes for claims that wait for their first pod.
//!
//! A claim that is bound must have a volume that the node can reach. One whose class waits for a consumer needs a free
//! volume that fits and that the node can reach, or a provisioner that may make one there. What was chosen is worked
//! out again for the chosen node by [`plan`] and written before the pod is bound ([`crate::volumes`]).

use std::sync::Arc;

use coracle_runtime::Key;

use crate::{
    framework::{Candidate, ClusterEvents, CycleState, Filter, Rejection, Scope},
    projection::Node,
    requirements::{Load, NodeSelectorTerm, Requirements},
    snapshot::{NodeRow, Snapshot},
    storage::{Claim, Storage, Volume, claims_of},
};

/// Claims of pods.
pub struct VolumeBinding;

/// The pod's volumes, sorted by what is to be done about them.
#[derive(Debug, Default)]
pub struct Volumes {
    /// Those of bound claims.
    pub bound: Vec<Arc<Volume>>,
    /// Claims that wait for their first consumer.
    pub waiting: Vec<(Key, Arc<Claim>)>,
}

/// What has to be written for a claim before its pod can be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This volume is to be kept for the claim.
    Reserve {
        /// Which claim.
        claim: Key,
        /// metadata.name of the volume.
        volume: Box<str>,
    },
    /// A volume is to be made for the claim where this node can reach it.
    Provision {
        /// Which claim.
        claim: Key,
    },
}

impl Filter for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
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
        let mut unbound_immediate = false;
        for key in claims_of(&requirements.load) {
            let Some(claim) = storage.claim(&key) else {
                return Err(reject(format!(
                    "persistentvolumeclaim {:?} not found",
                    key.name()
                )));
            };
            if claim.is_lost {
                let message = format!(
                    "persistentvolumeclaim {:?} bound to non-existent persistentvolume {:?}",
                    key.name(),
                    claim.volume
                );
                return Err(reject(message));
            }
            if claim.is_deleting {
                return Err(reject(format!(
                    "persistentvolumeclaim {:?} is being deleted",
                    key.name()
                )));
            }
            match (claim.is_bound, storage.volume(&claim.volume)) {
                (true, Some(volume)) => state.volumes.bound.push(Arc::clone(volume)),
                (true, None) => {
                    let message = format!("persistentvolume {:?} not found", claim.volume);
                    return Err(reject(message));
                }
                // A volume that was chosen for it but is not bound yet: the volume controller is about to.
                (false, _) if !claim.volume.is_empty() => unbound_immediate = true,
                (false, _)
                    if storage
                        .class(&claim.class)
                        .is_some_and(|class| class.waits_for_consumer) =>
                {
                    state.volumes.waiting.push((key, Arc::clone(claim)));
                }
                (false, _) => unbound_immediate = true,
            }
        }
        if unbound_immediate {
            return Err(reject(
                "pod has unbound immediate PersistentVolumeClaims".to_owned(),
            ));
        }
        Ok(true)
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let volumes = &candidate.state.volumes;
        volumes.bound.iter().all(|volume| reaches(row.node(), volume))
            && plan(&volumes.waiting, row.node(), row.snapshot().storage()).is_some()
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        let volumes = &candidate.state.volumes;
        let mut reasons = Vec::new();
        if !volumes.bound.iter().all(|volume| reaches(row.node(), volume)) {
            reasons.push("node(s) had volume node affinity conflict".to_owned());
        }
        if plan(&volumes.waiting, row.node(), row.snapshot().storage()).is_none() {
            reasons.push("node(s) didn't find available persistent volumes to bind".to_owned());
        }
        reasons
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

/// The pod's claims that wait for their first consumer.
#[must_use]
pub fn waiting(load: &Load, storage: &Storage) -> Vec<(Key, Arc<Claim>)> {
    let claims = claims_of(load).filter_map(|key| {
        let claim = Arc::clone(storage.claim(&key)?);
        Some((key, claim))
    });
    claims
        .filter(|(_, claim)| claim.volume.is_empty() && !claim.is_bound)
        .collect()
}

fn reject(message: String) -> Rejection {
    Rejection {
        plugin: "VolumeBinding",
        message,
        helped_by: ClusterEvents::STORAGE,
    }
}

/// Whether the node can reach a volume.
fn reaches(node: &Node, volume: &Volume) -> bool {
    volume
        .node_terms
        .as_ref()
        .is_none_or(|terms| matches_any(terms, node))
}

fn matches_any(terms: &[NodeSelectorTerm], node: &Node) -> bool {
    terms.iter().any(|term| term.matches(&node.name, &node.labels))
}

/// What to do for claims that wait, if their pod goes to the node; `None` where one cannot be served there.
#[must_use]
pub fn plan(waiting: &[(Key, Arc<Claim>)], node: &Node, storage: &Storage) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut taken: Vec<&str> = Vec::new();
    for (key, claim) in waiting {
        // A provisioner that was told a node makes the volume for that node.
        let is_elsewhere = !claim.selected_node.is_empty() && *claim.selected_node != *node.name;
        if is_elsewhere {
            return None;
        }
        let fitting = storage.fitting(key, claim);
        let found =
            (fitting.into_iter()).find(|volume| reaches(node, volume) && !taken.contains(&&*volume.name));
        let class = storage.class(&claim.class);
        match (found, class) {
            (Some(volume), _) if claim.selected_node.is_empty() => {
                taken.push(&volume.name);
                steps.push(Step::Reserve {
                    claim: key.clone(),
                    volume: volume.name.clone(),
                });
            }
            (_, Some(class))
                if class.provisions()
                    && (class.topologies.is_empty() || matches_any(&class.topologies, node)) =>
            {
                steps.push(Step::Provision { claim: key.clone() });
            }
            _ => return None,
        }
    }
    Some(steps)
}
