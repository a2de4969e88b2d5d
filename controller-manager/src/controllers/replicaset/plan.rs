//! What a ReplicaSet or ReplicationController needs. Source: the ReplicaSet page of the Kubernetes documentation, and the order in which its
//! controller removes pods.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use coracle_api::{Resource, kinds};
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;
use serde_json::json;

use super::{BURST, rank, status, tally::Tally};
use crate::{
    view::{Pod, ReplicaSet},
    writes,
};

/// What is known about a ReplicaSet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Whether it is a ReplicaSet or a ReplicationController.
    pub(super) resource: &'static Resource,
    pub(super) set: Arc<ReplicaSet>,
    pub(super) tally: Tally,
    /// Its pods; empty where the tally says all there is to know.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Active pods of all ReplicaSets of the same owner, by node; with `pods`.
    pub(super) neighbours: BTreeMap<Box<str>, usize>,
    /// Pods to adopt, verified.
    pub(super) orphans: Vec<Arc<Pod>>,
    /// Why the last writes failed.
    pub(super) failure: Option<String>,
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if !snapshot.set.meta.is_deleting() {
        release_strangers(snapshot, &mut plan);
        adopt_orphans(snapshot, &mut plan);
        // Whom it has is settled first; the count of replicas follows once the caches show it.
        if plan.steps.is_empty() {
            match difference(snapshot) {
                missing @ 1.. => create_pods(snapshot, missing.unsigned_abs(), &mut plan),
                0 => {}
                surplus => delete_pods(snapshot, surplus.unsigned_abs(), now, &mut plan),
            }
        }
    }
    status::update(snapshot, now, &mut plan);
    plan
}

/// Pods that are missing; negative where there are too many.
pub(super) fn difference(snapshot: &Snapshot) -> isize {
    let wanted = isize::try_from(snapshot.set.replicas).unwrap_or(0);
    wanted - isize::try_from(snapshot.tally.active).unwrap_or(isize::MAX)
}

fn release_strangers(snapshot: &Snapshot, plan: &mut Plan) {
    let set = &snapshot.set;
    for pod in snapshot
        .pods
        .iter()
        .filter(|pod| !set.selector.matches(&*pod.meta.labels))
    {
        plan.write(writes::release(kinds::POD, &pod.meta, [&*set.meta.uid]));
    }
}

fn adopt_orphans(snapshot: &Snapshot, plan: &mut Plan) {
    let owner = writes::owner_reference(snapshot.resource, &snapshot.set.meta);
    for pod in &snapshot.orphans {
        plan.write(writes::adopt(kinds::POD, &pod.meta, &owner));
    }
}

fn create_pods(snapshot: &Snapshot, missing: usize, plan: &mut Plan) {
    let set = &snapshot.set;
    let about = set.meta.reference(snapshot.resource);
    // All are born of the same bytes.
    let json = pod_of(snapshot.resource, set);
    plan.slow_start = true;
    for _ in 0..missing.min(BURST) {
        plan.steps.push(Step {
            write: writes::create(kinds::POD, &set.meta.namespace, json.clone()),
            then: Some(Note::normal(
                about.clone(),
                "SuccessfulCreate",
                "Created pod: {name}",
            )),
            otherwise: Some(Note::warning(
                about.clone(),
                "FailedCreate",
                "Error creating: {error}",
            )),
        });
    }
}

fn pod_of(resource: &Resource, set: &ReplicaSet) -> Bytes {
    let mut metadata = set.template.metadata.clone();
    metadata["generateName"] = json!(format!("{}-", set.meta.name));
    metadata["ownerReferences"] = json!([writes::owner_reference(resource, &set.meta)]);
    let spec = &set.template.spec;
    Bytes::from(format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{metadata},"spec":{spec}}}"#
    ))
}

fn delete_pods(snapshot: &Snapshot, surplus: usize, now: Timestamp, plan: &mut Plan) {
    let about = snapshot.set.meta.reference(snapshot.resource);
    let doomed = rank::first_to_go(&snapshot.pods, &snapshot.neighbours, surplus.min(BURST), now);
    for pod in doomed {
        let told = format!("Deleted pod: {}", pod.meta.name);
        plan.steps.push(Step {
            write: writes::delete(kinds::POD, &pod.meta, Propagation::Background),
            then: Some(Note::normal(about.clone(), "SuccessfulDelete", told)),
            otherwise: Some(Note::warning(
                about.clone(),
                "FailedDelete",
                "Error deleting: {error}",
            )),
        });
    }
}
