//! Pods and their containers.

use serde_json::{Value, json};

use super::{mistakes, object, pod, update_mistakes};
use crate::{kinds, patch};

fn container(change: Value) -> Value {
    let mut own = json!({"name": "c", "image": "nginx"});
    patch::merge::merge(&mut own, change);
    json!({"spec": {"containers": [own], "volumes": [{"name": "v"}]}})
}

/// A real apiserver's answer to a pod with a bad name and no containers.
#[test]
fn the_observed_answer_to_a_bad_pod() {
    let errors = super::super::create(&*object(
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
}

#[test]
fn other_mistakes_in_containers() {
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
