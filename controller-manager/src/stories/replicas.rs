//! Deployments, ReplicaSets and ReplicationControllers under disturbance.

use coracle_api::{Resource, kinds};
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use super::{says, status, template};
use crate::testing::disturbance::{Deed, Story};

/// Pods of this label that are ready and not ending.
fn ready(api: &FakeApi, app: &str, image: &str) -> usize {
    let is_ready = |pod: &&Value| {
        pod["metadata"]["labels"]["app"] == app
            && pod["metadata"]["deletionTimestamp"].is_null()
            && pod.pointer("/spec/containers/0/image") == Some(&json!(image))
            && pod.pointer("/status/conditions/0/status") == Some(&json!("True"))
    };
    api.all(kinds::POD).iter().filter(is_ready).count()
}

fn all(api: &FakeApi, app: &str) -> usize {
    let pods = api.all(kinds::POD);
    pods.iter()
        .filter(|pod| pod["metadata"]["labels"]["app"] == app)
        .count()
}

/// Whether an object says that it has so many pods, they are ready, and there are no others.
fn has(
    resource: &'static Resource,
    name: &'static str,
    image: &'static str,
    count: usize,
) -> impl Fn(&FakeApi) -> bool + Send + Sync {
    move |api| {
        let status = status(api, resource, name);
        let counts = ["replicas", "readyReplicas", "availableReplicas"];
        counts.iter().all(|field| says(&status, &json!({*field: count})))
            && ready(api, name, image) == count
            && all(api, name) == count
    }
}

fn completed(image: &'static str, count: usize) -> impl Fn(&FakeApi) -> bool + Send + Sync {
    let has = has(kinds::DEPLOYMENT, "web", image, count);
    move |api| {
        let status = status(api, kinds::DEPLOYMENT, "web");
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        let is_done = conditions.any(|one| one["reason"] == "NewReplicaSetAvailable");
        is_done && says(&status, &json!({"updatedReplicas": count})) && has(api)
    }
}

fn deployment(strategy: Value) -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "v1"),
            "strategy": strategy,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
        },
    })
}

fn story(strategy: Value) -> Story {
    let change = |spec: Value| [Deed::Patch(kinds::DEPLOYMENT, "web", json!({"spec": spec}))];
    Story::about([kinds::DEPLOYMENT, kinds::REPLICA_SET, kinds::POD])
        .act(
            "2 of v1",
            [Deed::Create(kinds::DEPLOYMENT, deployment(strategy))],
            completed("v1", 2),
        )
        .act(
            "3 of v2",
            change(json!({"template": template("web", "v2"), "replicas": 3})),
            completed("v2", 3),
        )
        .act(
            "back to v1",
            change(json!({"template": template("web", "v1")})),
            completed("v1", 3),
        )
}

#[tokio::test(start_paused = true)]
async fn a_deployment_rolls_and_rolls_back() {
    story(json!({"type": "RollingUpdate"}))
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_recreated() {
    story(json!({"type": "Recreate"})).survives_everything().await;
}

fn replicas(resource: &'static Resource, selector: Value) -> Story {
    let object = json!({
        "metadata": {"namespace": "ns", "name": "set"},
        "spec": {"replicas": 3, "selector": selector, "template": template("set", "v1")},
    });
    let resize = |replicas: i32| {
        [Deed::Patch(
            resource,
            "set",
            json!({"spec": {"replicas": replicas}}),
        )]
    };
    let orphan = json!({
        "metadata": {"namespace": "ns", "name": "orphan", "labels": {"app": "set"}, "generateName": "set-"},
        "spec": {"containers": [{"name": "c", "image": "v1"}]},
    });
    Story::about([resource, kinds::POD])
        .act(
            "3",
            [Deed::Create(resource, object)],
            has(resource, "set", "v1", 3),
        )
        .act("5", resize(5), has(resource, "set", "v1", 5))
        .act("2", resize(2), has(resource, "set", "v1", 2))
        .act(
            "2 in spite of another",
            [Deed::Create(kinds::POD, orphan)],
            // Who of the three goes is the controller's choice.
            has(resource, "set", "v1", 2),
        )
        .act("none", resize(0), has(resource, "set", "v1", 0))
}

#[tokio::test(start_paused = true)]
async fn a_replica_set_keeps_its_number() {
    replicas(kinds::REPLICA_SET, json!({"matchLabels": {"app": "set"}}))
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_replication_controller_keeps_its_number() {
    replicas(kinds::REPLICATION_CONTROLLER, json!({"app": "set"}))
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_orphaned_stays_and_is_adopted_again() {
    let set = |replicas: i32| {
        json!({
            "metadata": {"namespace": "ns", "name": "set"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "set"}},
                "template": template("set", "v1"),
            },
        })
    };
    let is_orphaned = |api: &FakeApi| {
        let pods = api.all(kinds::POD);
        let own = pods
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["app"] == "set");
        let mut owners = own.map(|pod| pod["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len));
        api.all(kinds::REPLICA_SET).is_empty() && owners.all(|count| count == 0)
    };
    Story::about([kinds::REPLICA_SET, kinds::POD])
        .act(
            "3",
            [Deed::Create(kinds::REPLICA_SET, set(3))],
            has(kinds::REPLICA_SET, "set", "v1", 3),
        )
        .act(
            "orphans",
            [Deed::Delete(kinds::REPLICA_SET, "set", Propagation::Orphan)],
            is_orphaned,
        )
        .act(
            "adopted",
            [Deed::Create(kinds::REPLICA_SET, set(3))],
            has(kinds::REPLICA_SET, "set", "v1", 3),
        )
        .survives_everything()
        .await;
}
