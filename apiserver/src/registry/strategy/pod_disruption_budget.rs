//! PodDisruptionBudgets: a status of their own, which says how many pods may be evicted now.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};

use super::Strategy;

pub(super) struct PodDisruptionBudgetStrategy;

impl Strategy for PodDisruptionBudgetStrategy {
    type Kind = PodDisruptionBudget;

    fn resource(&self) -> &'static Resource {
        kinds::POD_DISRUPTION_BUDGET
    }

    fn prepare_create(&self, object: &mut PodDisruptionBudget) {
        object.status = Some(PodDisruptionBudgetStatus::default());
    }

    fn prepare_update(&self, new: &mut PodDisruptionBudget, old: &PodDisruptionBudget) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut PodDisruptionBudget, old: &PodDisruptionBudget) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &PodDisruptionBudget, old: &PodDisruptionBudget) -> Option<bool> {
        Some(new.spec != old.spec)
    }
}
