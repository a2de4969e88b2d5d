//! Pods and pod templates.

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};

use super::check::{Errors, form, not_negative, one_of, required, text};
use super::container::{Surroundings, container};
use super::{affinity, volume};
use crate::field_error::{FieldError, Path};
use crate::names;

const RESTART_POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const DNS_POLICIES: &[&str] = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];

/// Mistakes in a new pod, outside its metadata.
pub fn pod(pod: &Pod) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &pod.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = pod_spec(spec, &path);
    if spec
        .ephemeral_containers
        .as_ref()
        .is_some_and(|list| !list.is_empty())
    {
        let detail = "cannot be set on create";
        errors.push(FieldError::forbidden(&path.child("ephemeralContainers"), detail));
    }
    errors
}

/// Mistakes in a pod template; its pods must always restart, as a Deployment's do, where `must_restart`.
pub fn pod_template(template: &PodTemplateSpec, must_restart: bool, path: &Path) -> Vec<FieldError> {
    let labels = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    let mut errors = match labels {
        Some(labels) => super::labels(labels, &path.child("metadata").child("labels")),
        None => Vec::new(),
    };
    let path = path.child("spec");
    let Some(spec) = &template.spec else {
        errors.push(FieldError::required(&path, ""));
        return errors;
    };
    errors.extend(pod_spec(spec, &path));
    let policy = text(&spec.restart_policy);
    if must_restart && policy != "Always" {
        errors.push(FieldError::not_supported(
            &path.child("restartPolicy"),
            policy,
            &["Always"],
        ));
    }
    if must_restart && spec.active_deadline_seconds.is_some() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.push(FieldError::forbidden(
            &path.child("activeDeadlineSeconds"),
            detail,
        ));
    }
    errors
}

/// Mistakes in a pod spec.
pub fn pod_spec(spec: &PodSpec, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let own_volumes = spec.volumes.as_deref().unwrap_or_default();
    volume::volumes(&mut errors, own_volumes, &path.child("volumes"));
    containers(&mut errors, spec, path);
    one_of(
        &mut errors,
        path,
        "restartPolicy",
        &spec.restart_policy,
        RESTART_POLICIES,
    );
    one_of(&mut errors, path, "dnsPolicy", &spec.dns_policy, DNS_POLICIES);
    let nameservers = spec
        .dns_config
        .as_ref()
        .and_then(|config| config.nameservers.as_ref());
    if text(&spec.dns_policy) == "None" && nameservers.is_none_or(Vec::is_empty) {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.push(FieldError::required(
            &path.child("dnsConfig").child("nameservers"),
            detail,
        ));
    }
    not_negative(
        &mut errors,
        path,
        "terminationGracePeriodSeconds",
        spec.termination_grace_period_seconds,
    );
    if let Some(seconds) = spec
        .active_deadline_seconds
        .filter(|own| !(1..=i64::from(i32::MAX)).contains(own))
    {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid(
            &path.child("activeDeadlineSeconds"),
            seconds,
            detail,
        ));
    }
    placement(&mut errors, spec, path);
    identity(&mut errors, spec, path);
    errors
}

fn containers(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let surroundings = Surroundings {
        volumes: spec
            .volumes
            .iter()
            .flatten()
            .map(|volume| volume.name.as_str())
            .collect(),
        host_network: spec.host_network == Some(true),
    };
    if spec.containers.is_empty() {
        errors.push(FieldError::required(&path.child("containers"), ""));
    }
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let mut taken: Vec<&str> = Vec::new();
    for (field, list, is_init) in [
        ("containers", spec.containers.as_slice(), false),
        ("initContainers", init, true),
    ] {
        for (index, own) in list.iter().enumerate() {
            let path = path.child(field).index(index);
            container(errors, own, is_init, &surroundings, &path);
            if !own.name.is_empty() && taken.contains(&own.name.as_str()) {
                errors.push(FieldError::duplicate(&path.child("name"), &own.name));
            }
            taken.push(&own.name);
        }
    }
}

