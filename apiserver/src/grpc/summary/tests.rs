//! Typed summaries, above all what STATUS says.

use coracle_api::kinds;
use serde_json::{Value, json};

use coracle_proto::v1 as pb;

use super::{Entry, claim, node, pod, service, workload};
use crate::registry::strategy;

fn entry(resource: &'static coracle_api::Resource, object: &Value) -> Entry {
    let json = bytes::Bytes::from(object.to_string());
    let attributes = strategy::describe(resource, &json).unwrap().into();
    Entry {
        key: resource.store_key("default", "x").into(),
        revision: 7,
        json,
        attributes,
    }
}

fn check_status(status: Value, deleting: bool, expected: &str) {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}, {"name": "j"}]},
        "status": status,
    });
    if deleting {
        object["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z".into();
    }
    assert_eq!(
        pod::summary(&entry(kinds::POD, &object)).unwrap().status,
        expected
    );
}

fn container(state: Value) -> Value {
    json!({"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 3, "state": state})
}

#[test]
fn status_is_what_kubectl_prints() {
    check_status(json!({"phase": "Pending"}), false, "Pending");
    check_status(json!({"phase": "Running"}), true, "Terminating");
    check_status(json!({"phase": "Succeeded"}), true, "Succeeded");
    check_status(json!({"phase": "Failed", "reason": "Evicted"}), false, "Evicted");
    let waiting = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    check_status(
        json!({"phase": "Running", "containerStatuses": [waiting]}),
        false,
        "CrashLoopBackOff",
    );
    let ended = |code: i32| container(json!({"terminated": {"exitCode": code}}));
    check_status(
        json!({"phase": "Failed", "containerStatuses": [ended(3)]}),
        false,
        "ExitCode:3",
    );
    let running = container(json!({"running": {}}));
    check_status(
        json!({"phase": "Pending", "initContainerStatuses": [running]}),
        false,
        "Init:0/2",
    );
    check_status(
        json!({"phase": "Pending", "initContainerStatuses": [ended(0), ended(1)]}),
        false,
        "Init:ExitCode:1",
    );
}

#[test]
fn a_node_tells_what_it_can_carry() {
    let object = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"zone": "a"}},
        "spec": {"unschedulable": true},
        "status": {
            "allocatable": {"cpu": "3500m", "memory": "2Gi", "pods": "110"},
            "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "127.16.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    });
    let node = node::summary(&entry(kinds::NODE, &object)).unwrap();
    assert!(node.ready && node.unschedulable);
    assert_eq!(
        (node.cpu_millicores, node.memory_bytes, node.pods),
        (3_500, 2 << 30, 110)
    );
    assert_eq!(
        (node.internal_ip.as_str(), node.labels["zone"].as_str()),
        ("127.16.0.1", "a")
    );
}

#[test]
fn workloads_of_every_kind_tell_the_same_fields() {
    let check = |kind: pb::WorkloadKind, spec: Value, status: Value, expected: [i32; 4]| {
        let resource = workload::resource(kind).unwrap();
        let mut object = json!({
            "apiVersion": resource.api_version, "kind": resource.kind,
            "metadata": {"name": "w", "namespace": "default", "generation": 2}, "spec": spec, "status": status,
        });
        object["spec"]["template"] = json!({"spec": {"containers": [{"name": "a", "image": "nginx:1"}]}});
        let told = workload::summary(kind, &entry(resource, &object)).unwrap();
        assert_eq!(
            [told.wanted, told.ready, told.updated, told.available],
            expected,
            "{kind:?}"
        );
        assert_eq!(
            (told.images.as_slice(), told.selector.as_str()),
            (&["nginx:1".to_owned()][..], "app=w")
        );
        assert!(told.observed, "{kind:?}");
    };
    let labels = json!({"matchLabels": {"app": "w"}});
    let counts = json!({
        "observedGeneration": 2, "replicas": 4, "readyReplicas": 3, "updatedReplicas": 2, "availableReplicas": 1,
    });
    let three = json!({"replicas": 3, "selector": labels});
    check(
        pb::WorkloadKind::Deployment,
        three.clone(),
        counts.clone(),
        [3, 3, 2, 1],
    );
    check(
        pb::WorkloadKind::ReplicaSet,
        three.clone(),
        counts.clone(),
        [3, 3, 4, 1],
    );
    check(pb::WorkloadKind::StatefulSet, three, counts.clone(), [3, 3, 2, 1]);
    let plain = json!({"selector": {"app": "w"}});
    check(
        pb::WorkloadKind::ReplicationController,
        plain,
        counts,
        [1, 3, 4, 1],
    );
    let spread = json!({
        "observedGeneration": 2, "desiredNumberScheduled": 4, "numberReady": 3, "updatedNumberScheduled": 2,
        "numberAvailable": 1, "currentNumberScheduled": 4, "numberMisscheduled": 0,
    });
    check(
        pb::WorkloadKind::DaemonSet,
        json!({"selector": labels}),
        spread,
        [4, 3, 2, 1],
    );
    let done = json!({"active": 1, "succeeded": 2});
    check(
        pb::WorkloadKind::Job,
        json!({"completions": 5, "selector": labels}),
        done,
        [5, 2, 3, 2],
    );
}

#[test]
fn a_service_tells_its_addresses_and_ports() {
    let object = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer", "clusterIP": "127.32.0.9", "externalIPs": ["192.0.2.1"], "selector": {"app": "s"},
            "ports": [{"port": 80, "targetPort": "web", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "127.48.0.1"}]}},
    });
    let told = service::summary(&entry(kinds::SERVICE, &object)).unwrap();
    assert_eq!(told.external, ["192.0.2.1", "127.48.0.1"]);
    let ports: Vec<_> = told
        .ports
        .iter()
        .map(|port| {
            (
                port.port,
                port.target_port.as_str(),
                port.protocol.as_str(),
                port.node_port,
            )
        })
        .collect();
    assert_eq!(ports, [(80, "web", "TCP", 30080), (53, "53", "UDP", 0)]);
}

#[test]
fn a_claim_tells_what_was_asked_for_and_what_there_is() {
    let object = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "volumeName": "pv", "storageClassName": "slow",
            "resources": {"requests": {"storage": "1Gi"}},
        },
        "status": {"phase": "Bound", "capacity": {"storage": "2Gi"}},
    });
    let told = claim::summary(&entry(kinds::PERSISTENT_VOLUME_CLAIM, &object)).unwrap();
    assert_eq!((told.requested_bytes, told.capacity_bytes), (1 << 30, 2 << 30));
    assert_eq!((told.phase.as_str(), told.volume.as_str()), ("Bound", "pv"));
}
