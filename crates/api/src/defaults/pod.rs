//! Defaults of pods and pod templates.

use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EphemeralContainer, Pod, PodSpec, PodTemplateSpec, Volume,
};

use super::container;
use super::empty::{default_number, default_to, drop_blank, drop_empty, drop_false};

/// The mode of files in volumes made from API objects, rw-r--r--.
const FILE_MODE: i32 = 0o644;
/// Seconds that a projected service account token is valid.
const TOKEN_SECONDS: i64 = 3600;

/// Sets the defaults of a pod. Beyond a template's, limits become requests.
pub fn pod(pod: &mut Pod) {
    let spec = pod.spec.get_or_insert_default();
    pod_spec(spec);
    spec.enable_service_links.get_or_insert(true);
    for container in spec
        .containers
        .iter_mut()
        .chain(spec.init_containers.iter_mut().flatten())
    {
        container::request_limits(container);
    }
}

/// Sets the defaults of a pod template.
pub fn pod_template(template: &mut PodTemplateSpec) {
    super::metadata(template.metadata.get_or_insert_default());
    pod_spec(template.spec.get_or_insert_default());
}

/// Sets the defaults that pods and templates share.
pub fn pod_spec(spec: &mut PodSpec) {
    drop_what_is_empty(spec);
    default_to(&mut spec.dns_policy, "ClusterFirst");
    default_to(&mut spec.restart_policy, "Always");
    default_to(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    // The old name of the field and the new one always say the same.
    default_to_other(&mut spec.service_account_name, &mut spec.service_account);
    container::quantities(&mut spec.overhead);
    spec.volumes.iter_mut().flatten().for_each(volume);
    spec.ephemeral_containers
        .iter_mut()
        .flatten()
        .for_each(ephemeral_container);
    let uses_host_network = spec.host_network == Some(true);
    for container in spec
        .containers
        .iter_mut()
        .chain(spec.init_containers.iter_mut().flatten())
    {
        container::container(container);
        if uses_host_network {
            host_ports(container);
        }
    }
}

/// Sets the defaults of a container that was added to a running pod.
fn ephemeral_container(own: &mut EphemeralContainer) {
    let policy = container::pull_policy(own.image.as_deref().unwrap_or_default());
    default_to(&mut own.image_pull_policy, policy);
    default_to(&mut own.termination_message_path, "/dev/termination-log");
    default_to(&mut own.termination_message_policy, "File");
    own.resources.get_or_insert_default();
    drop_blank(&mut own.target_container_name);
    drop_false(&mut own.stdin);
    drop_false(&mut own.stdin_once);
    drop_false(&mut own.tty);
}

fn drop_what_is_empty(spec: &mut PodSpec) {
    drop_empty(&mut spec.ephemeral_containers);
    drop_empty(&mut spec.host_aliases);
    drop_empty(&mut spec.image_pull_secrets);
    drop_empty(&mut spec.init_containers);
    drop_empty(&mut spec.node_selector);
    drop_empty(&mut spec.readiness_gates);
    drop_empty(&mut spec.resource_claims);
    drop_empty(&mut spec.scheduling_gates);
    drop_empty(&mut spec.tolerations);
    drop_empty(&mut spec.topology_spread_constraints);
    drop_empty(&mut spec.volumes);
    drop_false(&mut spec.host_ipc);
    drop_false(&mut spec.host_network);
    drop_false(&mut spec.host_pid);
    drop_blank(&mut spec.hostname);
    drop_blank(&mut spec.node_name);
    drop_blank(&mut spec.priority_class_name);
    drop_blank(&mut spec.service_account);
    drop_blank(&mut spec.service_account_name);
    drop_blank(&mut spec.subdomain);
    for toleration in spec.tolerations.iter_mut().flatten() {
        drop_blank(&mut toleration.effect);
        drop_blank(&mut toleration.key);
        drop_blank(&mut toleration.operator);
        drop_blank(&mut toleration.value);
    }
}

fn default_to_other(name: &mut Option<String>, old_name: &mut Option<String>) {
    if name.is_none() {
        name.clone_from(old_name);
    }
    old_name.clone_from(name);
}

fn host_ports(container: &mut Container) {
    for port in container.ports.iter_mut().flatten() {
        default_number(&mut port.host_port, port.container_port);
    }
}

fn volume(volume: &mut Volume) {
    let bare = Volume {
        name: volume.name.clone(),
        ..Volume::default()
    };
    if *volume == bare {
        volume.empty_dir = Some(EmptyDirVolumeSource::default());
    }
    if let Some(source) = &mut volume.empty_dir {
        drop_blank(&mut source.medium);
        source.size_limit.iter_mut().for_each(crate::quantity::normalize);
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(source) = &mut volume.nfs {
        drop_false(&mut source.read_only);
    }
    if let Some(source) = &mut volume.persistent_volume_claim {
        drop_false(&mut source.read_only);
    }
    if let Some(source) = &mut volume.secret {
        drop_empty(&mut source.items);
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.config_map {
        drop_empty(&mut source.items);
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        source.items.iter_mut().flatten().for_each(downward_file);
    }
    if let Some(source) = &mut volume.projected {
        source.default_mode.get_or_insert(FILE_MODE);
        for projection in source.sources.iter_mut().flatten() {
            if let Some(token) = &mut projection.service_account_token {
                token.expiration_seconds.get_or_insert(TOKEN_SECONDS);
            }
            if let Some(downward) = &mut projection.downward_api {
                downward.items.iter_mut().flatten().for_each(downward_file);
            }
        }
    }
}

fn downward_file(file: &mut k8s_openapi::api::core::v1::DownwardAPIVolumeFile) {
    file.field_ref.iter_mut().for_each(container::field_ref);
    file.resource_field_ref
        .iter_mut()
        .for_each(container::resource_field_ref);
}
