//! Node selectors, affinity, tolerations and spreading.

use k8s_openapi::api::core::v1::{
    Affinity, NodeSelector, NodeSelectorTerm, PodAffinityTerm, Toleration, TopologySpreadConstraint,
    WeightedPodAffinityTerm,
};

use super::check::{Errors, form, required, text};
use super::selector::label_selector;
use crate::field_error::{FieldError, Path, Value};
use crate::names;

const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];
const WEIGHT: &str = "must be in the range 1-100";

/// Where a pod may or would like to run.
pub(super) fn affinity(errors: &mut Errors, own: &Affinity, path: &Path) {
    if let Some(nodes) = &own.node_affinity {
        let path = path.child("nodeAffinity");
        if let Some(selector) = &nodes.required_during_scheduling_ignored_during_execution {
            node_selector(
                errors,
                selector,
                &path.child("requiredDuringSchedulingIgnoredDuringExecution"),
            );
        }
        let path = path.child("preferredDuringSchedulingIgnoredDuringExecution");
        let preferred = nodes
            .preferred_during_scheduling_ignored_during_execution
            .iter()
            .flatten();
        for (index, term) in preferred.enumerate() {
            weight(errors, term.weight, &path.index(index));
            node_term(errors, &term.preference, &path.index(index).child("preference"));
        }
    }
    if let Some(pods) = &own.pod_affinity {
        let required = pods
            .required_during_scheduling_ignored_during_execution
            .as_deref();
        let preferred = pods
            .preferred_during_scheduling_ignored_during_execution
            .as_deref();
        pod_terms(errors, required, preferred, &path.child("podAffinity"));
    }
    if let Some(pods) = &own.pod_anti_affinity {
        let required = pods
            .required_during_scheduling_ignored_during_execution
            .as_deref();
        let preferred = pods
            .preferred_during_scheduling_ignored_during_execution
            .as_deref();
        pod_terms(errors, required, preferred, &path.child("podAntiAffinity"));
    }
}

fn weight(errors: &mut Errors, weight: i32, path: &Path) {
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(&path.child("weight"), weight, WEIGHT));
    }
}

/// A choice of nodes.
pub(super) fn node_selector(errors: &mut Errors, own: &NodeSelector, path: &Path) {
    let path = path.child("nodeSelectorTerms");
    if own.node_selector_terms.is_empty() {
        errors.push(FieldError::required(
            &path,
            "must have at least one node selector term",
        ));
    }
    for (index, term) in own.node_selector_terms.iter().enumerate() {
        node_term(errors, term, &path.index(index));
    }
}

fn node_term(errors: &mut Errors, own: &NodeSelectorTerm, path: &Path) {
    for (index, expression) in own.match_expressions.iter().flatten().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let values = expression.values.as_deref().unwrap_or_default();
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(&path.child("values"), detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(&path.child("values"), detail));
            }
            "Gt" | "Lt" if values.len() != 1 => {
                let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.push(FieldError::required(&path.child("values"), detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => {
                errors.push(FieldError::invalid(
                    &path.child("operator"),
                    other,
                    "not a valid selector operator",
                ));
            }
        }
        form(
            errors,
            &path,
            "key",
            &expression.key,
            names::qualified_name(&expression.key),
        );
    }
}

fn pod_terms(
    errors: &mut Errors,
    required: Option<&[PodAffinityTerm]>,
    preferred: Option<&[WeightedPodAffinityTerm]>,
    path: &Path,
) {
    for (index, term) in required.into_iter().flatten().enumerate() {
        pod_term(
            errors,
            term,
            &path
                .child("requiredDuringSchedulingIgnoredDuringExecution")
                .index(index),
        );
    }
    for (index, term) in preferred.into_iter().flatten().enumerate() {
        let path = path
            .child("preferredDuringSchedulingIgnoredDuringExecution")
            .index(index);
        weight(errors, term.weight, &path);
        pod_term(errors, &term.pod_affinity_term, &path.child("podAffinityTerm"));
    }
}

fn pod_term(errors: &mut Errors, own: &PodAffinityTerm, path: &Path) {
    if let Some(selector) = &own.label_selector {
        errors.extend(label_selector(selector, &path.child("labelSelector")));
    }
    if own.topology_key.is_empty() {
        errors.push(FieldError::required(
            &path.child("topologyKey"),
            "can not be empty",
        ));
    } else {
        form(
            errors,
            path,
            "topologyKey",
            &own.topology_key,
            names::qualified_name(&own.topology_key),
        );
    }
}

/// Which taints a pod tolerates.
pub(super) fn tolerations(errors: &mut Errors, own: &[Toleration], path: &Path) {
    for (index, toleration) in own.iter().enumerate() {
        let path = path.index(index);
        let (key, operator) = (text(&toleration.key), text(&toleration.operator));
        let (value, effect) = (text(&toleration.value), text(&toleration.effect));
        if !key.is_empty() {
            form(errors, &path, "key", key, names::qualified_name(key));
        } else if operator != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(&path.child("operator"), operator, detail));
        }
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(&path.child("effect"), effect, detail));
        }
        match operator {
            "" | "Equal" => form(errors, &path, "operator", value, names::label_value(value)),
            "Exists" if !value.is_empty() => {
                let detail = "value must be empty when `operator` is 'Exists'";
                errors.push(FieldError::invalid(
                    &path.child("operator"),
                    Value::json(toleration),
                    detail,
                ));
            }
            "Exists" => {}
            other => errors.push(FieldError::not_supported(
                &path.child("operator"),
                other,
                &["Equal", "Exists"],
            )),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            errors.push(FieldError::not_supported(&path.child("effect"), effect, EFFECTS));
        }
    }
}

/// How pods are spread.
pub(super) fn spread(errors: &mut Errors, own: &[TopologySpreadConstraint], path: &Path) {
    for (index, constraint) in own.iter().enumerate() {
        let path = path.index(index);
        if constraint.max_skew <= 0 {
            let detail = "must be greater than zero";
            errors.push(FieldError::invalid(
                &path.child("maxSkew"),
                constraint.max_skew,
                detail,
            ));
        }
        if constraint.topology_key.is_empty() {
            errors.push(FieldError::required(
                &path.child("topologyKey"),
                "can not be empty",
            ));
        }
        let action = constraint.when_unsatisfiable.as_str();
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&action) {
            let supported = ["DoNotSchedule", "ScheduleAnyway"];
            errors.push(FieldError::not_supported(
                &path.child("whenUnsatisfiable"),
                action,
                &supported,
            ));
        }
        if let Some(selector) = &constraint.label_selector {
            errors.extend(label_selector(selector, &path.child("labelSelector")));
        }
    }
}

/// A taint's own form is judged with the node's.
pub(super) fn taint_key(errors: &mut Errors, key: &str, path: &Path) {
    required(errors, path, "key", key);
    if !key.is_empty() {
        form(errors, path, "key", key, names::qualified_name(key));
    }
}
