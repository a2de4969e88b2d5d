//! HorizontalPodAutoscalers, in the version that is stored.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec,
    MetricIdentifier, MetricSpec, MetricTarget,
};

use super::check::{Errors, form, one_of};
use super::label_selector;
use crate::field_error::{FieldError, Path};
use crate::names;
use crate::quantity::Quantity;

const SOURCES: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];
const STABILIZATION_MAX_SECONDS: i32 = 3600;
const PERIOD_MAX_SECONDS: i32 = 1800;

/// Mistakes in a HorizontalPodAutoscaler, outside its metadata.
pub fn horizontal_pod_autoscaler(autoscaler: &HorizontalPodAutoscaler) -> Vec<FieldError> {
    let path = Path::new("spec");
    match &autoscaler.spec {
        Some(spec) => autoscaler_spec(spec, &path),
        None => vec![FieldError::required(&path, "")],
    }
}

/// Mistakes in the change of a HorizontalPodAutoscaler.
pub fn horizontal_pod_autoscaler_update(
    new: &HorizontalPodAutoscaler,
    old: &HorizontalPodAutoscaler,
) -> Vec<FieldError> {
    if new.spec == old.spec {
        return Vec::new();
    }
    horizontal_pod_autoscaler(new)
}

fn autoscaler_spec(spec: &HorizontalPodAutoscalerSpec, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (min, max) = (spec.min_replicas, spec.max_replicas);
    if let Some(min) = min.filter(|min| *min < 1) {
        let detail = "must be greater than or equal to 1";
        errors.push(FieldError::invalid(&path.child("minReplicas"), min, detail));
    }
    if max < 1 {
        let detail = "must be greater than 0";
        errors.push(FieldError::invalid(&path.child("maxReplicas"), max, detail));
    }
    if min.is_some_and(|min| max < min) {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid(&path.child("maxReplicas"), max, detail));
    }
    reference(&mut errors, &spec.scale_target_ref, &path.child("scaleTargetRef"));
    for (index, metric) in spec.metrics.iter().flatten().enumerate() {
        metric_spec(&mut errors, metric, &path.child("metrics").index(index));
    }
    if let Some(behavior) = &spec.behavior {
        let path = path.child("behavior");
        for (field, rules) in [
            ("scaleUp", &behavior.scale_up),
            ("scaleDown", &behavior.scale_down),
        ] {
            if let Some(rules) = rules {
                scaling_rules(&mut errors, rules, &path.child(field));
            }
        }
    }
    errors
}

fn reference(errors: &mut Errors, own: &CrossVersionObjectReference, path: &Path) {
    for (field, value) in [("kind", &own.kind), ("name", &own.name)] {
        if value.is_empty() {
            errors.push(FieldError::required(&path.child(field), ""));
        } else {
            form(errors, path, field, value, names::path_segment(value));
        }
    }
    let api_version = own.api_version.as_deref().unwrap_or_default();
    if api_version.matches('/').count() > 1 {
        let detail = format!("unexpected GroupVersion string: {api_version}");
        errors.push(FieldError::invalid(
            &path.child("apiVersion"),
            api_version,
            detail,
        ));
    }
}

fn metric_spec(errors: &mut Errors, metric: &MetricSpec, path: &Path) {
    if metric.type_.is_empty() {
        let detail = "must specify a metric source type";
        errors.push(FieldError::required(&path.child("type"), detail));
    }
    if !SOURCES.contains(&metric.type_.as_str()) {
        errors.push(FieldError::not_supported(
            &path.child("type"),
            &metric.type_,
            SOURCES,
        ));
    }
    let present = [
        ("Object", "object", metric.object.is_some()),
        ("External", "external", metric.external.is_some()),
        ("Pods", "pods", metric.pods.is_some()),
        ("Resource", "resource", metric.resource.is_some()),
        (
            "ContainerResource",
            "containerResource",
            metric.container_resource.is_some(),
        ),
    ];
    source(errors, metric, path);
    for (kind, field, is_present) in present {
        if kind == metric.type_ && !is_present {
            let detail = "must populate information for the given metric source";
            errors.push(FieldError::required(&path.child(field), detail));
        } else if kind != metric.type_ && is_present {
            let detail = "must populate the given metric source only";
            errors.push(FieldError::forbidden(&path.child(field), detail));
        }
    }
}

