//! LimitRanges: data without a status.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::LimitRange;

use super::Strategy;

pub(super) struct LimitRangeStrategy;

impl Strategy for LimitRangeStrategy {
    type Kind = LimitRange;

    fn resource(&self) -> &'static Resource {
        kinds::LIMIT_RANGE
    }
}
