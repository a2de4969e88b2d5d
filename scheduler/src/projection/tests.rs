//! Tests of `projection`.

use coracle_api::kinds;
use serde_json::{Value, json};

use coracle_client::Object;
use coracle_runtime::Project;

use super::*;
use crate::{
    requirements::{Effect, HostPort, Operator, Requests},
    testing::{MIB, project},
};

fn pod(spec: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "default", "uid": "0b8ba9b4-0a5c-4a39-9e2b-0d4d1e8f6a11"},
        "spec": spec,
    })
}

fn container(cpu: &str, memory: &str) -> Value {
    json!({"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": memory}}})
}

fn requests(spec: Value) -> Requests {
    let pod: Pod = project(kinds::POD, &pod(spec));
    pod.unbound().unwrap().class.load.requests.clone()
}

#[test]
fn containers_run_together() {
    let requests = requests(json!({"containers": [container("250m", "64Mi"), container("1", "1Gi")]}));
    assert_eq!((requests.cpu_milli, requests.memory_bytes), (1_250, 1_088 * MIB));
    assert_eq!(
        (requests.nonzero_cpu_milli, requests.nonzero_memory_bytes),
        (1_250, 1_088 * MIB)
    );
}

#[test]
fn init_containers_run_before_and_the_largest_moment_counts() {
    let check = |init: Value, expected: i64| {
        let spec = json!({"containers": [container("200m", "0")], "initContainers": init});
        assert_eq!(requests(spec).cpu_milli, expected);
    };
    let sidecar = |cpu: &str| {
        let mut container = container(cpu, "0");
        container["restartPolicy"] = json!("Always");
        container
    };
    check(json!([container("100m", "0")]), 200);
    check(json!([container("300m", "0"), container("250m", "0")]), 300);
    check(json!([sidecar("100m")]), 300);
    // The second starts beside the sidecar: 100 + 500.
    check(json!([sidecar("100m"), container("500m", "0")]), 600);
    // It has ended before the sidecar starts.
    check(json!([container("500m", "0"), sidecar("100m")]), 500);
}

#[test]
fn overhead_and_pod_level_requests_count() {
    let with_overhead = json!({"containers": [container("200m", "1Mi")], "overhead": {"cpu": "50m"}});
    assert_eq!(requests(with_overhead).cpu_milli, 250);
    let pod_level = json!({
        "containers": [container("200m", "1Mi")], "resources": {"requests": {"cpu": "1500m"}}
    });
    let requests = requests(pod_level);
    assert_eq!((requests.cpu_milli, requests.memory_bytes), (1_500, MIB));
}

#[test]
fn a_pod_without_requests_counts_as_a_small_one_for_scores_only() {
    let requests = requests(json!({"containers": [{"name": "c"}, {"name": "d"}]}));
    assert_eq!((requests.cpu_milli, requests.memory_bytes), (0, 0));
    assert_eq!(
        (requests.nonzero_cpu_milli, requests.nonzero_memory_bytes),
        (200, 400 * MIB)
    );
}

#[test]
fn extended_resources_and_host_ports_are_read() {
    let pod: Pod = project(
        kinds::POD,
        &pod(json!({"containers": [{
            "name": "c",
            "resources": {"requests": {"example.com/gpu": "2", "ephemeral-storage": "1Ki"}},
            "ports": [{"containerPort": 80}, {"containerPort": 53, "hostPort": 5353, "protocol": "UDP"}],
        }]})),
    );
    let load = &pod.unbound().unwrap().class.load;
    assert_eq!(*load.requests.extended, [("example.com/gpu".into(), 2)]);
    assert_eq!(load.requests.ephemeral_storage_bytes, 1024);
    assert_eq!(
        *load.host_ports,
        [HostPort {
            port: 5353,
            protocol: "UDP".into(),
            ip: "".into()
        }]
    );
}

#[test]
fn a_waiting_pod_keeps_what_it_asks_for() {
    let mut object = pod(json!({
        "containers": [container("1", "1Mi")],
        "schedulerName": "other",
        "priority": 7,
        "schedulingGates": [{"name": "example.com/gate"}],
        "nodeSelector": {"disk": "ssd", "b": "2"},
        "tolerations": [
            {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "b", "value": "v"},
        ],
        "affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]},
                {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]},
            ]},
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 5, "preference": {"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["8"]}]}},
                {"weight": 9, "preference": {}},
            ],
        }},
    }));
    object["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "not-me"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "owner-1", "controller": true},
    ]);
    object["status"] = json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "why",
        "lastTransitionTime": "2026-11-22T15:51:48Z", "lastProbeTime": null,
    }]});
    let pod: Pod = project(kinds::POD, &object);
    let unbound = pod.unbound().unwrap();
    assert_eq!(
        (&*unbound.scheduler_name, unbound.priority, unbound.is_gated),
        ("other", 7, true)
    );
    assert_eq!(unbound.owner.as_ref().map(|owner| &*owner.name), Some("web"));
    assert!(
        unbound
            .condition
            .as_ref()
            .is_some_and(Condition::is_unschedulable)
    );
    let class = &unbound.class;
    assert_eq!(class.load.owner.as_deref(), Some("owner-1"));
    assert_eq!(
        *class.node_selector,
        [("b".into(), "2".into()), ("disk".into(), "ssd".into())]
    );
    let terms = class.required_terms.as_ref().unwrap();
    assert_eq!(terms.len(), 2);
    assert_eq!(terms[1].fields[0].operator, Operator::NotIn);
    assert_eq!(class.preferred_terms.len(), 1, "an empty preference says nothing");
    assert_eq!(class.tolerations[0].effect, Some(Effect::NoExecute));
    assert_eq!(class.tolerations[0].value, None);
    assert_eq!(class.tolerations[1].value.as_deref(), Some("v"));
}

