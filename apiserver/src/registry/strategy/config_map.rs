//! ConfigMaps: nothing but the generic behaviour; what is valid is said by `coracle_api::validation`.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::ConfigMap;

use super::Strategy;

pub(super) struct ConfigMapStrategy;

impl Strategy for ConfigMapStrategy {
    type Kind = ConfigMap;

    fn resource(&self) -> &'static Resource {
        kinds::CONFIG_MAP
    }
}
