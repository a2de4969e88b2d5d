//! DaemonSets: a status of their own, a generation that counts changes of the spec, and another, in an annotation, that
//! counts changes of the template.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};
use k8s_openapi::api::core::v1::PodTemplateSpec;

use super::Strategy;

/// Where upstream keeps the number that was a field before `apps/v1`.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

pub(super) struct DaemonSetStrategy;

impl Strategy for DaemonSetStrategy {
    type Kind = DaemonSet;

    fn resource(&self) -> &'static Resource {
        kinds::DAEMON_SET
    }

    fn prepare_create(&self, object: &mut DaemonSet) {
        object.status = Some(DaemonSetStatus::default());
        set_template_generation(object, 1);
    }

    fn prepare_update(&self, new: &mut DaemonSet, old: &DaemonSet) {
        new.status.clone_from(&old.status);
        let before = template_generation(old);
        let is_changed = template(new) != template(old);
        set_template_generation(new, if is_changed { before + 1 } else { before });
    }

    fn prepare_status_update(&self, new: &mut DaemonSet, old: &DaemonSet) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &DaemonSet, old: &DaemonSet) -> Option<bool> {
        Some(new.spec != old.spec)
    }
}

fn template(set: &DaemonSet) -> Option<&PodTemplateSpec> {
    set.spec.as_ref().map(|spec| &spec.template)
}

fn template_generation(set: &DaemonSet) -> i64 {
    let annotations = set.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(TEMPLATE_GENERATION));
    text.and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn set_template_generation(set: &mut DaemonSet, generation: i64) {
    let annotations = set.metadata.annotations.get_or_insert_default();
    annotations.insert(TEMPLATE_GENERATION.to_owned(), generation.to_string());
}
