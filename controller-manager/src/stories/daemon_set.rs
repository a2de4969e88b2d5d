//! DaemonSets under disturbance.

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use super::{says, status, template};
use crate::testing::{
    disturbance::{Deed, Story},
    node,
};

fn set(strategy: Value) -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": template("agent", "v1"),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": strategy},
        },
    })
}

fn labeled_node(name: &str, kind: &str) -> Value {
    let mut node = node(name);
    node["metadata"]["labels"] = json!({"kind": kind});
    node
}

/// Whether so many nodes have a ready pod of the present template, and no other is there.
fn on(nodes: i64) -> impl Fn(&FakeApi) -> bool + Send + Sync {
    move |api| {
        let status = status(api, kinds::DAEMON_SET, "agent");
        let counts = [
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberAvailable",
        ];
        let pods = api.all(kinds::POD);
        let own = pods
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["app"] == "agent")
            .count();
        counts.iter().all(|count| says(&status, &json!({*count: nodes})))
            && i64::try_from(own).ok() == Some(nodes)
    }
}

fn story(strategy: Value) -> Story {
    let update = json!({"spec": {"template": template("agent", "v2")}});
    let only_big = json!({"spec": {"template": {"spec": {"nodeSelector": {"kind": "big"}}}}});
    Story::about([kinds::DAEMON_SET, kinds::POD, kinds::CONTROLLER_REVISION])
        .act(
            "on each of three nodes",
            [
                Deed::Seed(kinds::NODE, labeled_node("node-2", "big")),
                Deed::Seed(kinds::NODE, labeled_node("node-3", "small")),
                Deed::Create(kinds::DAEMON_SET, set(strategy)),
            ],
            on(3),
        )
        .act(
            "updated",
            [Deed::Patch(kinds::DAEMON_SET, "agent", update)],
            on(3),
        )
        .act(
            "on a fourth node",
            [Deed::Seed(kinds::NODE, labeled_node("node-4", "big"))],
            on(4),
        )
        .act(
            "on big nodes",
            [Deed::Patch(kinds::DAEMON_SET, "agent", only_big)],
            on(2),
        )
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_on_every_node_that_fits_through_updates() {
    story(json!({"maxUnavailable": 1, "maxSurge": 0}))
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_updated_with_surge() {
    story(json!({"maxUnavailable": 0, "maxSurge": 2}))
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn daemons_go_with_their_set() {
    Story::about([kinds::DAEMON_SET, kinds::POD, kinds::CONTROLLER_REVISION])
        .act("there", [Deed::Create(kinds::DAEMON_SET, set(json!({})))], on(1))
        .act(
            "gone",
            [Deed::Delete(kinds::DAEMON_SET, "agent", Propagation::Background)],
            |api| {
                let pods = api.all(kinds::POD);
                let own = pods
                    .iter()
                    .filter(|pod| pod["metadata"]["labels"]["app"] == "agent");
                own.count() == 0 && api.all(kinds::CONTROLLER_REVISION).is_empty()
            },
        )
        .survives_everything()
        .await;
}
