//! Reads an autoscaler's target: its scale, its pods, and what is measured of them. All of it live, once a period.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::{ApiError, LabelSelector, Labels, Quantity, kinds, view::or_default};
use coracle_client::{ListQuery, ObjectApi};
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::MetricSpec;
use serde::Deserialize;

use super::{
    metrics::{Failure, Measured},
    plan::Seen,
    ratio::{PodFacts, Sample, Samples},
};
use crate::{custom, view::Autoscaler};

/// The window of a measurement that names none, in seconds.
const WINDOW_SECONDS: i64 = 30;

#[derive(Deserialize)]
struct Scale {
    metadata: ScaleMeta,
    #[serde(default)]
    spec: Replicas,
    #[serde(default)]
    status: Replicas,
}

#[derive(Deserialize)]
struct ScaleMeta {
    #[serde(default, deserialize_with = "or_default")]
    uid: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Replicas {
    #[serde(deserialize_with = "or_default")]
    replicas: i32,
    #[serde(deserialize_with = "or_default")]
    selector: String,
}

#[derive(Deserialize)]
struct PodJson {
    metadata: PodMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMeta {
    name: Box<str>,
    deletion_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    labels: Labels,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodSpec {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    #[serde(deserialize_with = "or_default")]
    requests: Labels,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    #[serde(deserialize_with = "or_default")]
    phase: Box<str>,
    start_time: Option<Timestamp>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<ConditionJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConditionJson {
    #[serde(rename = "type")]
    kind: Box<str>,
    status: Box<str>,
    last_transition_time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct MetricsJson {
    metadata: PodMeta,
    timestamp: Option<Timestamp>,
    #[serde(default)]
    window: Box<str>,
    #[serde(default)]
    containers: Vec<Used>,
}

#[derive(Deserialize)]
struct Used {
    name: Box<str>,
    #[serde(default)]
    usage: Labels,
}

/// Reads the target of an autoscaler.
pub(super) async fn target(
    api: &Arc<dyn ObjectApi>,
    autoscaler: &Autoscaler,
) -> Result<Result<Seen, Failure>, ApiError> {
    let to = &autoscaler.spec.scale_target_ref;
    let namespace = &*autoscaler.meta.namespace;
    let fail = |why: String| Ok(Err(("FailedGetScale", why)));
    let api_version = to.api_version.as_deref().unwrap_or("v1");
    let Some(resource) = custom::of_owner(api_version, &to.kind) else {
        return fail(format!(
            "no matches for kind {:?} in group {:?}",
            to.kind,
            group_of(api_version)
        ));
    };
    let scale: Scale = match api.get_scale(resource, namespace, &to.name).await {
        Ok(object) => object.read()?,
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => return fail(error.message().to_owned()),
    };
    if scale.status.selector.is_empty() {
        return Ok(Err((
            "InvalidSelector",
            "the HPA target's scale is missing a selector".to_owned(),
        )));
    }
    let Ok(selector) = LabelSelector::parse(&scale.status.selector) else {
        let why = "couldn't convert selector into a corresponding internal selector object";
        return Ok(Err(("InvalidSelector", why.to_owned())));
    };
    let pods = pods(api, namespace, &scale.status.selector, &selector).await?;
    let wanted = autoscaler.spec.metrics.as_deref().unwrap_or_default();
    let uses = if wanted.iter().any(|metric| metric.type_.ends_with("Resource")) {
        usage(api, namespace, &scale.status.selector, &selector).await
    } else {
        Ok(Vec::new())
    };
    Ok(Ok(Seen {
        resource,
        uid: scale.metadata.uid,
        replicas: scale.spec.replicas,
        measured: wanted.iter().map(|metric| measured(metric, &uses)).collect(),
        pods,
    }))
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

async fn pods(
    api: &Arc<dyn ObjectApi>,
    namespace: &str,
    text: &str,
    selector: &LabelSelector,
) -> Result<Vec<PodFacts>, ApiError> {
    let query = ListQuery {
        namespace: namespace.to_owned(),
        label_selector: text.to_owned(),
        ..ListQuery::all(kinds::POD)
    };
    let (objects, _) = api.list_all(&query).await?;
    let mut pods = Vec::with_capacity(objects.len());
    for object in &objects {
        let pod: PodJson = object.read()?;
        if selector.matches(&pod.metadata.labels) {
            pods.push(facts(pod));
        }
    }
    Ok(pods)
}

fn facts(pod: PodJson) -> PodFacts {
    let ready = pod.status.conditions.iter().find(|own| &*own.kind == "Ready");
    let requests = pod.spec.containers.into_iter().map(|container| {
        let requests = container.resources.requests.iter();
        let requests =
            requests.filter_map(|(name, text)| Some((name.into(), Quantity::parse(text).ok()?.milli())));
        (container.name, requests.collect::<BTreeMap<_, _>>())
    });
    PodFacts {
        name: pod.metadata.name,
        is_ignored: pod.metadata.deletion_timestamp.is_some() || &*pod.status.phase == "Failed",
        is_pending: &*pod.status.phase == "Pending",
        ready: ready.and_then(|own| Some((&*own.status == "True", own.last_transition_time?))),
        started_at: pod.status.start_time,
        requests: requests.collect(),
    }
}

/// What pods are said to use; an error is told in the conditions.
async fn usage(
    api: &Arc<dyn ObjectApi>,
    namespace: &str,
    text: &str,
    selector: &LabelSelector,
) -> Result<Vec<MetricsJson>, String> {
    let query = ListQuery {
        namespace: namespace.to_owned(),
        label_selector: text.to_owned(),
        ..ListQuery::all(kinds::POD_METRICS)
    };
    let told = |error: ApiError| {
        format!(
            "unable to fetch metrics from resource metrics API: {}",
            error.message()
        )
    };
    let (objects, _) = api.list_all(&query).await.map_err(told)?;
    let all: Result<Vec<MetricsJson>, ApiError> = objects.iter().map(|object| object.read()).collect();
    let mut all = all.map_err(told)?;
    all.retain(|own| selector.matches(&own.metadata.labels));
    Ok(all)
}

/// What is measured for one metric. There is no API of custom or external metrics: their absence is told as upstream
/// tells it.
fn measured(metric: &MetricSpec, uses: &Result<Vec<MetricsJson>, String>) -> Measured {
    let resource = metric.resource.as_ref().map(|own| (&own.name, None));
    let of_container = metric.container_resource.as_ref();
    let resource = resource.or_else(|| of_container.map(|own| (&own.name, Some(&own.container))));
    match (&*metric.type_, resource) {
        ("Resource" | "ContainerResource", Some((resource, container))) => match uses {
            Err(why) => Measured::Failed(format!("unable to get metrics for resource {resource}: {why}")),
            Ok(uses) => by_resource(uses, resource, container),
        },
        ("External", _) => {
            let name = metric
                .external
                .as_ref()
                .map(|own| own.metric.name.as_str())
                .unwrap_or_default();
            Measured::Failed(format!(
                "unable to fetch metrics from external metrics API: the server could not find the requested resource \
                 (get {name}.external.metrics.k8s.io)"
            ))
        }
        _ => Measured::Failed(
            "unable to fetch metrics from custom metrics API: no known available metric versions found"
                .to_owned(),
        ),
    }
}

fn by_resource(uses: &[MetricsJson], resource: &str, container: Option<&String>) -> Measured {
    let mut samples = Samples::new();
    for pod in uses {
        let named = pod
            .containers
            .iter()
            .filter(|used| container.is_none_or(|name| **name == *used.name));
        let values: Vec<i64> = named
            .filter_map(|used| Some(Quantity::parse(used.usage.get(resource)?).ok()?.milli()))
            .collect();
        if values.is_empty() {
            continue;
        }
        let window =
            Quantity::parse(pod.window.trim_end_matches('s')).map_or(WINDOW_SECONDS, Quantity::whole);
        samples.insert(
            pod.metadata.name.clone(),
            Sample {
                value: values.iter().sum(),
                at: pod.timestamp.unwrap_or_default(),
                window_seconds: window,
            },
        );
    }
    if samples.is_empty() {
        let why = format!(
            "unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        );
        return Measured::Failed(why);
    }
    Measured::Pods(samples)
}
