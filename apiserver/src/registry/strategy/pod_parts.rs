//! The subresources through which parts of a running pod change: `ephemeralcontainers` and `resize`.

use coracle_api::{FieldError, validation};
use k8s_openapi::api::core::v1::{Container, Pod};

use super::pod::qos_class;

/// Takes from the old pod all but what the subresource may change, and who owns it.
pub(super) fn prepare(part: &str, new: &mut Pod, old: &Pod) {
    let mut asked = std::mem::replace(new, old.clone());
    new.metadata.managed_fields = asked.metadata.managed_fields.take();
    let (Some(spec), Some(asked)) = (&mut new.spec, asked.spec) else {
        return;
    };
    if part == "ephemeralcontainers" {
        spec.ephemeral_containers = asked.ephemeral_containers;
        return;
    }
    resize(&mut spec.containers, asked.containers);
    resize(
        spec.init_containers.as_deref_mut().unwrap_or_default(),
        asked.init_containers.unwrap_or_default(),
    );
}

fn resize(containers: &mut [Container], asked: Vec<Container>) {
    for asked in asked {
        if let Some(own) = containers.iter_mut().find(|own| own.name == asked.name) {
            own.resources = asked.resources;
            own.resize_policy = asked.resize_policy;
        }
    }
}

/// What is wrong with the change that a subresource makes.
pub(super) fn validate(part: &str, new: &Pod, old: &Pod) -> Vec<FieldError> {
    if part == "ephemeralcontainers" {
        return validation::pod_ephemeral_containers_update(new, old);
    }
    let mut errors = validation::pod_resize(new, old);
    let class = |pod: &Pod| pod.spec.as_ref().map(qos_class);
    if class(new) != class(old) {
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid(
            &coracle_api::Path::new("spec"),
            class(new).unwrap_or_default(),
            why,
        ));
    }
    errors
}
