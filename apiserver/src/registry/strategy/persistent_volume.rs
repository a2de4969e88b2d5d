//! PersistentVolumes: a finalizer keeps a volume while a claim is bound to it.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeStatus};

use super::{Strategy, add_finalizer};

const PROTECTION: &str = "kubernetes.io/pv-protection";

pub(super) struct PersistentVolumeStrategy;

impl Strategy for PersistentVolumeStrategy {
    type Kind = PersistentVolume;

    fn resource(&self) -> &'static Resource {
        kinds::PERSISTENT_VOLUME
    }

    fn prepare_create(&self, object: &mut PersistentVolume) {
        add_finalizer(&mut object.metadata, PROTECTION);
        let phase = Some("Pending".to_owned());
        object.status = Some(PersistentVolumeStatus {
            phase,
            ..PersistentVolumeStatus::default()
        });
    }

    fn prepare_update(&self, new: &mut PersistentVolume, old: &PersistentVolume) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut PersistentVolume, old: &PersistentVolume) {
        new.spec.clone_from(&old.spec);
    }
}
