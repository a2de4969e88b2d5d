//! ResourceQuotas: a status of their own, which says how much is used.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaStatus};

use super::Strategy;

pub(super) struct ResourceQuotaStrategy;

impl Strategy for ResourceQuotaStrategy {
    type Kind = ResourceQuota;

    fn resource(&self) -> &'static Resource {
        kinds::RESOURCE_QUOTA
    }

    fn prepare_create(&self, object: &mut ResourceQuota) {
        object.status = Some(ResourceQuotaStatus::default());
    }

    fn prepare_update(&self, new: &mut ResourceQuota, old: &ResourceQuota) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ResourceQuota, old: &ResourceQuota) {
        new.spec.clone_from(&old.spec);
    }
}
