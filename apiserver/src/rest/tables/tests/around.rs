//! Cells of the kinds around the workloads.

use coracle_api::kinds;

use super::{CREATED, object, row};

macro_rules! check {
    ($kind:ident, $fields:tt, $expected:expr) => {
        assert_eq!(row(kinds::$kind, &object(serde_json::json!($fields))), $expected)
    };
}

#[test]
fn access() {
    check!(ROLE, {"rules": []}, format!("x | {CREATED}"));
    check!(CLUSTER_ROLE, {"rules": []}, format!("x | {CREATED}"));
    let subjects = serde_json::json!([
        {"kind": "User", "name": "eva"}, {"kind": "User", "name": "ada"}, {"kind": "Group", "name": "dev"},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
    ]);
    check!(
        ROLE_BINDING,
        {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects},
        "x | ClusterRole/view | 2m | eva, ada | dev | ci/bot"
    );
    check!(
        CERTIFICATE_SIGNING_REQUEST,
        {"spec": {"request": "", "signerName": "example.com/s", "username": "eva", "expirationSeconds": 86_400}},
        "x | 2m | example.com/s | eva | 24h | Pending"
    );
    check!(
        CERTIFICATE_SIGNING_REQUEST,
        {"spec": {"request": ""}, "status": {"certificate": "YQ==", "conditions": [{"type": "Approved", "status": "True"}]}},
        "x | 2m |  |  | <none> | Approved,Issued"
    );
}

#[test]
fn admission() {
    check!(MUTATING_WEBHOOK_CONFIGURATION, {"webhooks": [{"name": "a"}]}, "x | 1 | 2m");
    check!(VALIDATING_WEBHOOK_CONFIGURATION, {}, "x | 0 | 2m");
    check!(
        VALIDATING_ADMISSION_POLICY,
        {"spec": {"validations": [{"expression": "true"}], "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}},
        "x | 1 | v1/ConfigMap | 2m"
    );
    check!(
        VALIDATING_ADMISSION_POLICY_BINDING,
        {"spec": {"policyName": "p", "paramRef": {"name": "n", "namespace": "d"}}},
        "x | p | d/n | 2m"
    );
}

#[test]
fn networking() {
    let rules = serde_json::json!([{"host": "a"}, {"host": "b"}, {"host": "c"}, {"host": "d"}]);
    check!(
        INGRESS,
        {
            "spec": {"ingressClassName": "nginx", "rules": rules, "tls": [{}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "127.48.0.1"}]}},
        },
        "x | nginx | a,b,c + 1 more... | 127.48.0.1 | 80, 443 | 2m"
    );
    check!(INGRESS, {"spec": {}}, "x | <none> | * |  | 80 | 2m");
    check!(
        INGRESS_CLASS,
        {"spec": {"controller": "example.com/x", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}},
        "x | example.com/x | K.g/n | 2m"
    );
    check!(NETWORK_POLICY, {"spec": {"podSelector": {"matchLabels": {"app": "web"}}}}, "x | app=web | 2m");
    check!(NETWORK_POLICY, {"spec": {"podSelector": {}}}, "x | <none> | 2m");
    check!(
        ENDPOINT_SLICE,
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}], "ports": [{"port": 80}]},
        "x | IPv4 | 80 | 10.0.0.1,10.0.0.2 | 2m"
    );
}

#[test]
fn classes() {
    check!(
        STORAGE_CLASS,
        {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "p",
            "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate", "allowVolumeExpansion": true},
        "x (default) | p | Retain | Immediate | true | 2m"
    );
    check!(
        VOLUME_ATTACHMENT,
        {"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}, "status": {"attached": true}},
        "x | d | v | n | true | 2m"
    );
    check!(
        CSI_DRIVER,
        {"spec": {"attachRequired": false, "volumeLifecycleModes": ["Persistent", "Ephemeral"]}},
        "x | false | false | false | <unset> | false | Persistent,Ephemeral | 2m"
    );
    check!(CSI_NODE, {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}}, "x | 1 | 2m");
    check!(CSI_STORAGE_CAPACITY, {"storageClassName": "s", "capacity": "1Gi"}, "x | s | 1Gi");
    check!(
        PRIORITY_CLASS,
        {"value": 1000, "preemptionPolicy": "Never"},
        "x | 1000 | false | 2m | Never"
    );
    check!(RUNTIME_CLASS, {"handler": "runsc"}, "x | runsc | 2m");
}

#[test]
fn extensions() {
    check!(CUSTOM_RESOURCE_DEFINITION, {"spec": {}}, format!("x | {CREATED}"));
    check!(
        API_SERVICE,
        {"spec": {}, "status": {"conditions": [{"type": "Available", "status": "True"}]}},
        "x | Local | True | 2m"
    );
    check!(
        API_SERVICE,
        {"spec": {"service": {"namespace": "n", "name": "s"}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "Because"}]}},
        "x | n/s | False (Because) | 2m"
    );
    check!(
        FLOW_SCHEMA,
        {"spec": {"priorityLevelConfiguration": {"name": "p"}, "matchingPrecedence": 1}},
        "x | p | 1 | <none> | 2m | ?"
    );
    check!(
        PRIORITY_LEVEL_CONFIGURATION,
        {"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}}}},
        "x | Limited | 5 | <none> | <none> | <none> | 2m"
    );
}

#[test]
fn component_statuses() {
    let condition = |status: &str, message: &str| serde_json::json!([{"type": "Healthy", "status": status, "message": message}]);
    check!(COMPONENT_STATUS, {"conditions": condition("True", "ok")}, "x | Healthy | ok | ");
    check!(COMPONENT_STATUS, {"conditions": condition("False", "gone")}, "x | Unhealthy | gone | ");
    check!(COMPONENT_STATUS, {}, "x | Unknown |  | ");
}

#[test]
fn metrics() {
    let usage = serde_json::json!({"cpu": "3000000n", "memory": "18432Ki"});
    check!(NODE_METRICS, {"usage": usage, "window": "10s"}, "x | 3000000n | 18432Ki | 10s");
    check!(
        POD_METRICS,
        {"containers": [{"name": "a", "usage": usage}, {"name": "b", "usage": usage}], "window": "10s"},
        "x | 6000000n | 36864Ki | 10s"
    );
}

#[test]
fn events_of_the_other_version() {
    check!(
        EVENTS_EVENT,
        {
            "deprecatedFirstTimestamp": CREATED, "deprecatedLastTimestamp": "2026-11-22T15:53:43Z", "deprecatedCount": 4,
            "type": "Warning", "reason": "BackOff", "note": "Back-off", "regarding": {"kind": "Pod", "name": "web"},
            "deprecatedSource": {"component": "kubelet", "host": "n"},
        },
        "1s | Warning | BackOff | pod/web |  | kubelet, n | Back-off | 2m | 4 | x"
    );
}
