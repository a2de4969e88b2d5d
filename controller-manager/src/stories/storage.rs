//! Claims and volumes under disturbance.

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use crate::testing::disturbance::{Deed, Story};

fn claim_spec() -> Value {
    json!({
        "storageClassName": "own", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    })
}

fn volume() -> Deed {
    let spec =
        json!({"storageClassName": "own", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
    Deed::Create(
        kinds::PERSISTENT_VOLUME,
        json!({"metadata": {"name": "v"}, "spec": spec}),
    )
}

fn pod(volumes: Value) -> Deed {
    let spec = json!({"containers": [{"name": "c", "image": "v1"}], "volumes": volumes});
    Deed::Create(
        kinds::POD,
        json!({"metadata": {"namespace": "ns", "name": "user"}, "spec": spec}),
    )
}

fn phase(api: &FakeApi, name: &str) -> Value {
    let volume = api.find(kinds::PERSISTENT_VOLUME, "", name).unwrap_or_default();
    volume["status"]["phase"].clone()
}

fn is_ready(api: &FakeApi) -> bool {
    let pod = api.find(kinds::POD, "ns", "user").unwrap_or_default();
    pod.pointer("/status/conditions/0/status") == Some(&json!("True"))
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_bound_protected_and_let_go() {
    let metadata = json!({"namespace": "ns", "name": "c", "finalizers": ["kubernetes.io/pvc-protection"]});
    let claim = Deed::Create(
        kinds::PERSISTENT_VOLUME_CLAIM,
        json!({"metadata": metadata, "spec": claim_spec()}),
    );
    let delete = |resource, name| [Deed::Delete(resource, name, Propagation::Background)];
    let find = |api: &FakeApi| api.find(kinds::PERSISTENT_VOLUME_CLAIM, "ns", "c");
    Story::about([
        kinds::PERSISTENT_VOLUME,
        kinds::PERSISTENT_VOLUME_CLAIM,
        kinds::POD,
    ])
    .act(
        "bound and used",
        [
            volume(),
            claim,
            pod(json!([{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}])),
        ],
        move |api| {
            let claim = find(api).unwrap_or_default();
            is_ready(api) && phase(api, "v") == "Bound" && claim["status"]["phase"] == "Bound"
        },
    )
    .act(
        "kept for its user",
        delete(kinds::PERSISTENT_VOLUME_CLAIM, "c"),
        move |api| find(api).is_some_and(|claim| claim["metadata"]["deletionTimestamp"].is_string()),
    )
    .act("gone after its user", delete(kinds::POD, "user"), move |api| {
        find(api).is_none() && api.find(kinds::POD, "ns", "user").is_none() && phase(api, "v") == "Released"
    })
    .never(|line| line.starts_with("delete persistentvolumes "))
    .survives_everything()
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_claim_of_an_ephemeral_volume_lives_with_its_pod() {
    let template = json!({"metadata": {"labels": {"of": "scratch"}}, "spec": claim_spec()});
    let volumes = json!([{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]);
    Story::about([
        kinds::PERSISTENT_VOLUME,
        kinds::PERSISTENT_VOLUME_CLAIM,
        kinds::POD,
    ])
    .act("bound", [volume(), pod(volumes)], |api| {
        is_ready(api) && phase(api, "v") == "Bound"
    })
    .act(
        "gone",
        [Deed::Delete(kinds::POD, "user", Propagation::Background)],
        |api| {
            api.find(kinds::PERSISTENT_VOLUME_CLAIM, "ns", "user-scratch")
                .is_none()
                && phase(api, "v") == "Released"
        },
    )
    .survives_everything()
    .await;
}
