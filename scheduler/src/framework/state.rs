//! What is looked up once for a pod and then read for every node: upstream's CycleState, with a named place a plugin.

use crate::{
    plugins::{image_locality, inter_pod_affinity, node_volume_limits, topology_spread, volume_binding},
    requirements::Requirements,
    snapshot::Snapshot,
};

use super::{ClusterEvents, Filter};

/// Results of pre-filter and pre-score.
#[derive(Debug, Default)]
pub struct CycleState {
    /// Of PodTopologySpread's filter.
    pub hard_spread: Vec<topology_spread::Hard>,
    /// Of PodTopologySpread's score.
    pub soft_spread: Vec<topology_spread::Soft>,
    /// Of InterPodAffinity's filter.
    pub affinity: inter_pod_affinity::Met,
    /// Of InterPodAffinity's score.
    pub preferences: Vec<inter_pod_affinity::Preference>,
    /// Of ImageLocality.
    pub images: Vec<image_locality::Image>,
    /// Of VolumeBinding and VolumeZone.
    pub volumes: volume_binding::Volumes,
    /// Of NodeVolumeLimits.
    pub attachments: Vec<node_volume_limits::Attachment>,
    /// Of VolumeRestrictions: another pod uses a claim that only one may use.
    pub is_claim_taken: bool,
}

/// Why no node can admit a pod, found before any was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Upstream's name of the plugin.
    pub plugin: &'static str,
    /// In upstream's words.
    pub message: String,
    /// What could change it.
    pub helped_by: ClusterEvents,
}

/// A pod to be placed, with what was looked up once for all nodes.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// What the pod asks for.
    pub requirements: &'a Requirements,
    /// What the plugins looked up.
    pub state: CycleState,
}

impl<'a> Candidate<'a> {
    /// With nothing looked up: for plugins of node scope.
    #[must_use]
    pub fn bare(requirements: &'a Requirements) -> Self {
        Self {
            requirements,
            state: CycleState::default(),
        }
    }

    /// Runs the pre-filter phase of these plugins; answers those that have something to say, too.
    ///
    /// # Errors
    /// The first rejection.
    pub fn prepare<'f>(
        requirements: &'a Requirements,
        filters: impl IntoIterator<Item = &'f dyn Filter>,
        snapshot: &Snapshot,
    ) -> Result<(Self, Vec<&'f dyn Filter>), Rejection> {
        let mut candidate = Self::bare(requirements);
        let mut asked = Vec::new();
        for filter in filters {
            if filter.pre_filter(requirements, snapshot, &mut candidate.state)? {
                asked.push(filter);
            }
        }
        Ok((candidate, asked))
    }
}
