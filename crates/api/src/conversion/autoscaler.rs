//! HorizontalPodAutoscalers: `autoscaling/v1` knows one target for CPU; other metrics, the behavior and the conditions
//! stand in annotations.
//!
//! Source: `pkg/apis/autoscaling/v1/conversion.go` of Kubernetes.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::{v1, v2};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::metrics::{self, Side};
use crate::kinds::{self, Resource};
use crate::object::Object;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// The resource that `autoscaling/v1` has a field for.
const CPU: &str = "cpu";

type Annotations = BTreeMap<String, String>;

/// Makes a HorizontalPodAutoscaler of either version one of `resource`; one that is of that version already stays as it
/// is. An annotation that cannot be read stays an annotation.
pub fn horizontal_pod_autoscaler(object: Box<dyn Object>, resource: &'static Resource) -> Box<dyn Object> {
    if object.resource() == resource {
        return object;
    }
    if resource == kinds::HORIZONTAL_POD_AUTOSCALER {
        match object.into_any().downcast() {
            Ok(old) => Box::new(to_v2(*old)),
            Err(_) => unreachable!("there are two versions, and it is not of {resource:?}"),
        }
    } else {
        match object.into_any().downcast() {
            Ok(new) => Box::new(to_v1(*new)),
            Err(_) => unreachable!("there are two versions, and it is not of {resource:?}"),
        }
    }
}

fn to_v2(old: v1::HorizontalPodAutoscaler) -> v2::HorizontalPodAutoscaler {
    let mut metadata = old.metadata;
    let mut annotations = metadata.annotations.take().unwrap_or_default();
    let spec = old.spec.map(|spec| v2::HorizontalPodAutoscalerSpec {
        behavior: take(&mut annotations, BEHAVIOR),
        max_replicas: spec.max_replicas,
        metrics: {
            let mut all = take_metrics(&mut annotations, METRICS, Side::Spec);
            all.extend(spec.target_cpu_utilization_percentage.map(cpu_target));
            (!all.is_empty()).then_some(all)
        },
        min_replicas: spec.min_replicas,
        scale_target_ref: v2::CrossVersionObjectReference {
            api_version: spec.scale_target_ref.api_version,
            kind: spec.scale_target_ref.kind,
            name: spec.scale_target_ref.name,
        },
    });
    let status = old.status.map(|status| v2::HorizontalPodAutoscalerStatus {
        conditions: take(&mut annotations, CONDITIONS),
        current_metrics: {
            let mut all = take_metrics(&mut annotations, CURRENT_METRICS, Side::Status);
            all.extend(status.current_cpu_utilization_percentage.map(cpu_now));
            (!all.is_empty()).then_some(all)
        },
        current_replicas: Some(status.current_replicas),
        desired_replicas: status.desired_replicas,
        last_scale_time: status.last_scale_time,
        observed_generation: status.observed_generation,
    });
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    v2::HorizontalPodAutoscaler {
        metadata,
        spec,
        status,
    }
}

fn to_v1(new: v2::HorizontalPodAutoscaler) -> v1::HorizontalPodAutoscaler {
    let mut metadata = new.metadata;
    let mut annotations = metadata.annotations.take().unwrap_or_default();
    for name in [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR] {
        annotations.remove(name);
    }
    let spec = new.spec.map(|spec| {
        let (cpu, others) = split(spec.metrics.unwrap_or_default(), target_of_cpu);
        put_metrics(&mut annotations, METRICS, &others, Side::Spec);
        put(&mut annotations, BEHAVIOR, spec.behavior.as_ref());
        v1::HorizontalPodAutoscalerSpec {
            max_replicas: spec.max_replicas,
            min_replicas: spec.min_replicas,
            scale_target_ref: v1::CrossVersionObjectReference {
                api_version: spec.scale_target_ref.api_version,
                kind: spec.scale_target_ref.kind,
                name: spec.scale_target_ref.name,
            },
            target_cpu_utilization_percentage: cpu,
        }
    });
    let status = new.status.map(|status| {
        let (cpu, others) = split(status.current_metrics.unwrap_or_default(), use_of_cpu);
        put_metrics(&mut annotations, CURRENT_METRICS, &others, Side::Status);
        let conditions = status.conditions.filter(|all| !all.is_empty());
        put(&mut annotations, CONDITIONS, conditions.as_ref());
        v1::HorizontalPodAutoscalerStatus {
            current_cpu_utilization_percentage: cpu,
            current_replicas: status.current_replicas.unwrap_or(0),
            desired_replicas: status.desired_replicas,
            last_scale_time: status.last_scale_time,
            observed_generation: status.observed_generation,
        }
    });
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    v1::HorizontalPodAutoscaler {
        metadata,
        spec,
        status,
    }
}

fn cpu_target(percentage: i32) -> v2::MetricSpec {
    v2::MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(v2::ResourceMetricSource {
            name: CPU.to_owned(),
            target: v2::MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percentage),
                ..v2::MetricTarget::default()
            },
        }),
        ..v2::MetricSpec::default()
    }
}

fn cpu_now(percentage: i32) -> v2::MetricStatus {
    v2::MetricStatus {
        type_: "Resource".to_owned(),
        resource: Some(v2::ResourceMetricStatus {
            name: CPU.to_owned(),
            current: v2::MetricValueStatus {
                average_utilization: Some(percentage),
                ..v2::MetricValueStatus::default()
            },
        }),
        ..v2::MetricStatus::default()
    }
}

fn target_of_cpu(metric: &v2::MetricSpec) -> Option<i32> {
    let own = metric.resource.as_ref().filter(|own| own.name == CPU)?;
    own.target.average_utilization
}

fn use_of_cpu(metric: &v2::MetricStatus) -> Option<i32> {
    let own = metric.resource.as_ref().filter(|own| own.name == CPU)?;
    own.current.average_utilization
}

/// The first metric that has a field of its own, and all others.
fn split<T>(metrics: Vec<T>, own: fn(&T) -> Option<i32>) -> (Option<i32>, Vec<T>) {
    let mut found = None;
    let mut others = metrics;
    others.retain(|metric| match own(metric) {
        Some(percentage) if found.is_none() => {
            found = Some(percentage);
            false
        }
        _ => true,
    });
    (found, others)
}

/// Reads an annotation and removes it; it stays where it cannot be read.
fn take<T: DeserializeOwned>(annotations: &mut Annotations, name: &str) -> Option<T> {
    let read = serde_json::from_str(annotations.get(name)?).ok()?;
    annotations.remove(name);
    Some(read)
}

fn put<T: Serialize>(annotations: &mut Annotations, name: &str, value: Option<&T>) {
    if let Some(text) = value.and_then(|value| serde_json::to_string(value).ok()) {
        annotations.insert(name.to_owned(), text);
    }
}

fn take_metrics<T: DeserializeOwned>(annotations: &mut Annotations, name: &str, side: Side) -> Vec<T> {
    let text = annotations.get(name).map(String::as_str).unwrap_or_default();
    let Some(metrics) = metrics::read(text, side) else {
        return Vec::new();
    };
    annotations.remove(name);
    metrics
}

fn put_metrics<T: Serialize>(annotations: &mut Annotations, name: &str, metrics: &[T], side: Side) {
    if !metrics.is_empty() {
        annotations.insert(name.to_owned(), metrics::write(metrics, side));
    }
}
