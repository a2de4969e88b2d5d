//! The pre-bind phase: what has to be written for a pod's volumes before the pod can be bound.
//!
//! A free volume is kept for a claim by naming the claim in it, at the revision that was seen: whoever else wants it
//! loses. A provisioner is told the node by the claim's annotation. The volume controller and the provisioner do the
//! rest, and the pod is bound when its claims are.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{PatchType, Write};
use coracle_runtime::{Key, Note, Recorder};
use serde_json::json;

use crate::{
    bind::{Refusal, on_owner},
    plugins::volume_binding::Step,
    projection::{Pod, SELECTED_NODE},
    report::reference,
    storage::{Claim, Volume},
    write::{Fenced, Writer},
};

/// Marks a volume that was chosen by a component, not kept by a person.
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// A pod's node and what has to be written first.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Which pod.
    pub key: Key,
    /// As it was when it was decided.
    pub pod: Arc<Pod>,
    /// A write a step.
    pub writes: Vec<Write>,
}

/// The write of a step, given the claim and, where one was chosen, the volume.
#[must_use]
pub fn write(step: &Step, node: &str, claim: &Claim, volume: Option<&Volume>) -> Option<Write> {
    match step {
        Step::Reserve { claim: key, .. } => {
            let volume = volume?;
            let claim_ref = json!({
                "apiVersion": kinds::PERSISTENT_VOLUME_CLAIM.api_version(),
                "kind": kinds::PERSISTENT_VOLUME_CLAIM.kind,
                "namespace": key.namespace(),
                "name": key.name(),
                "uid": claim.uid,
                "resourceVersion": claim.revision.to_string(),
            });
            let mut patch = json!({"spec": {"claimRef": claim_ref}});
            if volume.claim.is_none() {
                patch["metadata"]["annotations"][BOUND_BY_CONTROLLER] = json!("yes");
            }
            Some(Write::Patch {
                resource: kinds::PERSISTENT_VOLUME,
                namespace: String::new(),
                name: volume.name.to_string(),
                subresource: "",
                patch_type: PatchType::Merge,
                patch: Bytes::from(patch.to_string()),
                uid: volume.uid.to_string(),
                revision: volume.revision,
            })
        }
        Step::Provision { claim: key } => {
            let patch = json!({"metadata": {"annotations": {SELECTED_NODE: node}}});
            Some(Write::Patch {
                resource: kinds::PERSISTENT_VOLUME_CLAIM,
                namespace: key.namespace().to_owned(),
                name: key.name().to_owned(),
                subresource: "",
                patch_type: PatchType::Merge,
                patch: Bytes::from(patch.to_string()),
                uid: claim.uid.to_string(),
                revision: 0,
            })
        }
    }
}

/// Writes what the volumes of these pods need; returns the pods for which something was refused.
///
/// # Errors
/// [`Fenced`] where the lease has passed to another.
pub async fn prepare(
    writer: &Writer,
    recorder: &Recorder,
    preparations: Vec<Preparation>,
) -> Result<Vec<Refusal>, Fenced> {
    let writes: Vec<Write> = (preparations.iter()).flat_map(|one| one.writes.clone()).collect();
    let mut outcomes = writer.write(writes).await?.into_iter();
    let mut refusals = Vec::new();
    for Preparation { key, pod, writes } in preparations {
        let errors: Vec<_> = outcomes
            .by_ref()
            .take(writes.len())
            .filter_map(Result::err)
            .collect();
        let Some(error) = errors.first() else { continue };
        tracing::debug!(pod = %key, %error, "volumes refused");
        let message = format!("running PreBind plugin \"VolumeBinding\": {}", error.message());
        let note = Note::warning(reference(&key, &pod), "FailedScheduling", message);
        recorder.record(on_owner(note, &pod));
        refusals.push(Refusal {
            key,
            uid: pod.uid.clone(),
        });
    }
    Ok(refusals)
}
