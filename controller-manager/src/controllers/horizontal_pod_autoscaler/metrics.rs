//! What each metric of an autoscaler says: its proposal, its line of the status, and its name in messages.

use std::collections::BTreeMap;

use coracle_api::Quantity;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{MetricSpec, MetricTarget};
use serde_json::{Value, json};

use super::{
    plan::Seen,
    ratio::{self, PodFacts, Proposal, Samples, Target, Tolerance},
};

/// What a metric proposes.
pub(super) struct Proposed {
    pub(super) replicas: i32,
    /// Its name in messages.
    pub(super) name: String,
    /// Its line of status.currentMetrics.
    pub(super) status: Value,
}

/// Why a metric proposes nothing: the reason of the condition, and what happened.
pub(super) type Failure = (&'static str, String);

/// What was measured for a metric, or why it could not be.
#[derive(Clone, Debug)]
pub(super) enum Measured {
    /// By pod.
    Pods(Samples),
    Failed(String),
}

/// The proposal of one metric.
pub(super) fn propose(
    metric: &MetricSpec,
    measured: &Measured,
    seen: &Seen,
    tolerance: Tolerance,
    now: Timestamp,
) -> Result<Proposed, Failure> {
    match &*metric.type_ {
        "Resource" => {
            let own = metric.resource.clone().unwrap_or_default();
            by_resource(&own.name, None, &own.target, measured, seen, tolerance, now)
        }
        "ContainerResource" => {
            let own = metric.container_resource.clone().unwrap_or_default();
            by_resource(
                &own.name,
                Some(&own.container),
                &own.target,
                measured,
                seen,
                tolerance,
                now,
            )
        }
        "Pods" => by_pods(metric, measured, seen, tolerance, now),
        "Object" | "External" => Err(absent(metric, measured)),
        other => Err((
            "InvalidMetricSourceType",
            format!("unknown metric source type {other:?}"),
        )),
    }
}

fn by_resource(
    resource: &str,
    container: Option<&str>,
    target: &MetricTarget,
    measured: &Measured,
    seen: &Seen,
    tolerance: Tolerance,
    now: Timestamp,
) -> Result<Proposed, Failure> {
    let reason = if container.is_some() {
        "FailedGetContainerResourceMetric"
    } else {
        "FailedGetResourceMetric"
    };
    let prefix = match (container, target.average_utilization) {
        (None, None) => format!("failed to get {resource} usage: "),
        (None, Some(_)) => format!("failed to get {resource} utilization: "),
        (Some(_), _) => format!("failed to get {resource} container metric value: "),
    };
    let fail = |why: String| (reason, format!("{prefix}{why}"));
    let samples = match measured {
        Measured::Pods(samples) => samples,
        Measured::Failed(why) => return Err(fail(why.clone())),
    };
    let wanted = match target.average_utilization {
        Some(percent) => Target::Utilization(
            i64::from(percent),
            requests(&seen.pods, resource, container).map_err(fail)?,
        ),
        None => Target::Value(milli(target.average_value.as_ref())),
    };
    let is_cpu = resource == "cpu";
    let found = ratio::replicas(
        seen.replicas,
        &seen.pods,
        samples,
        &wanted,
        is_cpu,
        tolerance,
        now,
    )
    .map_err(fail)?;
    let mut current = json!({"averageValue": quantity(resource, found.average)});
    if matches!(wanted, Target::Utilization(..)) {
        current["averageUtilization"] = json!(found.utilization);
    }
    let (name, status) = match container {
        Some(container) => (
            format!("{resource} container resource"),
            json!({"type": "ContainerResource",
                "containerResource": {"name": resource, "container": container, "current": current}}),
        ),
        None => (
            format!("{resource} resource"),
            json!({"type": "Resource", "resource": {"name": resource, "current": current}}),
        ),
    };
    let suffix = target
        .average_utilization
        .map_or("", |_| " utilization (percentage of request)");
    Ok(Proposed {
        replicas: found.replicas,
        name: format!("{name}{suffix}"),
        status,
    })
}

/// What each pod requests, of one container or of all.
fn requests(
    pods: &[PodFacts],
    resource: &str,
    container: Option<&str>,
) -> Result<BTreeMap<Box<str>, i64>, String> {
    let mut all = BTreeMap::new();
    for pod in pods {
        let mut sum = 0_i64;
        let names = pod.requests.keys();
        for name in names.filter(|own| container.is_none_or(|wanted| ***own == *wanted)) {
            match pod.requests[name].get(resource) {
                Some(request) => sum = sum.saturating_add(*request),
                None => {
                    return Err(format!(
                        "missing request for {resource} in container {name} of Pod {}",
                        pod.name
                    ));
                }
            }
        }
        all.insert(pod.name.clone(), sum);
    }
    Ok(all)
}

fn by_pods(
    metric: &MetricSpec,
    measured: &Measured,
    seen: &Seen,
    tolerance: Tolerance,
    now: Timestamp,
) -> Result<Proposed, Failure> {
    const REASON: &str = "FailedGetPodsMetric";
    let own = metric.pods.clone().unwrap_or_default();
    let fail = |why: &str| (REASON, format!("failed to get pods metric value: {why}"));
    let Measured::Pods(samples) = measured else {
        return Err(fail(failure(measured)));
    };
    let wanted = Target::Value(milli(own.target.average_value.as_ref()));
    let Proposal {
        replicas, average, ..
    } = ratio::replicas(seen.replicas, &seen.pods, samples, &wanted, false, tolerance, now)
        .map_err(|why| fail(&why))?;
    Ok(Proposed {
        replicas,
        name: format!("pods metric {}", own.metric.name),
        status: json!({"type": "Pods", "pods": {
            "metric": own.metric, "current": {"averageValue": quantity("", average)},
        }}),
    })
}

/// Metrics of one object and from outside of the cluster are served by APIs that the cluster does not have.
fn absent(metric: &MetricSpec, measured: &Measured) -> Failure {
    let why = failure(measured);
    match &metric.external {
        Some(own) => (
            "FailedGetExternalMetric",
            format!("failed to get {} external metric value: {why}", own.metric.name),
        ),
        None => (
            "FailedGetObjectMetric",
            format!("failed to get object metric value: {why}"),
        ),
    }
}

fn failure(measured: &Measured) -> &str {
    match measured {
        Measured::Failed(why) => why,
        Measured::Pods(_) => "it was measured by pod",
    }
}

fn milli(quantity: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>) -> i64 {
    let parsed = quantity.and_then(|own| Quantity::from_api(own).ok());
    parsed.map_or(0, Quantity::milli)
}

fn quantity(resource: &str, milli: i64) -> Value {
    let own = if resource == "memory" {
        Quantity::from_bytes(milli / 1_000)
    } else {
        Quantity::from_milli(milli)
    };
    json!(own.to_api())
}
