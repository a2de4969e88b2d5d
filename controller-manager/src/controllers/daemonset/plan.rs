//! What a DaemonSet needs. Source: the DaemonSet page of the Kubernetes documentation, and "Perform a Rolling Update on a
//! DaemonSet".

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;

use super::{
    BURST,
    fleet::{self, Berth, Fit, Fleet},
    pod, roll, status,
};
use crate::{
    history::{History, Of, Present},
    view::{DaemonSet, Node, Phase, Pod, Revision},
    writes,
};

/// What is known about a DaemonSet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) set: Arc<DaemonSet>,
    /// Its pods.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Pods to adopt, verified.
    pub(super) orphans: Vec<Arc<Pod>>,
    pub(super) history: History,
    pub(super) nodes: Vec<Arc<Node>>,
    /// Nodes where pods failed, with the time for which they are left alone.
    pub(super) held: BTreeMap<Box<str>, Duration>,
}

/// Pods to delete, and nodes to make pods for.
#[derive(Debug, Default)]
pub(super) struct Moves<'a> {
    pub(super) delete: Vec<&'a Pod>,
    pub(super) create: Vec<&'a str>,
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let set = &*snapshot.set;
    if set.meta.is_deleting() {
        // Its pods and its history are the garbage collector's; without the history nothing can be counted.
        return plan;
    }
    settle_ownership(snapshot, &mut plan);
    if !plan.steps.is_empty() {
        return plan;
    }
    let present = match snapshot.history.settle(&history_of(set), &mut plan) {
        Present::Is(present) => present,
        Present::Becomes => return plan,
        Present::Collides => {
            status::count_collision(set, &mut plan);
            return plan;
        }
    };
    let hash = present.meta.labels.get(pod::HASH_LABEL).unwrap_or_default();
    let (fleet, stranded) = fleet::muster(snapshot);
    let mut moves = man(snapshot, &fleet, hash, now, &mut plan);
    // The scheduler will never place a pod that is for a node that is gone.
    let unplaced = stranded
        .iter()
        .filter(|pod| pod.node.is_empty() && !pod.meta.is_deleting());
    moves.delete.extend(unplaced);
    if moves.delete.is_empty() && moves.create.is_empty() {
        moves = roll::moves(set, &fleet, hash, now);
    }
    carry_out(set, hash, &moves, &mut plan);
    let is_used = |revision: &Revision| {
        let own = revision.meta.labels.get(pod::HASH_LABEL).unwrap_or_default();
        own == hash || snapshot.pods.iter().any(|pod| pod::hash(pod) == own)
    };
    snapshot
        .history
        .truncate(set.revision_history_limit, is_used, &mut plan);
    status::update(snapshot, &fleet, hash, now, &mut plan);
    plan
}

/// What the history needs to know of the set.
fn history_of(set: &DaemonSet) -> Of<'_> {
    Of {
        resource: kinds::DAEMON_SET,
        meta: &set.meta,
        template: &set.template,
        annotations: &set.annotations,
        hash_label: pod::HASH_LABEL,
    }
}

/// Releases pods that are none of its own, adopts those that could be, and takes over revisions.
fn settle_ownership(snapshot: &Snapshot, plan: &mut Plan) {
    let set = &snapshot.set;
    let is_stranger = |pod: &&Arc<Pod>| !set.selector.matches(&*pod.meta.labels);
    for pod in snapshot.pods.iter().filter(is_stranger) {
        plan.write(writes::release(kinds::POD, &pod.meta, [&*set.meta.uid]));
    }
    let owner = writes::owner_reference(kinds::DAEMON_SET, &set.meta);
    for pod in &snapshot.orphans {
        plan.write(writes::adopt(kinds::POD, &pod.meta, &owner));
    }
    snapshot.history.adopt(&history_of(set), plan);
}

