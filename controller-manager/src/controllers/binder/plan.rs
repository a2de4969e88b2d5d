//! What claims and volumes need. Source: "Persistent Volumes" in the Kubernetes documentation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use coracle_api::kinds;
use coracle_runtime::{Note, Plan};
use serde_json::json;

use super::fit::Stock;
use crate::{
    view::{Claim, Volume},
    writes,
};

const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// What is known.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) claims: Vec<Arc<Claim>>,
    pub(super) volumes: Vec<Arc<Volume>>,
    /// UIDs of claims that volumes name and that are gone, verified.
    pub(super) gone: BTreeSet<Box<str>>,
}

/// Whatever each claim and each volume needs next.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let by_name: BTreeMap<&str, &Volume> = snapshot
        .volumes
        .iter()
        .map(|volume| (&*volume.meta.name, &**volume))
        .collect();
    let of_claim: BTreeMap<&str, &Volume> = snapshot
        .volumes
        .iter()
        .filter_map(|volume| Some((&*volume.claim.as_ref()?.uid, &**volume)))
        .filter(|(uid, _)| !uid.is_empty())
        .collect();
    for volume in &snapshot.volumes {
        set_phase(snapshot, volume, &mut plan);
    }
    let mut stock = Stock::new(&snapshot.volumes);
    let mut claims: Vec<&Arc<Claim>> = snapshot.claims.iter().collect();
    // First come, first served.
    claims.sort_by(|a, b| (a.meta.created, &a.meta.uid).cmp(&(b.meta.created, &b.meta.uid)));
    for claim in claims {
        let named = by_name.get(&*claim.volume_name).copied();
        match of_claim.get(&*claim.meta.uid) {
            Some(volume) if claim.volume_name.is_empty() || claim.volume_name == volume.meta.name => {
                complete(claim, volume, &mut plan);
            }
            _ if claim.meta.is_deleting() => {}
            _ if &*claim.phase == "Bound" => lose(claim, &mut plan),
            _ if !claim.volume_name.is_empty() && named.is_none() => wait(claim, &mut plan),
            _ => match stock.take(claim) {
                Some(volume) => reserve(claim, volume, &mut plan),
                None => wait(claim, &mut plan),
            },
        }
    }
    plan
}

/// The phase that a volume's claim gives it.
fn set_phase(snapshot: &Snapshot, volume: &Volume, plan: &mut Plan) {
    let phase = match &volume.claim {
        None => "Available",
        Some(claim) if claim.uid.is_empty() => "Available",
        Some(claim) if snapshot.gone.contains(&claim.uid) => return release(volume, plan),
        // Whatever it is, it does not come back from there by itself.
        Some(_) if matches!(&*volume.phase, "Released" | "Failed") => return,
        Some(_) => "Bound",
    };
    if &*volume.phase != phase {
        let body = json!({"status": {"phase": phase}});
        plan.write(writes::patch_status(
            kinds::PERSISTENT_VOLUME,
            &volume.meta,
            &body,
        ));
    }
}

/// Its claim is gone: the data stays until a person decides.
fn release(volume: &Volume, plan: &mut Plan) {
    if &*volume.reclaim_policy == "Delete" {
        let why = "no controller can delete volumes of this kind";
        let body = json!({"status": {"phase": "Failed", "message": why}});
        let note = Note::warning(
            volume.meta.reference(kinds::PERSISTENT_VOLUME),
            "VolumeFailedDelete",
            why,
        );
        plan.write_and_tell(
            writes::patch_status(kinds::PERSISTENT_VOLUME, &volume.meta, &body),
            note,
        );
    } else {
        let body = json!({"status": {"phase": "Released"}});
        plan.write(writes::patch_status(
            kinds::PERSISTENT_VOLUME,
            &volume.meta,
            &body,
        ));
    }
}

/// First step: the volume names the claim. Whoever else wants it loses by the revision.
fn reserve(claim: &Claim, volume: &Volume, plan: &mut Plan) {
    let claim_ref = json!({
        "apiVersion": kinds::PERSISTENT_VOLUME_CLAIM.api_version(),
        "kind": kinds::PERSISTENT_VOLUME_CLAIM.kind,
        "namespace": claim.meta.namespace,
        "name": claim.meta.name,
        "uid": claim.meta.uid,
        "resourceVersion": claim.meta.revision.to_string(),
    });
    let mut body = json!({"spec": {"claimRef": claim_ref}});
    if volume.claim.is_none() {
        body["metadata"]["annotations"][BOUND_BY_CONTROLLER] = json!("yes");
    }
    plan.write(writes::patch_exactly(
        kinds::PERSISTENT_VOLUME,
        &volume.meta,
        &body,
    ));
}

/// Second step: the claim names the volume.
fn complete(claim: &Claim, volume: &Volume, plan: &mut Plan) {
    if claim.volume_name.is_empty() {
        let annotations = json!({BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"});
        let body =
            json!({"metadata": {"annotations": annotations}, "spec": {"volumeName": volume.meta.name}});
        plan.write(writes::patch(kinds::PERSISTENT_VOLUME_CLAIM, &claim.meta, &body));
    }
    if &*claim.phase != "Bound" || !claim.has_capacity {
        let body = json!({"status": {
            "phase": "Bound",
            "accessModes": volume.access_modes,
            "capacity": {"storage": volume.capacity.to_string()},
        }});
        plan.write(writes::patch_status(
            kinds::PERSISTENT_VOLUME_CLAIM,
            &claim.meta,
            &body,
        ));
    }
}

/// The volume of a bound claim is gone, or is another's.
fn lose(claim: &Claim, plan: &mut Plan) {
    let why = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
    let body = json!({"status": {"phase": "Lost", "capacity": null, "accessModes": null}});
    let note = Note::warning(
        claim.meta.reference(kinds::PERSISTENT_VOLUME_CLAIM),
        "ClaimLost",
        why,
    );
    plan.write_and_tell(
        writes::patch_status(kinds::PERSISTENT_VOLUME_CLAIM, &claim.meta, &body),
        note,
    );
}

/// Nothing fits now. The event is counted, not repeated.
fn wait(claim: &Claim, plan: &mut Plan) {
    if matches!(&*claim.phase, "Lost") {
        return;
    }
    let about = claim.meta.reference(kinds::PERSISTENT_VOLUME_CLAIM);
    plan.notes.push(if claim.class.is_empty() {
        let why = "no persistent volumes available for this claim and no storage class is set";
        Note::normal(about, "FailedBinding", why)
    } else {
        let why = format!("storageclass.storage.k8s.io \"{}\" not found", claim.class);
        Note::warning(about, "ProvisioningFailed", why)
    });
}