#[test]
fn states_of_a_pod() {
    let mut object = pod(json!({"containers": [container("1", "1Mi")]}));
    assert!(matches!(
        project::<Pod>(kinds::POD, &object).state,
        State::Unbound(_)
    ));
    object["spec"]["nodeName"] = json!("n1");
    let bound: Pod = project(kinds::POD, &object);
    assert_eq!(
        bound.bound().map(|(node, load)| (node, load.requests.cpu_milli)),
        Some(("n1", 1_000))
    );
    object["status"]["phase"] = json!("Succeeded");
    assert_eq!(project::<Pod>(kinds::POD, &object).state, State::Terminated);
}

#[test]
fn a_bound_pod_is_small() {
    let mut object = pod(json!({
        "containers": [container("100m", "128Mi")],
        "nodeName": "coracle-node-0042",
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        "nodeSelector": {"disk": "ssd"},
    }));
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9",
        "uid": "5b0f8a57-9d0b-4a3f-8e57-3f1f6a0d9c22", "controller": true,
    }]);
    let pod: Pod = project(kinds::POD, &object);
    let State::Bound { node, load, .. } = &pod.state else {
        panic!("it is bound")
    };
    let owner = load.owner.as_ref().map_or(0, |owner| 16 + owner.len());
    let arc = 16;
    let bytes = arc + size_of::<Pod>() + pod.uid.len() + node.len() + owner;
    assert!(bytes <= 400, "{bytes} bytes");
    assert!(load.host_ports.is_empty() && load.requests.extended.is_empty());
}

fn node_json(status: Value, spec: Value) -> Value {
    json!({
        "metadata": {"name": "n1", "labels": {"b": "2", "a": "1"}},
        "spec": spec,
        "status": status,
    })
}

#[test]
fn a_node_offers_what_is_allocatable() {
    let node: Node = project(
        kinds::NODE,
        &node_json(
            json!({
                "capacity": {"cpu": "8", "memory": "1Gi", "pods": "110"},
                "allocatable": {"cpu": "7500m", "memory": "512Mi", "pods": "100", "example.com/gpu": "4"},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": null}],
            }),
            json!({"unschedulable": true, "taints": [{"key": "z", "effect": "NoSchedule", "timeAdded": null}]}),
        ),
    );
    assert_eq!(*node.labels, [("a".into(), "1".into()), ("b".into(), "2".into())]);
    assert!(node.is_unschedulable);
    assert_eq!(node.taints.len(), 1);
    let offered = &node.allocatable;
    assert_eq!(
        (offered.cpu_milli, offered.memory_bytes, offered.pods),
        (7_500, 512 * MIB, 100)
    );
    assert_eq!(*offered.extended, [("example.com/gpu".into(), 4)]);
}

#[test]
fn a_node_that_is_not_ready_is_tainted_before_anybody_taints_it() {
    let check = |conditions: Value, taints: Value, expected: &[&str]| {
        let json = node_json(json!({"conditions": conditions}), json!({"taints": taints}));
        let node: Node = project(kinds::NODE, &json);
        let keys: Vec<&str> = node.taints.iter().map(|taint| &*taint.key).collect();
        assert_eq!(keys, expected, "{json}");
    };
    let ready = |status: &str| json!([{"type": "Ready", "status": status}]);
    check(ready("True"), json!([]), &[]);
    check(ready("False"), json!([]), &["node.kubernetes.io/not-ready"]);
    check(ready("Unknown"), json!([]), &["node.kubernetes.io/unreachable"]);
    check(json!([]), json!([]), &["node.kubernetes.io/not-ready"]);
    let tainted = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
    check(ready("False"), tainted, &["node.kubernetes.io/not-ready"]);
}

#[test]
fn a_broken_quantity_is_an_error_that_names_it() {
    let object = Object {
        namespace: "default".to_owned(),
        name: "p".to_owned(),
        uid: "u".to_owned(),
        revision: 1,
        json: pod(json!({"containers": [container("many", "1")]}))
            .to_string()
            .into(),
    };
    let error = Pod::project(&object).unwrap_err();
    assert!(error.message().contains("\"many\" of cpu"), "{error}");
}
