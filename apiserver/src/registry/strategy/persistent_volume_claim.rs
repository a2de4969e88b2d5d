//! PersistentVolumeClaims: a finalizer keeps a claim while a pod uses it.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};

use super::{Strategy, add_finalizer};

const PROTECTION: &str = "kubernetes.io/pvc-protection";

pub(super) struct PersistentVolumeClaimStrategy;

impl Strategy for PersistentVolumeClaimStrategy {
    type Kind = PersistentVolumeClaim;

    fn resource(&self) -> &'static Resource {
        kinds::PERSISTENT_VOLUME_CLAIM
    }

    fn prepare_create(&self, object: &mut PersistentVolumeClaim) {
        add_finalizer(&mut object.metadata, PROTECTION);
        let phase = Some("Pending".to_owned());
        object.status = Some(PersistentVolumeClaimStatus {
            phase,
            ..PersistentVolumeClaimStatus::default()
        });
    }

    fn prepare_update(&self, new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        new.spec.clone_from(&old.spec);
    }
}
