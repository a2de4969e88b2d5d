//! Which pods must go, and when. Source: "Taints and Tolerations" in the Kubernetes documentation.

use std::{sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan};
use jiff::Timestamp;

use crate::{
    view::{Node, Pod, Taint, Toleration},
    writes,
};

/// What is known about a node with taints that end pods.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) node: Arc<Node>,
    pub(super) pods: Vec<Arc<Pod>>,
}

/// Ends the pods whose time is over, and looks again when the next one's will be.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let taints: Vec<&Taint> = snapshot.node.evicting_taints().collect();
    for pod in snapshot.pods.iter().filter(|pod| !pod.meta.is_deleting()) {
        let Some(at) = ends_at(&taints, &pod.tolerations, now) else {
            continue;
        };
        let wait = u64::try_from(at - now.as_second()).unwrap_or(0);
        if wait > 0 {
            plan.look_again_after(Duration::from_secs(wait));
            continue;
        }
        let told = format!(
            "Marking for deletion Pod {}/{}",
            pod.meta.namespace, pod.meta.name
        );
        let note = Note::normal(pod.meta.reference(kinds::POD), "TaintManagerEviction", told)
            .counted_on(snapshot.node.meta.reference(kinds::NODE));
        let why = "Taint manager: deleting due to NoExecute taint";
        plan.write(writes::disrupt(
            &pod.meta,
            None,
            "DeletionByTaintManager",
            why,
            now,
        ));
        plan.write_and_tell(
            writes::delete(kinds::POD, &pod.meta, Propagation::Background),
            note,
        );
    }
    plan
}

/// The second at which a pod must end; `None` where it may stay.
fn ends_at(taints: &[&Taint], tolerations: &[Toleration], now: Timestamp) -> Option<i64> {
    let since = taints
        .iter()
        .filter_map(|taint| taint.time_added)
        .min()
        .unwrap_or(now)
        .as_second();
    let mut stays_for: Option<i64> = None;
    for taint in taints {
        let mut tolerating = tolerations
            .iter()
            .filter(|toleration| toleration.tolerates(taint))
            .peekable();
        if tolerating.peek().is_none() {
            return Some(now.as_second());
        }
        for seconds in tolerating.filter_map(|toleration| toleration.seconds) {
            let seconds = seconds.max(0);
            stays_for = Some(stays_for.map_or(seconds, |shortest| shortest.min(seconds)));
        }
    }
    stays_for.map(|seconds| since.saturating_add(seconds))
}
