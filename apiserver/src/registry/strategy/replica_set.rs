//! ReplicaSets: a status of their own, a generation that counts changes of the spec, and `scale`.

use coracle_api::{LabelSelector, Resource, kinds};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};

use super::{Field, Scale, Strategy};

pub(super) struct ReplicaSetStrategy;

impl Strategy for ReplicaSetStrategy {
    type Kind = ReplicaSet;

    fn resource(&self) -> &'static Resource {
        kinds::REPLICA_SET
    }

    fn prepare_create(&self, object: &mut ReplicaSet) {
        object.status = Some(ReplicaSetStatus::default());
    }

    fn prepare_update(&self, new: &mut ReplicaSet, old: &ReplicaSet) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ReplicaSet, old: &ReplicaSet) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &ReplicaSet, old: &ReplicaSet) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn fields(&self, object: &ReplicaSet) -> Vec<Field> {
        let replicas = object.status.as_ref().map_or(0, |status| status.replicas);
        vec![("status.replicas", replicas.to_string())]
    }

    fn scale(&self, object: &ReplicaSet) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        Some(Scale {
            wanted: spec.replicas.unwrap_or(1),
            present: object.status.as_ref().map_or(0, |status| status.replicas),
            selector: LabelSelector::from_api(&spec.selector)
                .map(|s| s.to_string())
                .unwrap_or_default(),
        })
    }

    fn set_scale(&self, object: &mut ReplicaSet, wanted: i32) {
        object.spec.get_or_insert_default().replicas = Some(wanted);
    }
}
