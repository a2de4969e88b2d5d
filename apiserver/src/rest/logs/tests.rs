//! Which container and which node a log request means.

use coracle_api::kinds;
use serde_json::json;

use super::*;

fn pod(value: &serde_json::Value) -> Pod {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn the_container_is_named_or_the_only_one() {
    let one = pod(&json!({ "spec": { "containers": [{ "name": "c" }] } }));
    assert_eq!(one.container("x", "").unwrap(), "c");
    assert_eq!(
        one.container("x", "zz").unwrap_err().message(),
        "container zz is not valid for pod x"
    );
    let two = json!({ "spec": { "containers": [{ "name": "c" }, { "name": "d" }], "initContainers": [{ "name": "i" }] } });
    assert_eq!(pod(&two).container("x", "i").unwrap(), "i");
    assert_eq!(
        pod(&two).container("x", "").unwrap_err().message(),
        "a container name must be specified for pod x, choose one of: [c d] or one of the init containers: [i]"
    );
    let mut annotated = two;
    annotated["metadata"] = json!({ "annotations": { "kubectl.kubernetes.io/default-container": "d" } });
    assert_eq!(pod(&annotated).container("x", "").unwrap(), "d");
}

#[test]
fn options_are_judged() {
    let target = Target::new(kinds::POD, "default", "x");
    let read = |text: &str| {
        options(
            &target,
            &Query::of(&format!("/?{text}").parse().unwrap()).unwrap(),
        )
    };
    let request = read("container=c&follow=true&tailLines=5&timestamps=1&previous=false").unwrap();
    assert_eq!(
        (request.container.as_str(), request.follow, request.tail_lines),
        ("c", true, Some(5))
    );
    assert!(request.timestamps && !request.previous);
    assert_eq!(
        read("tailLines=-1").unwrap_err().message(),
        "PodLogOptions \"x\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0"
    );
    assert_eq!(read("sinceSeconds=0").unwrap_err().code(), 422);
    assert_eq!(
        read("sinceSeconds=1&sinceTime=2026-11-22T15:51:44Z")
            .unwrap_err()
            .code(),
        422
    );
    assert_eq!(read("sinceTime=yesterday").unwrap_err().code(), 422);
    assert_eq!(read("tailLines=x").unwrap_err().code(), 400);
}

#[test]
fn the_node_is_asked_where_it_listens() {
    let node = |value| serde_json::from_value::<Node>(value).unwrap().authority("n");
    let address =
        json!([{ "type": "Hostname", "address": "n" }, { "type": "InternalIP", "address": "127.16.0.1" }]);
    assert_eq!(
        node(json!({ "status": { "addresses": address } })).unwrap(),
        "127.16.0.1:10250"
    );
    let endpoints = json!({ "kubeletEndpoint": { "Port": 4194 } });
    let status = json!({ "addresses": address, "daemonEndpoints": endpoints });
    assert_eq!(node(json!({ "status": status })).unwrap(), "127.16.0.1:4194");
    assert_eq!(node(json!({})).unwrap_err().code(), 500);
}

#[test]
fn refusals_of_nodes() {
    let waiting = tonic::Status::failed_precondition(
        "container \"c\" in pod \"x\" is waiting to start: ContainerCreating",
    );
    let error = from_node("https://n", &waiting);
    assert_eq!((error.code(), error.message()), (400, waiting.message()));
    let lost = from_node(
        "https://n/containerLogs",
        &tonic::Status::unavailable("connection refused"),
    );
    assert_eq!(
        (lost.code(), lost.message()),
        (500, "Get \"https://n/containerLogs\": connection refused")
    );
}
