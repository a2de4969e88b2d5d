//! Containers: name, image, ports, environment, mounts.

use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvVar, VolumeMount};

use super::check::{Errors, exactly_one, form, not_negative, one_of, required, text};
use super::probe::{Purpose, lifecycle, probe};
use super::resources;
use crate::field_error::{FieldError, Path};
use crate::names;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
/// Fields that the downward API can put into an environment variable.
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What the containers of one pod share.
pub(super) struct Surroundings<'a> {
    /// Names of the pod's volumes.
    pub volumes: Vec<&'a str>,
    /// Whether the pod uses the node's network.
    pub host_network: bool,
}

/// One container of a list; `is_init` for init containers.
pub(super) fn container(
    errors: &mut Errors,
    own: &Container,
    is_init: bool,
    pod: &Surroundings<'_>,
    path: &Path,
) {
    match own.name.as_str() {
        "" => errors.push(FieldError::required(&path.child("name"), "")),
        name => form(errors, path, "name", name, names::label(name)),
    }
    image(errors, own, path);
    let policies = ["FallbackToLogsOnError", "File"];
    one_of(
        errors,
        path,
        "terminationMessagePolicy",
        &own.termination_message_policy,
        &policies,
    );
    ports(
        errors,
        own.ports.as_deref().unwrap_or_default(),
        pod.host_network,
        &path.child("ports"),
    );
    for (index, variable) in own.env.iter().flatten().enumerate() {
        env(errors, variable, &path.child("env").index(index));
    }
    env_from(errors, own, path);
    mounts(
        errors,
        own.volume_mounts.as_deref().unwrap_or_default(),
        pod,
        &path.child("volumeMounts"),
    );
    if let Some(own) = &own.resources {
        resources::requirements(errors, own, &path.child("resources"));
    }
    probes(errors, own, is_init, path);
    if let Some(user) = own
        .security_context
        .as_ref()
        .and_then(|context| context.run_as_user)
    {
        not_negative(errors, &path.child("securityContext"), "runAsUser", Some(user));
    }
}

fn image(errors: &mut Errors, own: &Container, path: &Path) {
    let image = text(&own.image);
    required(errors, path, "image", image);
    if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid(&path.child("image"), image, detail));
    }
    one_of(
        errors,
        path,
        "imagePullPolicy",
        &own.image_pull_policy,
        &["Always", "IfNotPresent", "Never"],
    );
}

fn env_from(errors: &mut Errors, own: &Container, path: &Path) {
    for (index, source) in own.env_from.iter().flatten().enumerate() {
        let path = path.child("envFrom").index(index);
        let sources = [
            ("configMapRef", source.config_map_ref.is_some()),
            ("secretRef", source.secret_ref.is_some()),
        ];
        let none = "must specify one of: `configMapRef` or `secretRef`";
        exactly_one(
            errors,
            &path,
            &sources,
            none,
            "may not have more than one field specified at a time",
        );
    }
}

fn probes(errors: &mut Errors, own: &Container, is_init: bool, path: &Path) {
    let restarts = text(&own.restart_policy) == "Always";
    match text(&own.restart_policy) {
        "" => {}
        _ if !is_init => {
            let detail = "may not be set for non-init containers";
            errors.push(FieldError::forbidden(&path.child("restartPolicy"), detail));
        }
        "Always" => {}
        other => errors.push(FieldError::not_supported(
            &path.child("restartPolicy"),
            other,
            &["Always"],
        )),
    }
    let fields = [
        ("livenessProbe", &own.liveness_probe, Purpose::Liveness),
        ("readinessProbe", &own.readiness_probe, Purpose::Readiness),
        ("startupProbe", &own.startup_probe, Purpose::Startup),
    ];
    let is_forbidden = is_init && !restarts;
    let forbidden = |field: &str| {
        FieldError::forbidden(
            &path.child(field),
            "may not be set for init containers without restartPolicy=Always",
        )
    };
    for (field, own, purpose) in fields {
        match own {
            Some(_) if is_forbidden => errors.push(forbidden(field)),
            Some(own) => probe(errors, own, purpose, &path.child(field)),
            None => {}
        }
    }
    match &own.lifecycle {
        Some(_) if is_forbidden => errors.push(forbidden("lifecycle")),
        Some(own) => lifecycle(errors, own, &path.child("lifecycle")),
        None => {}
    }
}

