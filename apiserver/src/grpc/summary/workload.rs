//! The summary of an object that owns pods, whichever kind it is.
//!
//! The kinds name the same things differently, so the fields are read by name: of the spec how many pods are wanted,
//! of the status how many there are.

use coracle_api::{ApiError, LabelSelector, Resource, kinds};
use coracle_proto::v1 as pb;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as ApiSelector, Time};
use serde::Deserialize;

use super::{Entry, labels, timestamp};

/// The row of a kind of workload.
pub(super) fn resource(kind: pb::WorkloadKind) -> Result<&'static Resource, ApiError> {
    match kind {
        pb::WorkloadKind::Deployment => Ok(kinds::DEPLOYMENT),
        pb::WorkloadKind::ReplicaSet => Ok(kinds::REPLICA_SET),
        pb::WorkloadKind::StatefulSet => Ok(kinds::STATEFUL_SET),
        pb::WorkloadKind::DaemonSet => Ok(kinds::DAEMON_SET),
        pb::WorkloadKind::Job => Ok(kinds::JOB),
        pb::WorkloadKind::ReplicationController => Ok(kinds::REPLICATION_CONTROLLER),
        pb::WorkloadKind::Unspecified => Err(ApiError::bad_request(
            "kind: name a WorkloadKind, for example WORKLOAD_KIND_DEPLOYMENT",
        )),
    }
}

#[derive(Deserialize)]
struct Workload {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    #[serde(default)]
    generation: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    replicas: Option<i32>,
    completions: Option<i32>,
    /// Labels and expressions, or, of a ReplicationController, labels alone.
    selector: Option<serde_json::Value>,
    template: Option<Template>,
}

#[derive(Deserialize)]
struct Template {
    spec: Option<PodSpec>,
}

#[derive(Deserialize)]
struct PodSpec {
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    image: Option<String>,
}

/// Every kind's own words for its counts.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: i32,
    ready_replicas: i32,
    updated_replicas: i32,
    available_replicas: i32,
    desired_number_scheduled: i32,
    number_ready: i32,
    updated_number_scheduled: i32,
    number_available: i32,
    active: i32,
    succeeded: i32,
}

pub(super) fn summary(kind: pb::WorkloadKind, entry: &Entry) -> Result<pb::Workload, ApiError> {
    let Workload {
        metadata,
        spec,
        status,
    } = serde_json::from_slice(&entry.json).map_err(ApiError::internal)?;
    let [wanted, ready, updated, available] = counts(kind, &spec, &status);
    let containers = spec.template.and_then(|template| template.spec);
    let containers = containers.map(|pod| pod.containers).unwrap_or_default();
    let images = containers.into_iter().filter_map(|container| container.image);
    // A Job has no observedGeneration: its controller reads what stands there.
    let has_generation = kind != pb::WorkloadKind::Job;
    Ok(pb::Workload {
        kind: kind.into(),
        namespace: entry.attributes.namespace.to_string(),
        name: entry.attributes.name.to_string(),
        uid: entry.attributes.uid.to_string(),
        revision: entry.revision,
        labels: labels(&entry.attributes.labels),
        wanted,
        ready,
        updated,
        available,
        observed: !has_generation || status.observed_generation >= metadata.generation,
        selector: spec.selector.map(selector_text).unwrap_or_default(),
        images: images.collect(),
        created: timestamp(metadata.creation_timestamp.map(|time| time.0)),
        deleting: timestamp(metadata.deletion_timestamp.map(|time| time.0)),
    })
}

/// Wanted, ready, updated, available.
fn counts(kind: pb::WorkloadKind, spec: &Spec, status: &Status) -> [i32; 4] {
    match kind {
        pb::WorkloadKind::DaemonSet => [
            status.desired_number_scheduled,
            status.number_ready,
            status.updated_number_scheduled,
            status.number_available,
        ],
        pb::WorkloadKind::Job => [
            spec.completions.unwrap_or(1),
            status.succeeded,
            status.active + status.succeeded,
            status.succeeded,
        ],
        // One template for good: every pod is of the present one.
        pb::WorkloadKind::ReplicaSet | pb::WorkloadKind::ReplicationController => [
            spec.replicas.unwrap_or(1),
            status.ready_replicas,
            status.replicas,
            status.available_replicas,
        ],
        _ => [
            spec.replicas.unwrap_or(1),
            status.ready_replicas,
            status.updated_replicas,
            status.available_replicas,
        ],
    }
}

fn selector_text(selector: serde_json::Value) -> String {
    let is_structured = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let selector = if is_structured {
        selector
    } else {
        serde_json::json!({"matchLabels": selector})
    };
    let read: Result<ApiSelector, _> = serde_json::from_value(selector);
    let parsed = read
        .ok()
        .and_then(|selector| LabelSelector::from_api(&selector).ok());
    parsed.map(|selector| selector.to_string()).unwrap_or_default()
}
