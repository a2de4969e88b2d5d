//! What becomes of a node that is silent or says that it is not ready. Source: "Node heartbeats" and "Taint-based
//! evictions" in the Kubernetes documentation.

use std::{sync::Arc, time::Duration};

use coracle_api::{kinds, time};
use coracle_runtime::{Note, Plan};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::zones::Eviction;
use crate::{
    view::{Node, Pod, Taint},
    writes,
};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Conditions that keep new pods away while they are True, and their taints.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// What a node that lives says of itself, and nobody knows of a silent one.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];
/// When to look again while we ourselves are cut off.
const CUT_OFF_RETRY: Duration = Duration::from_secs(1);

/// What is known about a node.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) node: Arc<Node>,
    /// For how long nothing was heard of it; `None` while nothing is heard of anybody.
    pub(super) silence: Option<Duration>,
    pub(super) grace: Duration,
    /// Its pods, unless it is well.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Whether its pods may be ended, unless it is well.
    pub(super) eviction: Eviction,
}

/// The condition Ready of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    True,
    False,
    Unknown,
}

impl Ready {
    pub(super) fn of(node: &Node) -> Self {
        match node.condition("Ready").map(|ready| &*ready.status) {
            Some("True") => Self::True,
            Some("Unknown") => Self::Unknown,
            _ => Self::False,
        }
    }
}

/// Whether a node's pods have been told to go by us.
pub(super) fn is_given_up(node: &Node) -> bool {
    node.evicting_taints()
        .any(|taint| matches!(&*taint.key, NOT_READY | UNREACHABLE))
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let node = &snapshot.node;
    if node.meta.is_deleting() {
        return plan;
    }
    let mut ready = Ready::of(node);
    match snapshot.silence {
        None => plan.look_again_after(CUT_OFF_RETRY),
        Some(silence) if silence < snapshot.grace => plan.look_again_after(snapshot.grace - silence),
        Some(_) => {
            if ready != Ready::Unknown {
                give_up(node, now, &mut plan);
            }
            ready = Ready::Unknown;
        }
    }
    set_taints(snapshot, ready, now, &mut plan);
    if ready != Ready::True {
        if let Eviction::After(wait) = snapshot.eviction {
            plan.look_again_after(wait);
        }
        mark_pods(snapshot, now, &mut plan);
    }
    plan
}

/// Nothing is known of a silent node any more.
fn give_up(node: &Node, now: Timestamp, plan: &mut Plan) {
    let conditions: Vec<Value> = CONDITIONS
        .iter()
        .map(|kind| {
            let (reason, message) = match node.condition(kind) {
                Some(_) => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
                None => ("NodeStatusNeverUpdated", "Kubelet never posted node status."),
            };
            json!({
                "type": kind,
                "status": "Unknown",
                "reason": reason,
                "message": message,
                "lastTransitionTime": time::format(now),
            })
        })
        .collect();
    let body = json!({"status": {"conditions": conditions}});
    let told = format!("Node {} status is now: NodeNotReady", node.meta.name);
    let note = Note::normal(node.meta.reference(kinds::NODE), "NodeNotReady", told);
    plan.write_and_tell(writes::merge_status(kinds::NODE, &node.meta, &body), note);
}

/// Brings the taints that mirror conditions up to date; a person's own stay.
fn set_taints(snapshot: &Snapshot, ready: Ready, now: Timestamp, plan: &mut Plan) {
    let node = &snapshot.node;
    let wanted = wanted_taints(node, ready, snapshot.eviction);
    let is_ours = |taint: &Taint| {
        let mirrors = |key: &str| *taint.key == *key;
        let schedule = PRESSURES.iter().any(|(_, key)| mirrors(key)) || mirrors(UNSCHEDULABLE);
        (schedule && &*taint.effect == "NoSchedule") || mirrors(NOT_READY) || mirrors(UNREACHABLE)
    };
    let is_wanted = |taint: &Taint| wanted.contains(&(&*taint.key, &*taint.effect));
    let mut taints: Vec<Taint> = node
        .taints
        .iter()
        .filter(|taint| !is_ours(taint) || is_wanted(taint))
        .cloned()
        .collect();
    for (key, effect) in wanted {
        if !taints
            .iter()
            .any(|taint| &*taint.key == key && &*taint.effect == effect)
        {
            let time_added = Some(time::whole_seconds(now));
            taints.push(Taint {
                key: key.into(),
                value: "".into(),
                effect: effect.into(),
                time_added,
            });
        }
    }
    if taints != node.taints {
        // At the revision seen: taints are one list, and others write it too. Our own change of the status just
        // before it, in the same batch, does not count.
        let body = json!({"spec": {"taints": taints}});
        plan.write(writes::patch_exactly(kinds::NODE, &node.meta, &body));
    }
}

fn wanted_taints(node: &Node, ready: Ready, eviction: Eviction) -> Vec<(&'static str, &'static str)> {
    let mut wanted = Vec::new();
    let key = match ready {
        Ready::True => None,
        Ready::False => Some(NOT_READY),
        Ready::Unknown => Some(UNREACHABLE),
    };
    if let Some(key) = key {
        wanted.push((key, "NoSchedule"));
        if eviction == Eviction::Granted {
            wanted.push((key, "NoExecute"));
        }
    }
    if ready != Ready::Unknown {
        let is_true = |kind: &str| {
            node.condition(kind)
                .is_some_and(|condition| &*condition.status == "True")
        };
        wanted.extend(
            PRESSURES
                .iter()
                .filter(|(kind, _)| is_true(kind))
                .map(|(_, key)| (*key, "NoSchedule")),
        );
    }
    if node.unschedulable {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    wanted
}

/// Pods of a node that is not ready are not ready either, so that nobody is sent to them.
fn mark_pods(snapshot: &Snapshot, now: Timestamp, plan: &mut Plan) {
    for pod in snapshot.pods.iter().filter(|pod| pod.ready && !pod.is_finished()) {
        let body = json!({"status": {"conditions": [{
            "type": "Ready",
            "status": "False",
            "lastTransitionTime": time::format(now),
        }]}});
        let note = Note::warning(
            pod.meta.reference(kinds::POD),
            "NodeNotReady",
            "Node is not ready",
        )
        .counted_on(snapshot.node.meta.reference(kinds::NODE));
        plan.write_and_tell(writes::merge_status(kinds::POD, &pod.meta, &body), note);
    }
}
