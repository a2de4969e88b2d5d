//! Services and their endpoints under disturbance.

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use crate::testing::disturbance::{Deed, Story};

fn pod(name: &str) -> Deed {
    let metadata = json!({"namespace": "ns", "name": name, "labels": {"app": "eva"}});
    Deed::Create(
        kinds::POD,
        json!({"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "v1"}]}}),
    )
}

/// Endpoints of the Service's slices that are ready, and addresses of its Endpoints.
fn counts(api: &FakeApi) -> (usize, usize) {
    let slices = api.all(kinds::ENDPOINT_SLICE);
    let endpoints = slices
        .iter()
        .filter_map(|slice| slice["endpoints"].as_array())
        .flatten();
    let ready = endpoints.filter(|own| own["conditions"]["ready"] == true).count();
    let all = api.all(kinds::ENDPOINTS);
    let subsets = all.iter().filter_map(|own| own["subsets"].as_array()).flatten();
    let addresses = subsets.filter_map(|own| own["addresses"].as_array().map(Vec::len));
    (ready, addresses.sum())
}

#[tokio::test(start_paused = true)]
async fn endpoints_follow_pods_and_services() {
    let service: Value = json!({"metadata": {"namespace": "ns", "name": "eva"}, "spec": {
        "selector": {"app": "eva"}, "clusterIP": "10.96.0.9", "ports": [{"port": 80, "protocol": "TCP"}],
    }});
    let delete = |resource, name| [Deed::Delete(resource, name, Propagation::Background)];
    Story::about([kinds::SERVICE, kinds::ENDPOINT_SLICE, kinds::ENDPOINTS])
        .act(
            "two",
            [pod("one"), pod("two"), Deed::Create(kinds::SERVICE, service)],
            |api| counts(api) == (2, 2),
        )
        .act("one", delete(kinds::POD, "two"), |api| counts(api) == (1, 1))
        .act("two again", [pod("three")], |api| counts(api) == (2, 2))
        .act("none", delete(kinds::SERVICE, "eva"), |api| {
            api.all(kinds::ENDPOINT_SLICE).is_empty() && api.all(kinds::ENDPOINTS).is_empty()
        })
        .never(|line| line.starts_with("delete pods ns/one"))
        .survives_everything()
        .await;
}
