//! Nodes: spec and status are written by different hands, each through its own subresource.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::Node;

use super::{Field, Strategy};

pub(super) struct NodeStrategy;

impl Strategy for NodeStrategy {
    type Kind = Node;

    fn resource(&self) -> &'static Resource {
        kinds::NODE
    }

    fn prepare_update(&self, new: &mut Node, old: &Node) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Node, old: &Node) {
        new.spec.clone_from(&old.spec);
    }

    fn fields(&self, object: &Node) -> Vec<Field> {
        let unschedulable = object
            .spec
            .as_ref()
            .and_then(|spec| spec.unschedulable)
            .unwrap_or(false);
        vec![("spec.unschedulable", unschedulable.to_string())]
    }
}
