//! Bindings: never stored; creating one binds the pod of its name.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::Binding;

use super::Strategy;

pub(super) struct BindingStrategy;

impl Strategy for BindingStrategy {
    type Kind = Binding;

    fn resource(&self) -> &'static Resource {
        kinds::BINDING
    }
}