/// One pod for each node that should have one, and none for others.
fn man<'a>(
    snapshot: &'a Snapshot,
    fleet: &Fleet<'a>,
    hash: &str,
    now: Timestamp,
    plan: &mut Plan,
) -> Moves<'a> {
    let set = &*snapshot.set;
    let wanted = fleet.values().filter(|berth| berth.fit == Fit::Runs).count();
    let (surge, _) = set.surge_and_unavailable(i32::try_from(wanted).unwrap_or(i32::MAX));
    let mut moves = Moves::default();
    for (node, berth) in fleet {
        match berth.fit {
            // A pod that is ending still holds the place.
            Fit::Runs if berth.pods.is_empty() => moves.create.push(node),
            Fit::Runs | Fit::Stays => {
                let running = bury(snapshot, node, berth, &mut moves, plan);
                if surge == 0 {
                    moves.delete.extend(running.into_iter().skip(1));
                } else if running.is_empty() {
                    if berth.fit == Fit::Runs {
                        moves.create.push(node);
                    }
                } else {
                    relieve(set, running, hash, now, &mut moves);
                }
            }
            Fit::No => {
                let there = berth.pods.iter().filter(|pod| !pod.meta.is_deleting());
                moves.delete.extend(there);
            }
        }
    }
    moves
}

/// Deletes pods that have ended; the rest, without those that are being deleted.
fn bury<'a>(
    snapshot: &Snapshot,
    node: &str,
    berth: &Berth<'a>,
    moves: &mut Moves<'a>,
    plan: &mut Plan,
) -> Vec<&'a Pod> {
    let about = || snapshot.set.meta.reference(kinds::DAEMON_SET);
    let mut running = Vec::new();
    for pod in berth.pods.iter().filter(|pod| !pod.meta.is_deleting()) {
        let full_name = format!("{}/{}", pod.meta.namespace, pod.meta.name);
        match pod.phase {
            Phase::Failed => {
                if let Some(wait) = snapshot.held.get(node) {
                    plan.look_again_after(*wait);
                    continue;
                }
                let why = format!("Found failed daemon pod {full_name} on node {node}, will try to kill it");
                plan.notes.push(Note::warning(about(), "FailedDaemonPod", why));
                moves.delete.push(pod);
            }
            Phase::Succeeded => {
                let why =
                    format!("Found succeeded daemon pod {full_name} on node {node}, will try to delete it");
                plan.notes.push(Note::normal(about(), "SucceededDaemonPod", why));
                moves.delete.push(pod);
            }
            _ => running.push(*pod),
        }
    }
    running
}

/// In an update with surge a node has two at most: the old one, until it fails or the new one is available.
fn relieve<'a>(set: &DaemonSet, running: Vec<&'a Pod>, hash: &str, now: Timestamp, moves: &mut Moves<'a>) {
    let (new, old): (Vec<&Pod>, Vec<&Pod>) = running.into_iter().partition(|pod| pod::hash(pod) == hash);
    let others = new.iter().skip(1).chain(old.iter().skip(1));
    moves.delete.extend(others.copied());
    if let (Some(new), Some(old)) = (new.first(), old.first())
        && (!old.ready || new.is_available(set.min_ready_seconds, now))
    {
        moves.delete.push(old);
    }
}

fn carry_out(set: &DaemonSet, hash: &str, moves: &Moves<'_>, plan: &mut Plan) {
    let about = set.meta.reference(kinds::DAEMON_SET);
    plan.slow_start = true;
    for node in moves.create.iter().take(BURST) {
        let (told, why) = ("Created pod: {name}", "Error creating: {error}");
        plan.steps.push(Step {
            write: writes::create(kinds::POD, &set.meta.namespace, pod::new(set, hash, node)),
            then: Some(Note::normal(about.clone(), "SuccessfulCreate", told)),
            otherwise: Some(Note::warning(about.clone(), "FailedCreate", why)),
        });
    }
    for pod in moves.delete.iter().take(BURST) {
        let told = format!("Deleted pod: {}", pod.meta.name);
        let why = "Error deleting: {error}";
        plan.steps.push(Step {
            write: writes::delete(kinds::POD, &pod.meta, Propagation::Background),
            then: Some(Note::normal(about.clone(), "SuccessfulDelete", told)),
            otherwise: Some(Note::warning(about.clone(), "FailedDelete", why)),
        });
    }
}
