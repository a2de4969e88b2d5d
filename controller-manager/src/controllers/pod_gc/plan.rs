//! Which pods are garbage. Source: "Pod garbage collection" in the Kubernetes documentation.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_runtime::Plan;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    view::{Node, Pod},
    writes,
};

/// Pods that have ended and are kept for people to look at.
const FINISHED_MAX: usize = 12_500;
/// A person's word that a node was shut down and will not come back with its pods.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// What is known.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) pods: Vec<Arc<Pod>>,
    /// Nodes that pods name and that do not exist, verified.
    pub(super) gone: BTreeSet<Box<str>>,
    /// Nodes that are not ready and tainted as out of service.
    pub(super) out_of_service: BTreeSet<Box<str>>,
    pub(super) interval: Duration,
}

/// Whether pods of this node that should end will never be ended by it.
pub(super) fn is_out_of_service(node: &Node) -> bool {
    let ready = node
        .condition("Ready")
        .is_some_and(|ready| &*ready.status == "True");
    !ready && node.taints.iter().any(|taint| &*taint.key == OUT_OF_SERVICE)
}

/// Removes garbage, and looks again later.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut finished: Vec<&Arc<Pod>> = Vec::new();
    for pod in &snapshot.pods {
        let never_ends = if pod.node.is_empty() {
            pod.meta.is_deleting()
        } else {
            snapshot.gone.contains(&pod.node)
                || (pod.meta.is_deleting() && snapshot.out_of_service.contains(&pod.node))
        };
        if never_ends {
            mark(snapshot, pod, now, &mut plan);
            plan.write(writes::delete_now(kinds::POD, &pod.meta));
        } else if pod.is_finished() {
            finished.push(pod);
        }
    }
    let surplus = finished.len().saturating_sub(FINISHED_MAX);
    finished.sort_by(|a, b| (a.meta.created, &a.meta.uid).cmp(&(b.meta.created, &b.meta.uid)));
    for pod in finished.into_iter().take(surplus) {
        plan.write(writes::delete_now(kinds::POD, &pod.meta));
    }
    plan.look_again_after(snapshot.interval);
    plan
}

/// A pod that nobody will end has failed, so that whoever counts it need not ask what became of it.
fn mark(snapshot: &Snapshot, pod: &Pod, now: Timestamp, plan: &mut Plan) {
    if pod.is_finished() {
        return;
    }
    if snapshot.gone.contains(&pod.node) {
        let why = "PodGC: node no longer exists";
        plan.write(writes::disrupt(
            &pod.meta,
            Some("Failed"),
            "DeletionByPodGC",
            why,
            now,
        ));
    } else {
        let body = json!({"status": {"phase": "Failed"}});
        plan.write(writes::merge_status(kinds::POD, &pod.meta, &body));
    }
}
