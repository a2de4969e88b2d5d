//! Defaults of volumes and claims.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};

use super::container::quantities;
use super::empty::{default_to, drop_blank, drop_empty};

/// Sets the defaults of a PersistentVolume.
pub fn persistent_volume(volume: &mut PersistentVolume) {
    let spec = volume.spec.get_or_insert_default();
    quantities(&mut spec.capacity);
    drop_empty(&mut spec.access_modes);
    drop_empty(&mut spec.mount_options);
    drop_blank(&mut spec.storage_class_name);
    default_to(&mut spec.persistent_volume_reclaim_policy, "Retain");
    default_to(&mut spec.volume_mode, "Filesystem");
    if let Some(source) = &mut spec.host_path {
        source.type_.get_or_insert_default();
    }
    default_to(&mut volume.status.get_or_insert_default().phase, "Pending");
}

/// Sets the defaults of a PersistentVolumeClaim. An empty storage class is not a missing one: it asks for a volume
/// without a class.
pub fn persistent_volume_claim(claim: &mut PersistentVolumeClaim) {
    let spec = claim.spec.get_or_insert_default();
    drop_empty(&mut spec.access_modes);
    drop_blank(&mut spec.volume_name);
    default_to(&mut spec.volume_mode, "Filesystem");
    let resources = spec.resources.get_or_insert_default();
    quantities(&mut resources.limits);
    quantities(&mut resources.requests);
    let status = claim.status.get_or_insert_default();
    quantities(&mut status.capacity);
    default_to(&mut status.phase, "Pending");
}
