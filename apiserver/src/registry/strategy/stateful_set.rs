//! StatefulSets: a status of their own, a generation that counts changes of the spec, and `scale`.

use coracle_api::{LabelSelector, Resource, kinds};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};

use super::{Scale, Strategy};

pub(super) struct StatefulSetStrategy;

impl Strategy for StatefulSetStrategy {
    type Kind = StatefulSet;

    fn resource(&self) -> &'static Resource {
        kinds::STATEFUL_SET
    }

    fn prepare_create(&self, object: &mut StatefulSet) {
        object.status = Some(StatefulSetStatus::default());
    }

    fn prepare_update(&self, new: &mut StatefulSet, old: &StatefulSet) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut StatefulSet, old: &StatefulSet) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &StatefulSet, old: &StatefulSet) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn scale(&self, object: &StatefulSet) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        Some(Scale {
            wanted: spec.replicas.unwrap_or(1),
            present: object.status.as_ref().map_or(0, |status| status.replicas),
            selector: LabelSelector::from_api(&spec.selector)
                .map(|s| s.to_string())
                .unwrap_or_default(),
        })
    }

    fn set_scale(&self, object: &mut StatefulSet, wanted: i32) {
        object.spec.get_or_insert_default().replicas = Some(wanted);
    }
}
