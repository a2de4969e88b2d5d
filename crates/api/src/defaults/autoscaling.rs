//! Defaults of HorizontalPodAutoscalers, in the version that is stored.

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

use super::empty::{drop_blank, drop_empty};
use crate::quantity;

/// The share of the requested CPU that is aimed at where no metric is named, in percent.
const CPU_PERCENT: i32 = 80;
/// Over how many seconds a default policy counts.
const POLICY_SECONDS: i32 = 15;

/// Sets the defaults of a HorizontalPodAutoscaler.
pub fn horizontal_pod_autoscaler(autoscaler: &mut HorizontalPodAutoscaler) {
    let spec = autoscaler.spec.get_or_insert_default();
    drop_blank(&mut spec.scale_target_ref.api_version);
    spec.min_replicas.get_or_insert(1);
    drop_empty(&mut spec.metrics);
    let metrics = spec.metrics.get_or_insert_with(|| vec![cpu()]);
    for target in metrics.iter_mut().flat_map(targets) {
        target.value.iter_mut().for_each(quantity::normalize);
        target.average_value.iter_mut().for_each(quantity::normalize);
    }
    if let Some(behavior) = &mut spec.behavior {
        let up = behavior.scale_up.get_or_insert_default();
        up.stabilization_window_seconds.get_or_insert(0);
        rules(up, &[("Pods", 4), ("Percent", 100)]);
        rules(behavior.scale_down.get_or_insert_default(), &[("Percent", 100)]);
    }
}

fn cpu() -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(CPU_PERCENT),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

/// The targets of a metric; a sound one has one.
fn targets(metric: &mut MetricSpec) -> impl Iterator<Item = &mut MetricTarget> {
    let MetricSpec {
        container_resource,
        external,
        object,
        pods,
        resource,
        type_: _,
    } = metric;
    let own = [
        container_resource.as_mut().map(|source| &mut source.target),
        external.as_mut().map(|source| &mut source.target),
        object.as_mut().map(|source| &mut source.target),
        pods.as_mut().map(|source| &mut source.target),
        resource.as_mut().map(|source| &mut source.target),
    ];
    own.into_iter().flatten()
}

fn rules(rules: &mut HPAScalingRules, policies: &[(&str, i32)]) {
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    rules.policies.get_or_insert_with(|| {
        let policy = |(kind, value): &(&str, i32)| HPAScalingPolicy {
            period_seconds: POLICY_SECONDS,
            type_: (*kind).to_owned(),
            value: *value,
        };
        policies.iter().map(policy).collect()
    });
}
