//! HorizontalPodAutoscalers, in both versions.

use coracle_api::{kinds, object};
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::{v1, v2};

use super::{AGE, Cell, Column, Metadata, NAME, Printer};

/// Metrics that are shown; the others are counted.
const SHOWN_METRICS: usize = 2;

const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Reference", "What is scaled."),
    Column::text("Targets", "What was measured, and what is aimed at."),
    Column::text("MinPods", "The fewest pods."),
    Column::number("MaxPods", "The most pods."),
    Column::number("Replicas", "Pods that there are."),
    AGE,
];

pub(super) static PRINTER: Printer = Printer {
    columns: COLUMNS,
    cells: |json, now| Ok(cells(&serde_json::from_slice(json)?, now)),
};

/// As [`PRINTER`], for objects of `autoscaling/v1`.
pub(super) static PRINTER_V1: Printer = Printer {
    columns: COLUMNS,
    cells: |json, now| {
        let old: v1::HorizontalPodAutoscaler = serde_json::from_slice(json)?;
        let row = kinds::HORIZONTAL_POD_AUTOSCALER;
        let new = coracle_api::conversion::horizontal_pod_autoscaler(Box::new(old), row);
        let new = <dyn object::Object>::downcast_ref(&*new);
        Ok(new.map_or_else(Vec::new, |new| cells(new, now)))
    },
};

fn cells(autoscaler: &v2::HorizontalPodAutoscaler, now: Timestamp) -> Vec<Cell> {
    let spec = autoscaler.spec.clone().unwrap_or_default();
    let status = autoscaler.status.clone().unwrap_or_default();
    let metadata = Metadata {
        creation_timestamp: autoscaler
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.to_string()),
        ..Metadata::default()
    };
    let target = &spec.scale_target_ref;
    let name = autoscaler.metadata.name.as_deref().unwrap_or_default();
    let min = spec
        .min_replicas
        .map_or_else(|| "<unset>".to_owned(), |min| min.to_string());
    let statuses = status.current_metrics.unwrap_or_default();
    vec![
        name.into(),
        format!("{}/{}", target.kind, target.name).into(),
        targets(&spec.metrics.unwrap_or_default(), &statuses).into(),
        min.into(),
        i64::from(spec.max_replicas).into(),
        i64::from(status.current_replicas.unwrap_or(0)).into(),
        metadata.age(now).into(),
    ]
}

/// `cpu: 12%/80%, 5/10 + 1 more...`
fn targets(specs: &[v2::MetricSpec], statuses: &[v2::MetricStatus]) -> String {
    if specs.is_empty() {
        return "<none>".to_owned();
    }
    let none = v2::MetricStatus::default();
    let pairs = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| (spec, statuses.get(index).unwrap_or(&none)));
    let shown: Vec<String> = pairs
        .take(SHOWN_METRICS)
        .map(|(spec, status)| metric(spec, status))
        .collect();
    let more = specs.len().saturating_sub(SHOWN_METRICS);
    let text = shown.join(", ");
    if more > 0 {
        format!("{text} + {more} more...")
    } else {
        text
    }
}

fn metric(spec: &v2::MetricSpec, status: &v2::MetricStatus) -> String {
    if let Some(own) = &spec.resource {
        let current = status.resource.as_ref().map(|status| &status.current);
        return format!("{}: {}", own.name, amounts(&own.target, current));
    }
    if let Some(own) = &spec.container_resource {
        let current = status.container_resource.as_ref().map(|status| &status.current);
        return format!("{}: {}", own.name, amounts(&own.target, current));
    }
    if let Some(own) = &spec.pods {
        let current = status.pods.as_ref().map(|status| &status.current);
        return amounts(&own.target, current);
    }
    let (target, current) = if let Some(own) = &spec.object {
        (&own.target, status.object.as_ref().map(|status| &status.current))
    } else if let Some(own) = &spec.external {
        (
            &own.target,
            status.external.as_ref().map(|status| &status.current),
        )
    } else {
        return "<unknown type>".to_owned();
    };
    let text = amounts(target, current);
    if target.average_value.is_some() {
        format!("{text} (avg)")
    } else {
        text
    }
}

fn amounts(target: &v2::MetricTarget, current: Option<&v2::MetricValueStatus>) -> String {
    let unknown = || "<unknown>".to_owned();
    let (now, wanted) = if let Some(wanted) = &target.average_value {
        let now = current.and_then(|current| current.average_value.as_ref());
        (now.map(|now| now.0.clone()), wanted.0.clone())
    } else if let Some(wanted) = &target.value {
        let now = current.and_then(|current| current.value.as_ref());
        (now.map(|now| now.0.clone()), wanted.0.clone())
    } else {
        let percent = |percent: i32| format!("{percent}%");
        let now = current.and_then(|current| current.average_utilization);
        let wanted = target
            .average_utilization
            .map_or_else(|| "<auto>".to_owned(), percent);
        (now.map(percent), wanted)
    };
    format!("{}/{wanted}", now.unwrap_or_else(unknown))
}
