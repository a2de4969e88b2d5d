//! Deployments and ReplicaSets.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::check::{Errors, NOT_NEGATIVE, not_negative, text};
use super::selector::{go_selector, matches_template};
use super::{immutable, pod_template};
use crate::field_error::{FieldError, Path, Value};

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                       '93%', regex used for validation is '[0-9]+%')";

/// Mistakes in a new Deployment, outside its metadata.
pub fn deployment(deployment: &Deployment) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &deployment.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = deployment_numbers(spec, &path);
    errors.extend(matches_template(&spec.selector, &spec.template, &path));
    errors.extend(pod_template(&spec.template, true, &path.child("template")));
    errors
}

/// Mistakes in the change of a Deployment: its selector stands for ever.
pub fn deployment_update(new: &Deployment, old: &Deployment) -> Vec<FieldError> {
    let path = Path::new("spec");
    let mut errors = if new.spec == old.spec {
        Vec::new()
    } else {
        deployment(new)
    };
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        errors.extend(immutable(
            &new.selector,
            &old.selector,
            &path.child("selector"),
            go_selector,
        ));
    }
    errors
}

fn deployment_numbers(spec: &DeploymentSpec, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    not_negative(&mut errors, path, "replicas", spec.replicas);
    not_negative(&mut errors, path, "minReadySeconds", spec.min_ready_seconds);
    not_negative(
        &mut errors,
        path,
        "revisionHistoryLimit",
        spec.revision_history_limit,
    );
    if let Some(deadline) = spec.progress_deadline_seconds {
        not_negative(&mut errors, path, "progressDeadlineSeconds", Some(deadline));
        if deadline <= spec.min_ready_seconds.unwrap_or(0) {
            let path = path.child("progressDeadlineSeconds");
            errors.push(FieldError::invalid(
                &path,
                deadline,
                "must be greater than minReadySeconds",
            ));
        }
    }
    if let Some(own) = &spec.strategy {
        strategy(&mut errors, own, &path.child("strategy"));
    }
    errors
}

fn strategy(errors: &mut Errors, own: &DeploymentStrategy, path: &Path) {
    match text(&own.type_) {
        "Recreate" if own.rolling_update.is_some() => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden(&path.child("rollingUpdate"), detail));
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let path = path.child("rollingUpdate");
            let Some(rolling) = &own.rolling_update else {
                errors.push(FieldError::required(
                    &path,
                    "this should be defaulted and never be nil",
                ));
                return;
            };
            let unavailable = rolling.max_unavailable.clone().unwrap_or_default();
            let surge = rolling.max_surge.clone().unwrap_or_default();
            count_or_percent(errors, &unavailable, &path.child("maxUnavailable"));
            count_or_percent(errors, &surge, &path.child("maxSurge"));
            if is_zero(&unavailable) && is_zero(&surge) {
                let detail = "may not be 0 when `maxSurge` is 0";
                errors.push(FieldError::invalid(
                    &path.child("maxUnavailable"),
                    shown(&unavailable),
                    detail,
                ));
            }
            if percent(&unavailable).is_some_and(|percent| percent > 100) {
                let path = path.child("maxUnavailable");
                errors.push(FieldError::invalid(
                    &path,
                    shown(&unavailable),
                    "must not be greater than 100%",
                ));
            }
        }
        other => {
            let supported = ["Recreate", "RollingUpdate"];
            errors.push(FieldError::not_supported(&path.child("type"), other, &supported));
        }
    }
}

/// The percentage that the value is, where it is one.
pub(super) fn percent(value: &IntOrString) -> Option<u32> {
    match value {
        IntOrString::Int(_) => None,
        IntOrString::String(text) => {
            let digits = text.strip_suffix('%')?;
            let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| digits.parse().unwrap_or(u32::MAX))
        }
    }
}

pub(super) fn is_zero(value: &IntOrString) -> bool {
    matches!(value, IntOrString::Int(0)) || percent(value) == Some(0)
}

/// As messages show it.
pub(super) fn shown(value: &IntOrString) -> Value {
    match value {
        IntOrString::Int(number) => Value::from(*number),
        IntOrString::String(text) => Value::from(text),
    }
}

/// A number that is not negative, or a percentage.
pub(super) fn count_or_percent(errors: &mut Errors, value: &IntOrString, path: &Path) {
    match value {
        IntOrString::Int(number) if *number < 0 => {
            errors.push(FieldError::invalid(path, *number, NOT_NEGATIVE));
        }
        IntOrString::Int(_) => {}
        IntOrString::String(text) if percent(value).is_none() => {
            errors.push(FieldError::invalid(path, text, PERCENT));
        }
        IntOrString::String(_) => {}
    }
}

/// Mistakes in a new ReplicaSet, outside its metadata.
pub fn replica_set(set: &ReplicaSet) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &set.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    not_negative(&mut errors, &path, "replicas", spec.replicas);
    not_negative(&mut errors, &path, "minReadySeconds", spec.min_ready_seconds);
    let none = PodTemplateSpec::default();
    let template = spec.template.as_ref().unwrap_or(&none);
    errors.extend(matches_template(&spec.selector, template, &path));
    errors.extend(pod_template(template, true, &path.child("template")));
    errors
}

/// Mistakes in the change of a ReplicaSet: its selector stands for ever.
pub fn replica_set_update(new: &ReplicaSet, old: &ReplicaSet) -> Vec<FieldError> {
    let path = Path::new("spec");
    let mut errors = if new.spec == old.spec {
        Vec::new()
    } else {
        replica_set(new)
    };
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        errors.extend(immutable(
            &new.selector,
            &old.selector,
            &path.child("selector"),
            go_selector,
        ));
    }
    errors
}