fn placement(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    if let Some(labels) = &spec.node_selector {
        errors.extend(super::labels(labels, &path.child("nodeSelector")));
    }
    if let Some(own) = &spec.affinity {
        affinity::affinity(errors, own, &path.child("affinity"));
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    affinity::tolerations(errors, tolerations, &path.child("tolerations"));
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    affinity::spread(errors, constraints, &path.child("topologySpreadConstraints"));
    let node = text(&spec.node_name);
    if !node.is_empty() {
        form(errors, path, "nodeName", node, names::subdomain(node));
    }
}

fn identity(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let account = text(&spec.service_account_name);
    if !account.is_empty() {
        form(
            errors,
            path,
            "serviceAccountName",
            account,
            names::subdomain(account),
        );
    }
    for (field, own) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if !text(own).is_empty() {
            form(errors, path, field, text(own), names::label(text(own)));
        }
    }
    let class = text(&spec.priority_class_name);
    if !class.is_empty() {
        form(errors, path, "priorityClassName", class, names::subdomain(class));
    }
    for (index, secret) in spec.image_pull_secrets.iter().flatten().enumerate() {
        required(
            errors,
            &path.child("imagePullSecrets").index(index),
            "name",
            &secret.name,
        );
    }
    if let Some(context) = &spec.security_context {
        let path = path.child("securityContext");
        not_negative(errors, &path, "runAsUser", context.run_as_user);
        not_negative(errors, &path, "runAsGroup", context.run_as_group);
        not_negative(errors, &path, "fsGroup", context.fs_group);
    }
}

/// Mistakes in the change of a pod: nearly all of its spec stands for ever.
pub fn pod_update(new: &Pod, old: &Pod) -> Vec<FieldError> {
    if new.spec == old.spec {
        return Vec::new();
    }
    let path = Path::new("spec");
    let (Some(spec), Some(old)) = (&new.spec, &old.spec) else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = pod_spec(spec, &path);
    let lens = |spec: &PodSpec| {
        (
            spec.containers.len(),
            spec.init_containers.as_ref().map_or(0, Vec::len),
        )
    };
    if lens(spec).0 != lens(old).0 {
        errors.push(FieldError::forbidden(
            &path.child("containers"),
            "pod updates may not add or remove containers",
        ));
        return errors;
    }
    if lens(spec).1 != lens(old).1 {
        errors.push(FieldError::forbidden(
            &path.child("initContainers"),
            "pod updates may not add or remove containers",
        ));
        return errors;
    }
    if without_mutable(spec, old) != *old {
        errors.push(FieldError::forbidden(
            &path,
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
             existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)",
        ));
    }
    errors
}

/// `new` with the fields that may change taken from `old`.
fn without_mutable(new: &PodSpec, old: &PodSpec) -> PodSpec {
    let mut spec = new.clone();
    for (own, old) in spec.containers.iter_mut().zip(&old.containers) {
        own.image.clone_from(&old.image);
    }
    let init = spec
        .init_containers
        .iter_mut()
        .flatten()
        .zip(old.init_containers.iter().flatten());
    for (own, old) in init {
        own.image.clone_from(&old.image);
    }
    spec.active_deadline_seconds = old.active_deadline_seconds;
    // Gates may be removed, which lets the scheduler see the pod, and not added.
    let gates = |spec: &PodSpec| spec.scheduling_gates.clone().unwrap_or_default();
    let had = gates(old);
    if gates(&spec).iter().all(|gate| had.contains(gate)) {
        spec.scheduling_gates.clone_from(&old.scheduling_gates);
    }
    let tolerations = spec.tolerations.clone().unwrap_or_default();
    if old
        .tolerations
        .iter()
        .flatten()
        .all(|toleration| tolerations.contains(toleration))
    {
        spec.tolerations.clone_from(&old.tolerations);
    }
    spec
}
