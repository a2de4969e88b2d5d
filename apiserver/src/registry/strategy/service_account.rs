//! ServiceAccounts: nothing but the generic behaviour.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::ServiceAccount;

use super::Strategy;

pub(super) struct ServiceAccountStrategy;

impl Strategy for ServiceAccountStrategy {
    type Kind = ServiceAccount;

    fn resource(&self) -> &'static Resource {
        kinds::SERVICE_ACCOUNT
    }
}
