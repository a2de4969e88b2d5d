//! Changes of running pods through subresources: containers to debug with, and other amounts of CPU and memory.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, PodSpec};

use super::check::{Errors, form, one_of_or_none, required, text};
use super::pod_spec;
use crate::field_error::{FieldError, Path};
use crate::names;

/// Mistakes in the change of a pod's ephemeral containers, which are only ever added.
pub fn pod_ephemeral_containers_update(new: &Pod, old: &Pod) -> Vec<FieldError> {
    let path = Path::new("spec").child("ephemeralContainers");
    let of = |pod: &Pod| -> Vec<EphemeralContainer> {
        let spec = pod.spec.as_ref();
        spec.and_then(|spec| spec.ephemeral_containers.clone())
            .unwrap_or_default()
    };
    let (own, had) = (of(new), of(old));
    let mut errors = Vec::new();
    if let Some(spec) = &new.spec {
        let mut taken: BTreeSet<&str> = containers(spec)
            .map(|container| container.name.as_str())
            .collect();
        for (index, container) in own.iter().enumerate() {
            let path = path.index(index);
            ephemeral_container(&mut errors, container, spec, &path);
            if !taken.insert(&container.name) {
                errors.push(FieldError::duplicate(&path.child("name"), &container.name));
            }
        }
    }
    for before in &had {
        let name = &before.name;
        match own.iter().find(|container| container.name == *name) {
            None => errors.push(FieldError::forbidden(
                &path,
                format!("existing ephemeral containers {name:?} may not be removed\n"),
            )),
            Some(container) if container != before => errors.push(FieldError::forbidden(
                &path,
                format!("existing ephemeral containers {name:?} may not be changed\n"),
            )),
            Some(_) => {}
        }
    }
    errors
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
}

fn ephemeral_container(errors: &mut Errors, own: &EphemeralContainer, spec: &PodSpec, path: &Path) {
    required(errors, path, "name", &own.name);
    if !own.name.is_empty() {
        form(errors, path, "name", &own.name, names::label(&own.name));
    }
    required(errors, path, "image", text(&own.image));
    one_of_or_none(
        errors,
        path,
        "imagePullPolicy",
        &own.image_pull_policy,
        &["Always", "IfNotPresent", "Never"],
    );
    let target = text(&own.target_container_name);
    if !target.is_empty() && !containers(spec).any(|container| container.name == target) {
        errors.push(FieldError::not_found(&path.child("targetContainerName"), target));
    }
    let has_resources = own
        .resources
        .as_ref()
        .is_some_and(|resources| resources.limits.is_some() || resources.requests.is_some());
    for (field, is_set) in [
        ("ports", own.ports.as_ref().is_some_and(|ports| !ports.is_empty())),
        ("livenessProbe", own.liveness_probe.is_some()),
        ("readinessProbe", own.readiness_probe.is_some()),
        ("startupProbe", own.startup_probe.is_some()),
        ("lifecycle", own.lifecycle.is_some()),
        ("resources", has_resources),
        (
            "resizePolicy",
            own.resize_policy.as_ref().is_some_and(|own| !own.is_empty()),
        ),
    ] {
        if is_set {
            let detail = "cannot be set for an Ephemeral Container";
            errors.push(FieldError::forbidden(&path.child(field), detail));
        }
    }
}

/// Mistakes in the change of the amounts that a pod's containers get: CPU and memory only.
pub fn pod_resize(new: &Pod, old: &Pod) -> Vec<FieldError> {
    let path = Path::new("spec");
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else {
        return vec![FieldError::required(&path, "")];
    };
    if spec == before {
        return Vec::new();
    }
    let mut errors = pod_spec(spec, &path);
    let others = |spec: &PodSpec| -> Vec<Vec<(String, String)>> {
        let of = |container: &Container| {
            let resources = container.resources.clone().unwrap_or_default();
            let amounts = [("limits", resources.limits), ("requests", resources.requests)];
            let named = amounts.into_iter().flat_map(|(kind, amounts)| {
                let amounts = amounts.unwrap_or_default().into_iter();
                amounts.map(move |(name, amount)| (name, format!("{kind} {}", amount.0)))
            });
            named
                .filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory"))
                .collect()
        };
        containers(spec).map(of).collect()
    };
    if others(spec) != others(before) {
        errors.push(FieldError::forbidden(
            &path,
            "only cpu and memory resources are mutable",
        ));
    }
    errors
}