fn source(errors: &mut Errors, metric: &MetricSpec, path: &Path) {
    if let Some(own) = &metric.object {
        let path = path.child("object");
        reference(errors, &own.described_object, &path.child("describedObject"));
        identifier(errors, &own.metric, &path.child("metric"));
        let path = path.child("target");
        target(errors, &own.target, &path);
        if own.target.value.is_none() && own.target.average_value.is_none() {
            let detail = "must set either a target value or averageValue";
            errors.push(FieldError::required(&path.child("averageValue"), detail));
        }
    } else if let Some(own) = &metric.external {
        let path = path.child("external");
        identifier(errors, &own.metric, &path.child("metric"));
        let path = path.child("target");
        target(errors, &own.target, &path);
        match (&own.target.value, &own.target.average_value) {
            (None, None) => {
                let detail = "must set either a target value for metric or a per-pod target";
                errors.push(FieldError::required(&path.child("averageValue"), detail));
            }
            (Some(_), Some(_)) => {
                let detail = "may not set both a target value for metric and a per-pod target";
                errors.push(FieldError::forbidden(&path.child("value"), detail));
            }
            _ => {}
        }
    } else if let Some(own) = &metric.pods {
        let path = path.child("pods");
        identifier(errors, &own.metric, &path.child("metric"));
        let path = path.child("target");
        target(errors, &own.target, &path);
        if own.target.average_value.is_none() {
            let detail = "must specify a positive target averageValue";
            errors.push(FieldError::required(&path.child("averageValue"), detail));
        }
    } else if let Some(own) = &metric.resource {
        resource(errors, &own.name, &own.target, &path.child("resource"));
    } else if let Some(own) = &metric.container_resource {
        let path = path.child("containerResource");
        if own.container.is_empty() {
            let detail = "must specify a container";
            errors.push(FieldError::required(&path.child("container"), detail));
        }
        resource(errors, &own.name, &own.target, &path);
    }
}

fn resource(errors: &mut Errors, name: &str, own: &MetricTarget, path: &Path) {
    if name.is_empty() {
        let detail = "must specify a resource name";
        errors.push(FieldError::required(&path.child("name"), detail));
    }
    let path = path.child("target");
    target(errors, own, &path);
    match (own.average_utilization, &own.average_value) {
        (None, None) => {
            let detail = "must set either a target raw value or a target utilization";
            errors.push(FieldError::required(&path.child("averageUtilization"), detail));
        }
        (Some(_), Some(_)) => {
            let detail = "may not set both a target raw value and a target utilization";
            errors.push(FieldError::forbidden(&path.child("averageValue"), detail));
        }
        _ => {}
    }
}

fn identifier(errors: &mut Errors, own: &MetricIdentifier, path: &Path) {
    if own.name.is_empty() {
        let detail = "must specify a metric name";
        errors.push(FieldError::required(&path.child("name"), detail));
    } else {
        form(errors, path, "name", &own.name, names::path_segment(&own.name));
    }
    if let Some(selector) = &own.selector {
        errors.extend(label_selector(selector, &path.child("selector")));
    }
}

fn target(errors: &mut Errors, own: &MetricTarget, path: &Path) {
    match own.type_.as_str() {
        "" => {
            let detail = "must specify a metric target type";
            errors.push(FieldError::required(&path.child("type"), detail));
        }
        "Utilization" | "Value" | "AverageValue" => {}
        other => {
            let detail = "must be either Utilization, Value, or AverageValue";
            errors.push(FieldError::invalid(&path.child("type"), other, detail));
        }
    }
    for (field, amount) in [("value", &own.value), ("averageValue", &own.average_value)] {
        let Some(amount) = amount else { continue };
        match Quantity::from_api(amount) {
            Ok(parsed) if parsed.is_negative() || parsed.is_zero() => {
                errors.push(FieldError::invalid(
                    &path.child(field),
                    parsed.to_string(),
                    "must be positive",
                ));
            }
            Ok(_) => {}
            Err(error) => errors.push(FieldError::invalid(
                &path.child(field),
                &amount.0,
                error.to_string(),
            )),
        }
    }
    if let Some(own) = own.average_utilization.filter(|own| *own < 1) {
        let detail = "must be greater than 0";
        errors.push(FieldError::invalid(
            &path.child("averageUtilization"),
            own,
            detail,
        ));
    }
}

fn scaling_rules(errors: &mut Errors, rules: &HPAScalingRules, path: &Path) {
    if let Some(window) = rules.stabilization_window_seconds {
        let path = path.child("stabilizationWindowSeconds");
        if window < 0 {
            errors.push(FieldError::invalid(
                &path,
                window,
                "must be greater than or equal to zero",
            ));
        }
        if window > STABILIZATION_MAX_SECONDS {
            let detail = format!("must be less than or equal to {STABILIZATION_MAX_SECONDS}");
            errors.push(FieldError::invalid(&path, window, detail));
        }
    }
    one_of(
        errors,
        path,
        "selectPolicy",
        &rules.select_policy,
        &["Disabled", "Max", "Min"],
    );
    let path = path.child("policies");
    if rules.policies.as_ref().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(&path, "must specify at least one Policy"));
    }
    for (index, policy) in rules.policies.iter().flatten().enumerate() {
        let path = path.index(index);
        if !matches!(policy.type_.as_str(), "Percent" | "Pods") {
            let supported = ["Percent", "Pods"];
            errors.push(FieldError::not_supported(
                &path.child("type"),
                &policy.type_,
                &supported,
            ));
        }
        for (field, value) in [("value", policy.value), ("periodSeconds", policy.period_seconds)] {
            if value <= 0 {
                errors.push(FieldError::invalid(
                    &path.child(field),
                    value,
                    "must be greater than zero",
                ));
            }
        }
        if policy.period_seconds > PERIOD_MAX_SECONDS {
            let detail = format!("must be less than or equal to {PERIOD_MAX_SECONDS}");
            let path = path.child("periodSeconds");
            errors.push(FieldError::invalid(&path, policy.period_seconds, detail));
        }
    }
}
