//! Nodes that fail, and pods that nobody looks after, under disturbance.

use coracle_api::kinds;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use crate::testing::{
    ago,
    disturbance::{Deed, Story},
    node,
};

fn pod(name: &str, node: &str, tolerations: Value) -> Deed {
    let containers = json!([{"name": "c", "image": "v1"}]);
    let spec = json!({"nodeName": node, "containers": containers, "tolerations": tolerations});
    Deed::Create(
        kinds::POD,
        json!({"metadata": {"namespace": "ns", "name": name}, "spec": spec}),
    )
}

fn readiness(status: &str) -> [Deed; 1] {
    let ready = json!({"type": "Ready", "status": status, "lastHeartbeatTime": ago(0)});
    [Deed::Status(
        kinds::NODE,
        "node-2",
        json!({"status": {"conditions": [ready]}}),
    )]
}

fn taints(api: &FakeApi) -> usize {
    let node = api.find(kinds::NODE, "", "node-2").unwrap_or_default();
    node["spec"]["taints"].as_array().map_or(0, Vec::len)
}

fn is_ready(api: &FakeApi, pod: &str) -> bool {
    let pod = api.find(kinds::POD, "ns", pod).unwrap_or_default();
    pod.pointer("/status/conditions/0/status") == Some(&json!("True"))
}

/// The bystanders, on a node that is well, and those that put up with it stay.
#[tokio::test(start_paused = true)]
async fn pods_leave_a_node_that_fails_and_it_is_clean_when_it_is_well_again() {
    let patient = json!([{"operator": "Exists"}]);
    Story::about([kinds::NODE, kinds::POD])
        .act(
            "two pods on a node that is well",
            [
                Deed::Seed(kinds::NODE, node("node-2")),
                pod("hasty", "node-2", json!([])),
                pod("patient", "node-2", patient),
            ],
            |api| {
                let node = api.find(kinds::NODE, "", "node-2").unwrap_or_default();
                is_ready(api, "hasty") && is_ready(api, "patient") && node["spec"]["podCIDR"].is_string()
            },
        )
        .act("one has left", readiness("False"), |api| {
            taints(api) == 2 && api.find(kinds::POD, "ns", "hasty").is_none()
        })
        .act("no taints", readiness("True"), |api| taints(api) == 0)
        .never(|line| line.starts_with("delete pods") && !line.ends_with(" ns/hasty"))
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_node_that_is_not_there_are_removed() {
    Story::about([kinds::POD])
        .act(
            "gone",
            [
                pod("lost", "nowhere", json!([])),
                pod("kept", "node-1", json!([])),
            ],
            |api| {
                let was_there = api.log().iter().any(|line| line == "create pods ns/lost");
                was_there && api.find(kinds::POD, "ns", "lost").is_none() && is_ready(api, "kept")
            },
        )
        .never(|line| line.starts_with("delete pods") && !line.ends_with(" ns/lost"))
        .survives_everything()
        .await;
}
