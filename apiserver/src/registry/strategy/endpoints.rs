//! Endpoints: data without a status.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::Endpoints;

use super::Strategy;

pub(super) struct EndpointsStrategy;

impl Strategy for EndpointsStrategy {
    type Kind = Endpoints;

    fn resource(&self) -> &'static Resource {
        kinds::ENDPOINTS
    }
}
