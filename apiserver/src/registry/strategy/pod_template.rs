//! PodTemplates: a generation that counts changes of the template.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::PodTemplate;

use super::Strategy;

pub(super) struct PodTemplateStrategy;

impl Strategy for PodTemplateStrategy {
    type Kind = PodTemplate;

    fn resource(&self) -> &'static Resource {
        kinds::POD_TEMPLATE
    }

    fn is_spec_changed(&self, new: &PodTemplate, old: &PodTemplate) -> Option<bool> {
        Some(new.template != old.template)
    }
}
