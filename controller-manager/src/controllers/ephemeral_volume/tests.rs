//! Tests of `ephemeral_volume`.

use std::sync::Arc;

use coracle_api::kinds;
use coracle_client::Propagation;
use serde_json::{Value, json};

use super::plan::{Claim, Snapshot, plan};
use crate::{
    testing::{Harness, body_of, lines, view},
    view::Pod,
};

fn template() -> Value {
    json!({
        "metadata": {"labels": {"of": "scratch"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    })
}

fn pod() -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": "p"},
        "spec": {
            "containers": [{"name": "c", "image": "v1"}],
            "volumes": [
                {"name": "own", "persistentVolumeClaim": {"claimName": "mine"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template()}},
            ],
        },
    })
}

#[test]
fn a_pod_knows_the_claims_of_its_ephemeral_volumes() {
    let pod: Arc<Pod> = view(pod());
    assert_eq!(*pod.claims, ["mine".into(), "p-scratch".into()]);
    assert_eq!(pod.ephemeral(), ["scratch".into()]);
}

#[test]
fn what_is_missing_is_made_and_what_is_somebody_elses_is_left_alone() {
    let planned = |claim: Claim| {
        plan(&Snapshot {
            pod: view(pod()),
            claims: vec![("scratch".into(), claim)],
        })
    };
    assert!(planned(Claim::There).is_empty());
    let made = planned(Claim::Missing(template()));
    assert_eq!(lines(&made), ["create persistentvolumeclaims p-scratch"]);
    assert_eq!(
        body_of(&made, "create"),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": "p-scratch",
                "labels": {"of": "scratch"},
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "uid-p",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": template()["spec"],
        })
    );
    let conflict = planned(Claim::OfAnother);
    assert!(conflict.steps.is_empty() && conflict.requeue_after.is_some());
    assert_eq!(conflict.notes[0].reason, "FailedBinding");
    assert_eq!(
        conflict.notes[0].message,
        "ephemeral volume scratch: PVC ns/p-scratch was not created for pod ns/p (pod is not owner)"
    );
}

/// A claim of that name stands in the way until it is gone; then the pod has its own, which goes with it.
#[tokio::test(start_paused = true)]
async fn a_claim_comes_and_goes_with_its_pod() {
    let harness = Harness::start();
    let other = json!({"metadata": {"namespace": "ns", "name": "p-scratch"}, "spec": template()["spec"]});
    harness.create(kinds::PERSISTENT_VOLUME_CLAIM, other).await;
    harness.create(kinds::POD, pod()).await;
    harness.until_quiet().await;
    let owner = |api: &coracle_runtime::fake::FakeApi| {
        let claim = api.find(kinds::PERSISTENT_VOLUME_CLAIM, "ns", "p-scratch")?;
        claim.pointer("/metadata/ownerReferences/0/name").cloned()
    };
    assert_eq!(owner(&harness.api), None, "somebody else's is not taken");
    harness
        .delete(
            kinds::PERSISTENT_VOLUME_CLAIM,
            "p-scratch",
            Propagation::Background,
        )
        .await;
    harness
        .until("its own", |api| owner(api) == Some(json!("p")))
        .await;
    harness.delete(kinds::POD, "p", Propagation::Background).await;
    harness
        .until("no claim", |api| {
            api.all(kinds::PERSISTENT_VOLUME_CLAIM).is_empty()
        })
        .await;
}
