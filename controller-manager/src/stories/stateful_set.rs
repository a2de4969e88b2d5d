//! StatefulSets under disturbance.

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use super::{says, status, template};
use crate::testing::disturbance::{Deed, Story};

fn set(edit: impl FnOnce(&mut Value)) -> Value {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut set = json!({
        "metadata": {"namespace": "ns", "name": "db"},
        "spec": {
            "replicas": 3,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template("db", "v1"),
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": spec}],
        },
    });
    edit(&mut set);
    set
}

/// Whether the set has so many pods, all ready and of one revision.
fn has(replicas: i64) -> impl Fn(&FakeApi) -> bool + Send + Sync {
    move |api| {
        let status = status(api, kinds::STATEFUL_SET, "db");
        says(
            &status,
            &json!({"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas}),
        ) && status["currentRevision"] == status["updateRevision"]
    }
}

fn resize(replicas: i32) -> Deed {
    Deed::Patch(kinds::STATEFUL_SET, "db", json!({"spec": {"replicas": replicas}}))
}

fn kinds_of_a_set() -> [&'static coracle_api::Resource; 4] {
    [
        kinds::STATEFUL_SET,
        kinds::POD,
        kinds::PERSISTENT_VOLUME_CLAIM,
        kinds::CONTROLLER_REVISION,
    ]
}

fn deletes_a_claim(line: &str) -> bool {
    line.starts_with("delete persistentvolumeclaims") || line.starts_with("remove persistentvolumeclaims")
}

#[tokio::test(start_paused = true)]
async fn an_ordered_set_is_made_updated_scaled_and_mended() {
    let update = json!({"spec": {"template": template("db", "v2")}});
    Story::about(kinds_of_a_set())
        .act(
            "3 of v1",
            [Deed::Create(kinds::STATEFUL_SET, set(|_| {}))],
            has(3),
        )
        .act(
            "3 of v2",
            [Deed::Patch(kinds::STATEFUL_SET, "db", update)],
            has(3),
        )
        .act("1 left", [resize(1)], has(1))
        .act("2 again", [resize(2)], has(2))
        .act(
            "2 in spite of a deletion",
            [Deed::Delete(kinds::POD, "db-0", Propagation::Background)],
            |api| {
                let pods = api.all(kinds::POD);
                let own = pods.iter().filter(|pod| pod["metadata"]["labels"]["app"] == "db");
                // The status may be that of before.
                let is_ready = |pod: &&Value| {
                    pod["metadata"]["deletionTimestamp"].is_null()
                        && pod.pointer("/status/conditions/0/status") == Some(&json!("True"))
                };
                has(2)(api) && own.filter(is_ready).count() == 2
            },
        )
        .never(deletes_a_claim)
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_parallel_set_gives_up_the_claims_of_what_it_scales_away() {
    let parallel = |set: &mut Value| {
        set["spec"]["podManagementPolicy"] = json!("Parallel");
        set["spec"]["persistentVolumeClaimRetentionPolicy"] =
            json!({"whenDeleted": "Retain", "whenScaled": "Delete"});
    };
    let claims = |api: &FakeApi| {
        let all = api.all(kinds::PERSISTENT_VOLUME_CLAIM);
        let own = all
            .iter()
            .filter(|claim| claim["metadata"]["labels"]["app"] == "db");
        own.count()
    };
    let wrong =
        |line: &str| deletes_a_claim(line) && (line.ends_with("/data-db-0") || line.ends_with("bystander-0"));
    Story::about(kinds_of_a_set())
        .act(
            "3 at once",
            [Deed::Create(kinds::STATEFUL_SET, set(parallel))],
            has(3),
        )
        .act("1 left", [resize(1)], move |api| has(1)(api) && claims(api) == 1)
        .act("2 again", [resize(2)], move |api| has(2)(api) && claims(api) == 2)
        .never(wrong)
        .survives_everything()
        .await;
}
