use serde_json::{Value, json};

use crate::field_error::aggregate;
use crate::kinds::{self, Resource};
use crate::object::{Duplicates, Object, decode};
use crate::{defaults, patch};

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

fn container(change: Value) -> Value {
    let mut own = json!({"name": "c", "image": "nginx"});
    patch::merge::merge(&mut own, change);
    json!({"spec": {"containers": [own], "volumes": [{"name": "v"}]}})
}

fn deployment() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}})
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

/// A real apiserver's answer to a pod with a bad name and no containers.
#[test]
fn the_observed_answer_to_a_bad_pod() {
    let errors = super::create(&*object(
        kinds::POD,
        &json!({"metadata": {"name": "BAD_", "namespace": "probe"}, "spec": {}}),
    ));
    let error = crate::ApiError::invalid(kinds::POD, "BAD_", errors);
    assert_eq!(
        error.message(),
        "Pod \"BAD_\" is invalid: [metadata.name: Invalid value: \"BAD_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.containers: Required value]"
    );
}

#[test]
fn containers() {
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::POD, &pod(), container(change)), expected);
    };
    check(json!({}), "");
    check(json!({"image": null}), "spec.containers[0].image: Required value");
    check(json!({"name": ""}), "spec.containers[0].name: Required value");
    check(
        json!({"imagePullPolicy": "Sometimes"}),
        "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
    );
    check(
        json!({"ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]}),
        "",
    );
    check(
        json!({"ports": [{"containerPort": 0}]}),
        "spec.containers[0].ports[0].containerPort: Required value",
    );
    check(
        json!({"ports": [{"containerPort": 70000}]}),
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    );
    check(
        json!({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]}),
        "spec.containers[0].ports[1].name: Duplicate value: \"a\"",
    );
    check(json!({"volumeMounts": [{"name": "v", "mountPath": "/x"}]}), "");
    check(
        json!({"volumeMounts": [{"name": "w", "mountPath": "/x"}]}),
        "spec.containers[0].volumeMounts[0].name: Not found: \"w\"",
    );
    check(
        json!({"volumeMounts": [{"name": "v", "mountPath": "/x"}, {"name": "v", "mountPath": "/x"}]}),
        "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique",
    );
    check(
        json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}),
        "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
    );
    check(
        json!({"resources": {"limits": {"memory": "-1"}}}),
        "[spec.containers[0].resources.limits[memory]: Invalid value: \"-1\": must be greater than or equal to 0, \
         spec.containers[0].resources.requests[memory]: Invalid value: \"-1\": must be greater than or equal to 0]",
    );
    check(
        json!({"livenessProbe": {}}),
        "spec.containers[0].livenessProbe: Required value: must specify a handler type",
    );
    check(
        json!({"livenessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 80}}}),
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    );
    check(
        json!({"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
        "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
    );
    for change in [
        json!({"name": "Bad"}),
        json!({"image": " x"}),
        json!({"resources": {"limits": {"cpu": "lots"}}}),
        json!({"resources": {"limits": {"bananas": "1"}}}),
        json!({"env": [{"name": "a=b"}]}),
        json!({"env": [{"name": "A", "valueFrom": {}}]}),
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]}),
        json!({"envFrom": [{}]}),
        json!({"livenessProbe": {"httpGet": {"port": 0}}}),
        json!({"livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": -1}}),
        json!({"livenessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2}}),
        json!({"lifecycle": {"preStop": {}}}),
        json!({"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "../y"}]}),
        json!({"restartPolicy": "Always"}),
    ] {
        assert_ne!(
            mistakes(kinds::POD, &pod(), container(change.clone())),
            "",
            "{change}"
        );
    }
}

#[test]
fn pod_specs() {
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::POD, &pod(), json!({ "spec": change })), expected);
    };
    check(
        json!({"tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]}),
        "",
    );
    check(
        json!({"restartPolicy": "Maybe"}),
        "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\", \"OnFailure\"",
    );
    check(
        json!({"volumes": [{"name": "a"}, {"name": "a"}]}),
        "spec.volumes[1].name: Duplicate value: \"a\"",
    );
    check(
        json!({"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}}]}),
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
    );
    check(
        json!({"volumes": [{"name": "a", "nfs": {"server": "s", "path": "x"}}]}),
        "spec.volumes[0].nfs.path: Invalid value: \"x\": must be an absolute path",
    );
    check(
        json!({"initContainers": [{"name": "c", "image": "x"}]}),
        "spec.initContainers[0].name: Duplicate value: \"c\"",
    );
    for change in [
        json!({"dnsPolicy": "None"}),
        json!({"terminationGracePeriodSeconds": -1}),
        json!({"activeDeadlineSeconds": 0}),
        json!({"nodeSelector": {"a b": ""}}),
        json!({"nodeName": "Bad_"}),
        json!({"hostname": "a.b"}),
        json!({"tolerations": [{"key": ""}]}),
        json!({"tolerations": [{"key": "a", "tolerationSeconds": 3}]}),
        json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}),
        json!({"tolerations": [{"key": "a", "effect": "Never"}]}),
        json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]}),
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}}),
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}]}}}),
        json!({"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": ""}}]}),
        json!({"volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": 1024}}]}),
        json!({"initContainers": [{"name": "i", "image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}]}),
        json!({"ephemeralContainers": [{"name": "e", "image": "x"}]}),
    ] {
        assert_ne!(
            mistakes(kinds::POD, &pod(), json!({ "spec": change })),
            "",
            "{change}"
        );
    }
}

#[test]
fn of_a_pod_only_little_may_change() {
    let check = |change: Value, expected: bool| {
        let found = update_mistakes(kinds::POD, &pod(), json!({ "spec": change }));
        assert_eq!(found.is_empty(), expected, "{change}: {found}");
    };
    check(json!({}), true);
    check(
        json!({"containers": [{"name": "c", "image": "nginx:2", "imagePullPolicy": "Always"}]}),
        true,
    );
    check(json!({"containers": [{"name": "d", "image": "nginx"}]}), false);
    check(
        json!({"containers": [{"name": "c", "image": "nginx"}, {"name": "d", "image": "x"}]}),
        false,
    );
    check(json!({"tolerations": [{"operator": "Exists"}]}), true);
    check(json!({"activeDeadlineSeconds": 5}), true);
    check(json!({"nodeName": "node-1"}), false);
    check(json!({"restartPolicy": "Never"}), false);
    let deleting = json!({"metadata": {"name": "web", "namespace": "default", "deletionTimestamp": "2026-11-22T15:51:49Z"},
        "spec": pod()["spec"]});
    assert!(
        update_mistakes(
            kinds::POD,
            &deleting,
            json!({"metadata": {"finalizers": ["a/b"]}})
        )
        .contains("no new finalizers")
    );
}

#[test]
fn deployments() {
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::DEPLOYMENT, &deployment(), json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"replicas": -1}),
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
    check(
        json!({"selector": {"matchLabels": {"app": "other"}}}),
        "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: `selector` does not match template `labels`",
    );
    check(
        json!({"selector": null}),
        "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: `selector` does not match template `labels`]",
    );
    check(
        json!({"template": {"spec": {"restartPolicy": "Never"}}}),
        "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
    );
    check(
        json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}}),
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    );
    check(
        json!({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}),
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0",
    );
    check(
        json!({"strategy": {"rollingUpdate": {"maxSurge": "200%", "maxUnavailable": 0}}}),
        "",
    );
    check(
        json!({"progressDeadlineSeconds": 5, "minReadySeconds": 5}),
        "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
    );
    for change in [
        json!({"strategy": {"rollingUpdate": {"maxSurge": "a%"}}}),
        json!({"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}),
        json!({"strategy": {"rollingUpdate": {"maxUnavailable": -1}}}),
        json!({"strategy": {"type": "Slow"}}),
        json!({"template": {"spec": {"containers": []}}}),
        json!({"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}),
    ] {
        assert_ne!(
            mistakes(kinds::DEPLOYMENT, &deployment(), json!({ "spec": change })),
            "",
            "{change}"
        );
    }
}

#[test]
fn selectors_stand_for_ever() {
    let other = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}});
    for resource in [kinds::DEPLOYMENT, kinds::REPLICA_SET] {
        assert_eq!(
            update_mistakes(resource, &deployment(), other.clone()),
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
        );
        assert_eq!(
            update_mistakes(resource, &deployment(), json!({"spec": {"replicas": 7}})),
            ""
        );
    }
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
