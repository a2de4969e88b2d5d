//! What the fate of its owners and dependents means for an object. Source: "Garbage Collection" and "Owners and
//! Dependents" in the Kubernetes documentation.

use coracle_api::Resource;
use coracle_client::Propagation;
use coracle_runtime::Plan;

use crate::{view::Meta, writes};

/// The object goes after its dependents.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// The object goes, its dependents stay.
pub(super) const ORPHAN: &str = "orphan";

/// What is known about an object.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) resource: &'static Resource,
    pub(super) meta: Meta,
    /// UID and state of each of its owners.
    pub(super) owners: Vec<(Box<str>, OwnerState)>,
    pub(super) dependents: Vec<Dependent>,
    /// UIDs of those owners whose deletion waits for the object's while the object's waits for theirs.
    pub(super) circles: Vec<Box<str>>,
}

/// What has become of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// It is there.
    Present,
    /// It is being deleted, after its dependents.
    WaitsForDependents,
    /// It is gone, verified.
    Gone,
}

/// An object that names the one in question among its owners.
#[derive(Clone, Debug)]
pub(crate) struct Dependent {
    pub(super) resource: &'static Resource,
    pub(super) meta: Meta,
    /// The owner's deletion waits for it.
    pub(super) blocks: bool,
    /// It has dependents of its own.
    pub(super) has_dependents: bool,
}

/// An object is being deleted, after its dependents.
pub(super) fn waits(meta: &Meta) -> bool {
    meta.is_deleting() && meta.has_finalizer(FOREGROUND)
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let Snapshot { resource, meta, .. } = snapshot;
    if meta.is_deleting() {
        if meta.has_finalizer(ORPHAN) {
            orphan_dependents(snapshot, &mut plan);
        } else if waits(meta) {
            delete_dependents(snapshot, &mut plan);
        }
        return plan;
    }
    let in_state = |wanted| snapshot.owners.iter().filter(move |(_, state)| *state == wanted);
    let gone = in_state(OwnerState::Gone);
    let waiting = in_state(OwnerState::WaitsForDependents);
    if in_state(OwnerState::Present).next().is_some() {
        // Another owner keeps it; those that are going need not wait for it.
        let leaving: Vec<&str> = gone.chain(waiting).map(|(uid, _)| &**uid).collect();
        if !leaving.is_empty() {
            plan.write(writes::release(resource, meta, leaving));
        }
    } else if waiting.clone().next().is_some() && !snapshot.dependents.is_empty() {
        plan.write(writes::delete_exactly(resource, meta, Propagation::Foreground));
    } else if waiting.chain(gone).next().is_some() {
        plan.write(writes::delete_exactly(resource, meta, own_propagation(meta)));
    }
    plan
}

/// How an object goes whose owners are gone: somebody may have said so beforehand.
fn own_propagation(meta: &Meta) -> Propagation {
    if meta.has_finalizer(ORPHAN) {
        Propagation::Orphan
    } else if meta.has_finalizer(FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

/// Frees all dependents; once there are none, the object may go.
fn orphan_dependents(snapshot: &Snapshot, plan: &mut Plan) {
    for dependent in &snapshot.dependents {
        plan.write(writes::release(
            dependent.resource,
            &dependent.meta,
            [&*snapshot.meta.uid],
        ));
    }
    if snapshot.dependents.is_empty() {
        plan.write(writes::remove_finalizer(
            snapshot.resource,
            &snapshot.meta,
            ORPHAN,
        ));
    }
}

/// Deletes the dependents that nothing else keeps; once none blocks, the object may go.
fn delete_dependents(snapshot: &Snapshot, plan: &mut Plan) {
    for dependent in snapshot
        .dependents
        .iter()
        .filter(|dependent| !dependent.meta.is_deleting())
    {
        if dependent.meta.owners.len() > 1 {
            // Whether another owner keeps it is judged when it is looked at itself.
            continue;
        }
        let propagation = if dependent.has_dependents {
            Propagation::Foreground
        } else {
            Propagation::Background
        };
        plan.write(writes::delete_exactly(
            dependent.resource,
            &dependent.meta,
            propagation,
        ));
    }
    let Snapshot { resource, meta, .. } = snapshot;
    if !snapshot.dependents.iter().any(|dependent| dependent.blocks) {
        plan.write(writes::remove_finalizer(resource, meta, FOREGROUND));
    } else if !snapshot.circles.is_empty() {
        // Owners that own each other in a circle would wait for each other for ever. Upstream frees an owner as soon as
        // any dependent of its dependent waits, circle or not.
        plan.write(writes::unblock(resource, meta, &snapshot.circles));
    }
}
