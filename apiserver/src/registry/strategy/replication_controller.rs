//! ReplicationControllers: a status of their own, a generation that counts changes of the spec, and `scale`.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::{ReplicationController, ReplicationControllerStatus};

use super::{Field, Scale, Strategy};

pub(super) struct ReplicationControllerStrategy;

impl Strategy for ReplicationControllerStrategy {
    type Kind = ReplicationController;

    fn resource(&self) -> &'static Resource {
        kinds::REPLICATION_CONTROLLER
    }

    fn prepare_create(&self, object: &mut ReplicationController) {
        object.status = Some(ReplicationControllerStatus::default());
    }

    fn prepare_update(&self, new: &mut ReplicationController, old: &ReplicationController) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ReplicationController, old: &ReplicationController) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &ReplicationController, old: &ReplicationController) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn orphans_dependents(&self) -> bool {
        true
    }

    fn fields(&self, object: &ReplicationController) -> Vec<Field> {
        let replicas = object.status.as_ref().map_or(0, |status| status.replicas);
        vec![("status.replicas", replicas.to_string())]
    }

    fn scale(&self, object: &ReplicationController) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        let terms = spec
            .selector
            .iter()
            .flatten()
            .map(|(key, value)| format!("{key}={value}"));
        Some(Scale {
            wanted: spec.replicas.unwrap_or(1),
            present: object.status.as_ref().map_or(0, |status| status.replicas),
            selector: terms.collect::<Vec<_>>().join(","),
        })
    }

    fn set_scale(&self, object: &mut ReplicationController, wanted: i32) {
        object.spec.get_or_insert_default().replicas = Some(wanted);
    }
}
