//! ControllerRevisions: data that never changes.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::apps::v1::ControllerRevision;

use super::Strategy;

pub(super) struct ControllerRevisionStrategy;

impl Strategy for ControllerRevisionStrategy {
    type Kind = ControllerRevision;

    fn resource(&self) -> &'static Resource {
        kinds::CONTROLLER_REVISION
    }
}
