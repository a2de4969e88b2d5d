//! Tests of `validation`.

use serde_json::{Value, json};

use crate::field_error::aggregate;
use crate::kinds::{self, Resource};
use crate::object::{Duplicates, Object, decode};
use crate::{defaults, patch};

mod access;
mod admission;
mod batch;
mod bounds;
mod classes;
mod core;
mod extensions;
mod networking;
mod pods;
mod workloads;

fn object(resource: &Resource, object: &Value) -> Box<dyn Object> {
    let mut object = decode(resource, object.to_string().as_bytes(), Duplicates::Ignore)
        .unwrap()
        .object;
    defaults::apply(&mut *object);
    object
}

/// What is wrong with `base` after a merge patch.
fn mistakes(resource: &Resource, base: &Value, change: Value) -> String {
    let mut changed = base.clone();
    patch::merge::merge(&mut changed, change);
    let errors = super::create(&*object(resource, &changed));
    if errors.is_empty() {
        String::new()
    } else {
        aggregate(&errors)
    }
}

/// What is wrong with the change of `base` by a merge patch.
fn update_mistakes(resource: &Resource, base: &Value, change: Value) -> String {
    let mut changed = base.clone();
    patch::merge::merge(&mut changed, change);
    let errors = super::update(&*object(resource, &changed), &*object(resource, base));
    if errors.is_empty() {
        String::new()
    } else {
        aggregate(&errors)
    }
}

fn pod() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}})
}

#[test]
fn metadata() {
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::POD, &pod(), json!({ "metadata": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"name": null}),
        "metadata.name: Required value: name or generateName is required",
    );
    check(json!({"namespace": null}), "metadata.namespace: Required value");
    check(
        json!({"labels": {"a": "b", "x/y": ""}, "annotations": {"Big/key": "any thing"}}),
        "",
    );
    check(json!({"finalizers": ["foregroundDeletion", "example.com/x"]}), "");
    check(
        json!({"finalizers": ["mine"]}),
        "metadata.finalizers: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified",
    );
    let owner = |name: &str| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": "u", "controller": true});
    check(json!({"ownerReferences": [owner("a")]}), "");
    for change in [
        json!({"name": "BAD_"}),
        json!({"namespace": "a.b"}),
        json!({"labels": {"a b": ""}}),
        json!({"labels": {"a": "b c"}}),
        json!({"annotations": {"a b": ""}}),
        json!({"annotations": {"a": "x".repeat(256 * 1024)}}),
        json!({"ownerReferences": [owner("a"), owner("b")]}),
        json!({"ownerReferences": [owner("")]}),
    ] {
        assert_ne!(
            mistakes(kinds::POD, &pod(), json!({ "metadata": change })),
            "",
            "{change}"
        );
    }
    let namespaced = json!({"metadata": {"name": "n", "namespace": "x"}});
    assert_eq!(
        mistakes(kinds::NODE, &namespaced, json!({})),
        "metadata.namespace: Forbidden: not allowed on this type"
    );
}

#[test]
fn services() {
    let base = json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::SERVICE, &base, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(json!({"ports": null}), "spec.ports: Required value");
    check(json!({"ports": null, "clusterIP": "None"}), "");
    check(
        json!({"ports": null, "type": "ExternalName", "externalName": "example.com"}),
        "",
    );
    check(
        json!({"ports": [{"port": 80}, {"port": 81, "name": "b"}]}),
        "spec.ports[0].name: Required value",
    );
    check(
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]}),
        "spec.ports[1].name: Duplicate value: \"a\"",
    );
    for change in [
        json!({"ports": [{"port": 0}]}),
        json!({"ports": [{"port": 80, "targetPort": "A"}]}),
        json!({"type": "Other"}),
        json!({"type": "NodePort", "clusterIP": "None"}),
        json!({"clusterIP": "1.2.3"}),
        json!({"sessionAffinity": "x"}),
        json!({"selector": {"a": "b c"}}),
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]}),
    ] {
        assert_ne!(
            mistakes(kinds::SERVICE, &base, json!({ "spec": change })),
            "",
            "{change}"
        );
    }
    assert_ne!(
        mistakes(kinds::SERVICE, &base, json!({"metadata": {"name": "1a"}})),
        ""
    );
    let mut given = base.clone();
    given["spec"]["clusterIP"] = json!("10.0.0.1");
    assert!(
        update_mistakes(kinds::SERVICE, &given, json!({"spec": {"clusterIP": "10.0.0.2"}}))
            .contains("field is immutable")
    );
}