fn ports(errors: &mut Errors, ports: &[ContainerPort], host_network: bool, path: &Path) {
    let mut port_names: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(&port.name);
        if !name.is_empty() {
            let messages = names::port_name(name);
            let is_right = messages.is_empty();
            form(errors, &path, "name", name, messages);
            if is_right && port_names.contains(&name) {
                errors.push(FieldError::duplicate(&path.child("name"), name));
            }
            port_names.push(name);
        }
        match port.container_port {
            0 => errors.push(FieldError::required(&path.child("containerPort"), "")),
            number => {
                let message = names::port_number(number);
                let error = |message| FieldError::invalid(&path.child("containerPort"), number, message);
                errors.extend(message.map(error));
            }
        }
        if let Some(number) = port.host_port.filter(|number| *number != 0) {
            let path = path.child("hostPort");
            let message = names::port_number(number);
            errors.extend(message.map(|message| FieldError::invalid(&path, number, message)));
            if host_network && number != port.container_port {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid(&path, number, detail));
            }
        }
        one_of(errors, &path, "protocol", &port.protocol, PROTOCOLS);
    }
}

fn env(errors: &mut Errors, own: &EnvVar, path: &Path) {
    match own.name.as_str() {
        "" => errors.push(FieldError::required(&path.child("name"), "")),
        name => form(errors, path, "name", name, names::env_name(name)),
    }
    let Some(source) = &own.value_from else { return };
    let path = path.child("valueFrom");
    if !text(&own.value).is_empty() {
        errors.push(FieldError::invalid(
            &path,
            "",
            "may not be specified when `value` is not empty",
        ));
    }
    let sources = [
        source.field_ref.is_some(),
        source.resource_field_ref.is_some(),
        source.config_map_key_ref.is_some(),
        source.secret_key_ref.is_some(),
    ];
    match sources.iter().filter(|is_set| **is_set).count() {
        0 => {
            let detail =
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            errors.push(FieldError::invalid(&path, "", detail));
        }
        1 => {}
        _ => {
            let detail = "may not have more than one field specified at a time";
            errors.push(FieldError::invalid(&path, "", detail));
        }
    }
    if let Some(field) = &source.field_ref {
        let path = path.child("fieldRef").child("fieldPath");
        let is_map_key = ["metadata.labels['", "metadata.annotations['"]
            .iter()
            .any(|prefix| field.field_path.starts_with(prefix) && field.field_path.ends_with("']"));
        if field.field_path.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if !is_map_key && !ENV_FIELDS.contains(&field.field_path.as_str()) {
            errors.push(FieldError::not_supported(&path, &field.field_path, ENV_FIELDS));
        }
    }
    if let Some(key) = &source.config_map_key_ref {
        reference(errors, &key.name, &key.key, &path.child("configMapKeyRef"));
    }
    if let Some(key) = &source.secret_key_ref {
        reference(errors, &key.name, &key.key, &path.child("secretKeyRef"));
    }
    if let Some(field) = &source.resource_field_ref {
        required(
            errors,
            &path.child("resourceFieldRef"),
            "resource",
            &field.resource,
        );
    }
}

fn reference(errors: &mut Errors, name: &str, key: &str, path: &Path) {
    required(errors, path, "name", name);
    match key {
        "" => errors.push(FieldError::required(&path.child("key"), "")),
        key => form(errors, path, "key", key, names::config_key(key)),
    }
}

fn mounts(errors: &mut Errors, mounts: &[VolumeMount], pod: &Surroundings<'_>, path: &Path) {
    for (index, mount) in mounts.iter().enumerate() {
        let path = path.index(index);
        if mount.name.is_empty() {
            errors.push(FieldError::required(&path.child("name"), ""));
        } else if !pod.volumes.contains(&mount.name.as_str()) {
            errors.push(FieldError::not_found(&path.child("name"), &mount.name));
        }
        required(errors, &path, "mountPath", &mount.mount_path);
        if mounts[..index]
            .iter()
            .any(|other| other.mount_path == mount.mount_path)
        {
            errors.push(FieldError::invalid(
                &path.child("mountPath"),
                &mount.mount_path,
                "must be unique",
            ));
        }
        let sub_path = text(&mount.sub_path);
        let inside = |errors: &mut Errors| relative(errors, &path.child("subPath"), sub_path);
        if !sub_path.is_empty() {
            inside(errors);
        }
    }
}

/// A path that stays below where it begins.
pub(super) fn relative(errors: &mut Errors, path: &Path, own: &str) {
    if own.starts_with('/') {
        errors.push(FieldError::invalid(path, own, "must be a relative path"));
    }
    no_way_up(errors, path, own);
}

/// A path without `..`.
pub(super) fn no_way_up(errors: &mut Errors, path: &Path, own: &str) {
    if own.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(path, own, "must not contain '..'"));
    }
}
