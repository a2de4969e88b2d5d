//! Defaults of one container.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, EnvVar, HTTPGetAction, Lifecycle, LifecycleHandler, ObjectFieldSelector, Probe,
    ResourceFieldSelector, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::empty::{default_number, default_to, drop_blank, drop_empty, drop_false, drop_zero};
use crate::quantity;

/// Sets the defaults of a container.
pub(super) fn container(container: &mut Container) {
    drop_empty(&mut container.args);
    drop_empty(&mut container.command);
    drop_empty(&mut container.env);
    drop_empty(&mut container.env_from);
    drop_empty(&mut container.ports);
    drop_empty(&mut container.resize_policy);
    drop_empty(&mut container.volume_devices);
    drop_empty(&mut container.volume_mounts);
    drop_blank(&mut container.image);
    drop_blank(&mut container.working_dir);
    drop_false(&mut container.stdin);
    drop_false(&mut container.stdin_once);
    drop_false(&mut container.tty);
    let policy = pull_policy(container.image.as_deref().unwrap_or_default());
    default_to(&mut container.image_pull_policy, policy);
    default_to(&mut container.termination_message_path, "/dev/termination-log");
    default_to(&mut container.termination_message_policy, "File");
    resources(container.resources.get_or_insert_default());
    for port in container.ports.iter_mut().flatten() {
        default_to(&mut port.protocol, "TCP");
        drop_zero(&mut port.host_port);
        drop_blank(&mut port.host_ip);
        drop_blank(&mut port.name);
    }
    for mount in container.volume_mounts.iter_mut().flatten() {
        drop_false(&mut mount.read_only);
        drop_blank(&mut mount.sub_path);
    }
    container.env.iter_mut().flatten().for_each(env);
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes.into_iter().flatten().for_each(probe);
    if let Some(Lifecycle {
        post_start, pre_stop, ..
    }) = &mut container.lifecycle
    {
        for LifecycleHandler { http_get, .. } in [post_start, pre_stop].into_iter().flatten() {
            http_get.iter_mut().for_each(http_get_action);
        }
    }
}

/// `Always` for the tag `latest`, which may move, else `IfNotPresent`.
pub(super) fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    let is_latest = match name.split_once(':') {
        _ if image.is_empty() || image.contains('@') => false,
        Some((_, tag)) => tag == "latest",
        None => true,
    };
    if is_latest { "Always" } else { "IfNotPresent" }
}

fn env(variable: &mut EnvVar) {
    drop_blank(&mut variable.value);
    if let Some(source) = &mut variable.value_from {
        source.field_ref.iter_mut().for_each(field_ref);
        source.resource_field_ref.iter_mut().for_each(resource_field_ref);
    }
}

/// A field of an API version, `v1` unless it says otherwise.
pub(super) fn field_ref(field: &mut ObjectFieldSelector) {
    default_to(&mut field.api_version, "v1");
}

/// A divisor of zero stands for one; upstream writes it out.
pub(super) fn resource_field_ref(field: &mut ResourceFieldSelector) {
    let divisor = field.divisor.get_or_insert_with(|| Quantity("0".to_owned()));
    quantity::normalize(divisor);
}

fn probe(probe: &mut Probe) {
    default_number(&mut probe.timeout_seconds, 1);
    default_number(&mut probe.period_seconds, 10);
    default_number(&mut probe.success_threshold, 1);
    default_number(&mut probe.failure_threshold, 3);
    drop_zero(&mut probe.initial_delay_seconds);
    probe.http_get.iter_mut().for_each(http_get_action);
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn http_get_action(action: &mut HTTPGetAction) {
    default_to(&mut action.path, "/");
    default_to(&mut action.scheme, "HTTP");
    drop_blank(&mut action.host);
    drop_empty(&mut action.http_headers);
}

fn resources(resources: &mut ResourceRequirements) {
    drop_empty(&mut resources.claims);
    quantities(&mut resources.limits);
    quantities(&mut resources.requests);
}

/// Puts quantities in canonical form.
pub(super) fn quantities(amounts: &mut Option<BTreeMap<String, Quantity>>) {
    drop_empty(amounts);
    amounts
        .iter_mut()
        .flat_map(BTreeMap::values_mut)
        .for_each(quantity::normalize);
}

/// Who limits a resource without requesting it requests the limit.
pub(super) fn request_limits(container: &mut Container) {
    let Some(ResourceRequirements {
        limits: Some(limits),
        requests,
        ..
    }) = &mut container.resources
    else {
        return;
    };
    let requests = requests.get_or_insert_default();
    for (name, limit) in limits {
        requests.entry(name.clone()).or_insert_with(|| limit.clone());
    }
}
