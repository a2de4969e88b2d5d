//! Which claims to make. Source: "Generic ephemeral volumes" in the Kubernetes documentation.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::kinds;
use coracle_runtime::{Note, Plan, Step};
use serde_json::{Value, json};

use crate::{
    view::{Meta, Pod, ephemeral_claim},
    writes,
};

/// When to complain again that a claim is somebody else's.
const CONFLICT_RETRY: Duration = Duration::from_secs(30);

/// A pod and the claims of its ephemeral volumes, by the volumes' names.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) pod: Arc<Pod>,
    pub(super) claims: Vec<(Box<str>, Claim)>,
}

/// What has become of a claim.
#[derive(Debug)]
pub(super) enum Claim {
    There,
    /// It has the name, and does not belong to the pod.
    OfAnother,
    /// It is to be made of this template.
    Missing(Value),
}

/// Whether a claim was made for the pod.
pub(super) fn is_of(claim: &Meta, pod: &Pod) -> bool {
    claim.controller().is_some_and(|owner| owner.uid == pod.meta.uid)
}

/// Makes what is missing, and takes nothing from anybody.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let pod = &snapshot.pod.meta;
    for (volume, claim) in &snapshot.claims {
        let name = ephemeral_claim(&pod.name, volume);
        let failed = |why: String| {
            let told = format!("ephemeral volume {volume}: {why}");
            Note::warning(pod.reference(kinds::POD), "FailedBinding", told)
        };
        match claim {
            Claim::There => {}
            Claim::OfAnother => {
                let Meta { namespace, .. } = pod;
                plan.notes.push(failed(format!(
                    "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not owner)",
                    pod.name
                )));
                plan.look_again_after(CONFLICT_RETRY);
            }
            Claim::Missing(template) => plan.steps.push(Step {
                write: writes::create(
                    kinds::PERSISTENT_VOLUME_CLAIM,
                    &pod.namespace,
                    claim_of(pod, &name, template),
                ),
                then: None,
                otherwise: Some(failed(format!("create PVC {name}: {{error}}"))),
            }),
        }
    }
    plan
}

fn claim_of(pod: &Meta, name: &str, template: &Value) -> Bytes {
    let mut metadata = json!({
        "name": name,
        "ownerReferences": [writes::owner_reference(kinds::POD, pod)],
    });
    for field in ["labels", "annotations"] {
        let own = &template["metadata"][field];
        if own.is_object() {
            metadata[field] = own.clone();
        }
    }
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"],
    });
    Bytes::from(claim.to_string())
}
