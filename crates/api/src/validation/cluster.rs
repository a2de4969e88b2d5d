//! Nodes, Namespaces, Leases and Events.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Namespace, Node};

use super::affinity::taint_key;
use super::check::{form, not_negative, text};
use super::resources::amounts;
use crate::field_error::{FieldError, Path};
use crate::names;

const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];

/// Mistakes in a Node, outside its metadata.
pub fn node(node: &Node) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec").child("taints");
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        taint_key(&mut errors, &taint.key, &path);
        let value = text(&taint.value);
        form(&mut errors, &path, "value", value, names::label_value(value));
        match taint.effect.as_str() {
            "" => errors.push(FieldError::required(&path.child("effect"), "")),
            effect if EFFECTS.contains(&effect) => {}
            effect => errors.push(FieldError::not_supported(&path.child("effect"), effect, EFFECTS)),
        }
        let same = |other: &k8s_openapi::api::core::v1::Taint| {
            other.key == taint.key && other.effect == taint.effect
        };
        if taints.iter().take(index).any(same) {
            errors.push(FieldError::duplicate(
                &path,
                crate::field_error::Value::json(taint),
            ));
        }
    }
    if let Some(status) = &node.status {
        let path = Path::new("status");
        for (field, own) in [
            ("capacity", &status.capacity),
            ("allocatable", &status.allocatable),
        ] {
            own.iter()
                .for_each(|own| amounts(&mut errors, own, &path.child(field)));
        }
    }
    errors
}

/// Mistakes in the change of a Node: what it was told at its registration stays.
pub fn node_update(new: &Node, old: &Node) -> Vec<FieldError> {
    let mut errors = node(new);
    let path = Path::new("spec");
    let spec = |node: &Node| node.spec.clone().unwrap_or_default();
    let (new, old) = (spec(new), spec(old));
    let had = text(&old.provider_id);
    if !had.is_empty() && text(&new.provider_id) != had {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.push(FieldError::forbidden(&path.child("providerID"), detail));
    }
    let ranges = |spec: &k8s_openapi::api::core::v1::NodeSpec| {
        let own = spec.pod_cidrs.clone().unwrap_or_default();
        if own.is_empty() {
            spec.pod_cidr
                .iter()
                .filter(|own| !own.is_empty())
                .cloned()
                .collect()
        } else {
            own
        }
    };
    let had: Vec<String> = ranges(&old);
    if !had.is_empty() && ranges(&new) != had {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(FieldError::forbidden(&path.child("podCIDRs"), detail));
    }
    errors
}

/// Mistakes in a Namespace, outside its metadata.
pub fn namespace(namespace: &Namespace) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    for own in namespace
        .spec
        .iter()
        .flat_map(|spec| spec.finalizers.iter().flatten())
    {
        form(&mut errors, &path, "finalizers", own, names::qualified_name(own));
    }
    errors
}

/// Mistakes in a Lease, outside its metadata.
pub fn lease(lease: &Lease) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    let Some(spec) = &lease.spec else { return errors };
    if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        let path = path.child("leaseDurationSeconds");
        errors.push(FieldError::invalid(&path, seconds, "must be greater than 0"));
    }
    not_negative(&mut errors, &path, "leaseTransitions", spec.lease_transitions);
    errors
}

/// Mistakes in an Event, outside its metadata: it lives where the object lives that it is about.
pub fn event(event: &Event) -> Vec<FieldError> {
    let about = text(&event.involved_object.namespace);
    let own = text(&event.metadata.namespace);
    // Events about cluster-scoped objects live in `default`, as everywhere.
    let is_right = about == own || (about.is_empty() && matches!(own, "default" | "kube-system"));
    if is_right {
        return Vec::new();
    }
    let path = Path::new("involvedObject").child("namespace");
    vec![FieldError::invalid(
        &path,
        about,
        "does not match event.namespace",
    )]
}
