//! Whether a claim or volume that is being deleted may go. Source: "Storage Object in Use Protection" in the
//! Kubernetes documentation.

use coracle_api::{Resource, kinds};
use coracle_runtime::Plan;

use crate::{view::Meta, writes};

const OF_CLAIMS: &str = "kubernetes.io/pvc-protection";
const OF_VOLUMES: &str = "kubernetes.io/pv-protection";

/// What is known about a claim or a volume.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) resource: &'static Resource,
    pub(super) meta: Meta,
    /// By a pod, or by a claim.
    pub(super) is_used: bool,
}

/// Takes the finalizer away once nobody uses the object.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let finalizer = if *snapshot.resource == *kinds::PERSISTENT_VOLUME {
        OF_VOLUMES
    } else {
        OF_CLAIMS
    };
    if snapshot.meta.is_deleting() && !snapshot.is_used && snapshot.meta.has_finalizer(finalizer) {
        plan.write(writes::remove_finalizer(
            snapshot.resource,
            &snapshot.meta,
            finalizer,
        ));
    }
    plan
}
