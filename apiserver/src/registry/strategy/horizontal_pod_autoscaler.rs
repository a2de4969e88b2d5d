//! HorizontalPodAutoscalers, in the version that is stored: a status of their own.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};

use super::Strategy;

pub(super) struct HorizontalPodAutoscalerStrategy;

impl Strategy for HorizontalPodAutoscalerStrategy {
    type Kind = HorizontalPodAutoscaler;

    fn resource(&self) -> &'static Resource {
        kinds::HORIZONTAL_POD_AUTOSCALER
    }

    fn prepare_create(&self, object: &mut HorizontalPodAutoscaler) {
        object.status = Some(HorizontalPodAutoscalerStatus::default());
    }

    fn prepare_update(&self, new: &mut HorizontalPodAutoscaler, old: &HorizontalPodAutoscaler) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut HorizontalPodAutoscaler, old: &HorizontalPodAutoscaler) {
        new.spec.clone_from(&old.spec);
    }
}