#[test]
fn volumes_and_claims() {
    let volume = json!({"metadata": {"name": "pv"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nfs": {"server": "s", "path": "/x"}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::PERSISTENT_VOLUME, &volume, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(json!({"accessModes": null}), "spec.accessModes: Required value");
    check(json!({"capacity": null}), "spec.capacity: Required value");
    check(
        json!({"nfs": null}),
        "spec: Required value: must specify a volume type",
    );
    check(
        json!({"capacity": {"storage": "0"}}),
        "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero",
    );
    assert_ne!(
        update_mistakes(
            kinds::PERSISTENT_VOLUME,
            &volume,
            json!({"spec": {"nfs": {"path": "/y"}}})
        ),
        ""
    );
    assert_eq!(
        update_mistakes(
            kinds::PERSISTENT_VOLUME,
            &volume,
            json!({"spec": {"claimRef": {"name": "c"}}})
        ),
        ""
    );

    let claim = json!({"metadata": {"name": "c", "namespace": "d"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::PERSISTENT_VOLUME_CLAIM, &claim, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"accessModes": []}),
        "spec.accessModes: Required value: at least 1 access mode is required",
    );
    check(
        json!({"resources": null}),
        "spec.resources[storage]: Required value",
    );
    let update =
        |change: Value| update_mistakes(kinds::PERSISTENT_VOLUME_CLAIM, &claim, json!({ "spec": change }));
    assert_eq!(update(json!({"volumeName": "pv"})), "");
    assert_eq!(update(json!({"resources": {"requests": {"storage": "2Gi"}}})), "");
    assert_ne!(update(json!({"resources": {"requests": {"storage": "1Mi"}}})), "");
    assert_ne!(update(json!({"accessModes": ["ReadWriteMany"]})), "");
}

#[test]
fn config_maps_and_secrets() {
    let base = json!({"metadata": {"name": "m", "namespace": "d"}});
    let check = |resource: &Resource, change: Value, expected: &str| {
        assert_eq!(mistakes(resource, &base, change), expected);
    };
    check(kinds::CONFIG_MAP, json!({"data": {"a.b": "x"}}), "");
    check(
        kinds::CONFIG_MAP,
        json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}}),
        "data[a]: Invalid value: \"a\": duplicate of key present in binaryData",
    );
    assert_ne!(
        mistakes(kinds::CONFIG_MAP, &base, json!({"data": {"a/b": "x"}})),
        ""
    );
    assert_ne!(
        mistakes(
            kinds::CONFIG_MAP,
            &base,
            json!({"data": {"a": "x".repeat(1024 * 1024 + 1)}})
        ),
        ""
    );
    check(kinds::SECRET, json!({"stringData": {"a": "x"}}), "");
    check(
        kinds::SECRET,
        json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "eA=="}}),
        "data[tls.key]: Required value",
    );
    let mut frozen = base.clone();
    frozen["data"] = json!({"a": "eA=="});
    frozen["immutable"] = json!(true);
    for resource in [kinds::CONFIG_MAP, kinds::SECRET] {
        assert_eq!(
            update_mistakes(resource, &frozen, json!({"data": {"a": "eQ=="}})),
            "data: Forbidden: field is immutable when `immutable` is set"
        );
        assert_eq!(
            update_mistakes(resource, &frozen, json!({"metadata": {"labels": {"a": "b"}}})),
            ""
        );
    }
    assert_eq!(
        update_mistakes(kinds::SECRET, &base, json!({"type": "x"})),
        "type: Invalid value: \"x\": field is immutable"
    );
}

#[test]
fn nodes_leases_and_events() {
    let base = json!({"metadata": {"name": "n"}});
    let check = |change: Value, expected: &str| assert_eq!(mistakes(kinds::NODE, &base, change), expected);
    check(
        json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}, "status": {"capacity": {"cpu": "4", "pods": "110"}}}),
        "",
    );
    check(
        json!({"spec": {"taints": [{"key": "a", "effect": ""}]}}),
        "spec.taints[0].effect: Required value",
    );
    let taint = json!({"key": "a", "effect": "NoExecute"});
    assert!(
        mistakes(kinds::NODE, &base, json!({"spec": {"taints": [taint, taint]}})).contains("Duplicate value")
    );
    let lease = json!({"metadata": {"name": "n", "namespace": "d"}});
    assert_eq!(
        mistakes(kinds::LEASE, &lease, json!({"spec": {"leaseDurationSeconds": 0}})),
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"
    );
    // A leader that steps down leaves the lease to nobody.
    assert_eq!(
        mistakes(kinds::LEASE, &lease, json!({"spec": {"holderIdentity": ""}})),
        ""
    );
    let event = json!({"metadata": {"name": "n", "namespace": "d"}, "involvedObject": {"namespace": "d"}});
    assert_eq!(mistakes(kinds::EVENT, &event, json!({})), "");
    assert_eq!(
        mistakes(
            kinds::EVENT,
            &event,
            json!({"involvedObject": {"namespace": "e"}})
        ),
        "involvedObject.namespace: Invalid value: \"e\": does not match event.namespace"
    );
}
