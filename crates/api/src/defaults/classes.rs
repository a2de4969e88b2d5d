//! Defaults of StorageClasses and of what storage drivers publish.

use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};

use super::empty::{default_to, drop_blank, drop_empty};
use crate::quantity;

/// Sets the reclaim policy and the binding mode of a StorageClass.
pub fn storage_class(own: &mut StorageClass) {
    drop_empty(&mut own.parameters);
    drop_empty(&mut own.mount_options);
    drop_empty(&mut own.allowed_topologies);
    default_to(&mut own.reclaim_policy, "Delete");
    default_to(&mut own.volume_binding_mode, "Immediate");
}

/// Tidies a VolumeAttachment.
pub fn volume_attachment(own: &mut VolumeAttachment) {
    drop_blank(&mut own.spec.source.persistent_volume_name);
    if let Some(status) = &mut own.status {
        drop_empty(&mut status.attachment_metadata);
    }
}

/// Sets what a CSIDriver that says nothing can do.
pub fn csi_driver(own: &mut CSIDriver) {
    let spec = &mut own.spec;
    spec.attach_required.get_or_insert(true);
    spec.pod_info_on_mount.get_or_insert(false);
    spec.storage_capacity.get_or_insert(false);
    spec.requires_republish.get_or_insert(false);
    spec.se_linux_mount.get_or_insert(false);
    default_to(&mut spec.fs_group_policy, "ReadWriteOnceWithFSType");
    drop_empty(&mut spec.token_requests);
    drop_empty(&mut spec.volume_lifecycle_modes);
    spec.volume_lifecycle_modes
        .get_or_insert_with(|| vec!["Persistent".to_owned()]);
}

/// Tidies a CSINode.
pub fn csi_node(own: &mut CSINode) {
    for driver in &mut own.spec.drivers {
        drop_empty(&mut driver.topology_keys);
    }
}

/// Writes the sizes of a CSIStorageCapacity in their canonical form.
pub fn csi_storage_capacity(own: &mut CSIStorageCapacity) {
    for size in [&mut own.capacity, &mut own.maximum_volume_size] {
        size.iter_mut().for_each(quantity::normalize);
    }
}
