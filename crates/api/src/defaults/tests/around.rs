//! What the kinds around the workloads look like once a minimal manifest has been defaulted.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::defaulted;
use crate::kinds::{self, Resource};

/// A manifest that says no more than it must.
fn minimal() -> Vec<(&'static Resource, Value)> {
    let role_ref = json!({"kind": "ClusterRole", "name": "view"});
    let subjects = json!([
        {"kind": "User", "name": "eva"}, {"kind": "Group", "name": "dev"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "default"},
    ]);
    let webhook = json!({"name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"service": {"name": "hook", "namespace": "default"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
    let rule =
        json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    vec![
        (
            kinds::ROLE,
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": []}]}),
        ),
        (
            kinds::ROLE_BINDING,
            json!({"roleRef": role_ref, "subjects": subjects}),
        ),
        (
            kinds::CLUSTER_ROLE,
            json!({"rules": [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}]}),
        ),
        (
            kinds::CLUSTER_ROLE_BINDING,
            json!({"roleRef": role_ref, "subjects": []}),
        ),
        (
            kinds::CERTIFICATE_SIGNING_REQUEST,
            json!({"spec": {"request": "", "signerName": "example.com/x", "usages": ["client auth"]},
            "status": {"conditions": [{"type": "Approved"}]}}),
        ),
        (
            kinds::MUTATING_WEBHOOK_CONFIGURATION,
            json!({"webhooks": [webhook]}),
        ),
        (
            kinds::VALIDATING_WEBHOOK_CONFIGURATION,
            json!({"webhooks": [webhook]}),
        ),
        (
            kinds::VALIDATING_ADMISSION_POLICY,
            json!({"spec": {"matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "true"}]}}),
        ),
        (
            kinds::VALIDATING_ADMISSION_POLICY_BINDING,
            json!({"spec": {"policyName": "p", "validationActions": ["Deny"],
            "matchResources": {}}}),
        ),
        (
            kinds::INGRESS,
            json!({"spec": {"defaultBackend": backend, "rules": [], "tls": []}}),
        ),
        (
            kinds::INGRESS_CLASS,
            json!({"spec": {"controller": "example.com/x", "parameters": {"kind": "K", "name": "n"}}}),
        ),
        (
            kinds::NETWORK_POLICY,
            json!({"spec": {"egress": [{"ports": [{"port": 53}]}]}}),
        ),
        (
            kinds::ENDPOINT_SLICE,
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}),
        ),
        (kinds::STORAGE_CLASS, json!({"provisioner": "example.com/x"})),
        (
            kinds::VOLUME_ATTACHMENT,
            json!({"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}}),
        ),
        (kinds::CSI_DRIVER, json!({"spec": {}})),
        (
            kinds::CSI_NODE,
            json!({"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": []}]}}),
        ),
        (
            kinds::CSI_STORAGE_CAPACITY,
            json!({"storageClassName": "s", "capacity": "1024Mi"}),
        ),
        (kinds::PRIORITY_CLASS, json!({"value": 1000})),
        (
            kinds::RUNTIME_CLASS,
            json!({"handler": "h", "overhead": {"podFixed": {"cpu": "0.1"}}}),
        ),
        (
            kinds::FLOW_SCHEMA,
            json!({"spec": {"priorityLevelConfiguration": {"name": "p"}}}),
        ),
        (
            kinds::PRIORITY_LEVEL_CONFIGURATION,
            json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue"}}}}),
        ),
        (
            kinds::CUSTOM_RESOURCE_DEFINITION,
            json!({"spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}},
                "additionalPrinterColumns": [{"name": "Size", "type": "string", "jsonPath": ".spec.size"}]}]}}),
        ),
        (
            kinds::API_SERVICE,
            json!({"spec": {"group": "x.example.com", "version": "v1", "groupPriorityMinimum": 1,
            "versionPriority": 1, "service": {"name": "s", "namespace": "n"}}}),
        ),
    ]
}

#[test]
fn minimal_manifests() {
    let mut text = String::new();
    for (resource, object) in minimal() {
        let object = defaulted(resource, object);
        let _ = writeln!(text, "{}", serde_json::to_string(&object).unwrap());
        assert_eq!(defaulted(resource, object.clone()), object, "{resource}");
    }
    insta::assert_snapshot!(text);
}
