//! Tests of `defaults`.

use serde_json::{Value, json};

use super::*;
use crate::hash::pod_template_hash;
use crate::kinds::{self, RESOURCES, Resource};
use crate::object::{Duplicates, decode};

mod around;
mod workloads;

fn defaulted(resource: &Resource, object: Value) -> Value {
    let mut object = decode(resource, object.to_string().as_bytes(), Duplicates::Ignore)
        .unwrap()
        .object;
    apply(&mut *object);
    serde_json::from_slice(&object.to_json()).unwrap()
}

/// The spec that a real apiserver showed for this Deployment.
#[test]
fn a_deployment_is_defaulted_as_a_real_apiserver_does() {
    let template = json!({"metadata": {"labels": {"app": "web"}, "creationTimestamp": null},
        "spec": {"containers": [{"name": "c1", "image": "nginx:1.25", "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "value": "1"}], "args": []}], "volumes": []}});
    let object =
        json!({"spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
    assert_eq!(
        defaulted(kinds::DEPLOYMENT, object)["spec"],
        json!({"progressDeadlineSeconds": 600, "replicas": 3, "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
                "containers": [{"env": [{"name": "A", "value": "1"}], "image": "nginx:1.25",
                    "imagePullPolicy": "IfNotPresent", "name": "c1",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30}}})
    );
}

#[test]
fn a_service_is_defaulted_as_a_real_apiserver_does() {
    let object = json!({"spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}});
    assert_eq!(
        defaulted(kinds::SERVICE, object)["spec"],
        json!({"internalTrafficPolicy": "Cluster",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "selector": {"app": "web"},
            "sessionAffinity": "None", "type": "ClusterIP"})
    );
    let object = json!({"spec": {"type": "LoadBalancer", "sessionAffinity": "ClientIP", "ports": [{"port": 80, "targetPort": "web"}]}});
    assert_eq!(
        defaulted(kinds::SERVICE, object)["spec"],
        json!({"allocateLoadBalancerNodePorts": true, "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": "web"}], "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}, "type": "LoadBalancer"})
    );
}

#[test]
fn a_pod_requests_what_it_limits_and_a_template_does_not() {
    let spec = || json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": "100m"}}}]});
    let pod = defaulted(kinds::POD, json!({"spec": spec()}));
    assert_eq!(
        pod["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}})
    );
    assert_eq!(pod["spec"]["enableServiceLinks"], true);
    let set = defaulted(
        kinds::REPLICA_SET,
        json!({"spec": {"selector": {}, "template": {"spec": spec()}}}),
    );
    let template = &set["spec"]["template"]["spec"];
    assert_eq!(
        template["containers"][0]["resources"]["requests"],
        json!({"cpu": "100m"})
    );
    assert!(template.get("enableServiceLinks").is_none());
}

#[test]
fn images_without_a_fixed_tag_are_pulled_always() {
    let check = |image: &str, expected: &str| {
        let pod = defaulted(
            kinds::POD,
            json!({"spec": {"containers": [{"name": "c", "image": image}]}}),
        );
        assert_eq!(
            pod["spec"]["containers"][0]["imagePullPolicy"], expected,
            "{image}"
        );
    };
    check("x", "Always");
    check("x:latest", "Always");
    check("localhost:5000/x", "Always");
    check("x:1", "IfNotPresent");
    check("localhost:5000/x:1", "IfNotPresent");
    check("x@sha256:0123", "IfNotPresent");
    check("x:latest@sha256:0123", "IfNotPresent");
}

#[test]
fn probes_volumes_and_references_are_completed() {
    let pod = defaulted(
        kinds::POD,
        json!({"spec": {"serviceAccount": "sa", "hostNetwork": true, "volumes": [
            {"name": "a"}, {"name": "b", "configMap": {"name": "m"}}, {"name": "c", "hostPath": {"path": "/x"}},
            {"name": "d", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            "containers": [{"name": "c", "ports": [{"containerPort": 80}],
                "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "livenessProbe": {"httpGet": {"port": 80}, "initialDelaySeconds": 0}}]}}),
    );
    let spec = &pod["spec"];
    assert_eq!(spec["serviceAccountName"], "sa");
    assert_eq!(
        spec["volumes"],
        json!([{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "m", "defaultMode": 420}},
            {"name": "c", "hostPath": {"path": "/x", "type": ""}},
            {"name": "d", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]}}])
    );
    let container = &spec["containers"][0];
    assert_eq!(container["ports"][0]["hostPort"], 80);
    assert_eq!(container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
    assert_eq!(
        container["livenessProbe"],
        json!({"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3})
    );
}

#[test]
fn other_kinds() {
    let secret = defaulted(
        kinds::SECRET,
        json!({"stringData": {"a": "x"}, "data": {"a": "eQ==", "b": "eg=="}}),
    );
    assert_eq!(secret["data"], json!({"a": "eA==", "b": "eg=="}));
    assert_eq!(
        (&secret["type"], secret.get("stringData")),
        (&json!("Opaque"), None)
    );
    let namespace = defaulted(
        kinds::NAMESPACE,
        json!({"metadata": {"name": "n", "annotations": {}}}),
    );
    assert_eq!(
        namespace["metadata"],
        json!({"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}})
    );
    let node = defaulted(kinds::NODE, json!({"status": {"capacity": {"cpu": "2000m"}}}));
    assert_eq!(node["status"]["allocatable"], json!({"cpu": "2"}));
    let claim = defaulted(
        kinds::PERSISTENT_VOLUME_CLAIM,
        json!({"spec": {"storageClassName": "", "resources": {"requests": {"storage": "1024Mi"}}}}),
    );
    assert_eq!(
        claim["spec"],
        json!({"storageClassName": "", "volumeMode": "Filesystem", "resources": {"requests": {"storage": "1Gi"}}})
    );
    let volume = defaulted(
        kinds::PERSISTENT_VOLUME,
        json!({"spec": {"nfs": {"server": "s", "path": "/"}}}),
    );
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert_eq!(volume["status"]["phase"], "Pending");
}

#[test]
fn defaults_are_stable() {
    let pod_spec = json!({"containers": [{"name": "c", "readinessProbe": {"grpc": {"port": 1}}}], "volumes": [{"name": "v"}]});
    for resource in RESOURCES {
        let object = match resource.kind {
            "Pod" => json!({"spec": pod_spec}),
            "Deployment" | "ReplicaSet" => json!({"spec": {"selector": {}, "template": {"spec": pod_spec}}}),
            _ => json!({"metadata": {"name": "x"}}),
        };
        let once = defaulted(resource, object);
        assert_eq!(defaulted(resource, once.clone()), once, "{resource}");
    }
}

#[test]
fn templates_that_mean_the_same_hash_alike() {
    let hash = |spec: Value| {
        let object = json!({"spec": {"selector": {}, "template": {"spec": spec}}}).to_string();
        let mut deployment = crate::object::typed::<Deployment>(object.as_bytes()).unwrap();
        super::deployment(&mut deployment);
        pod_template_hash(&deployment.spec.unwrap().template, None)
    };
    let short = hash(json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "0.5"}}}]}));
    let long = hash(
        json!({"containers": [{"name": "c", "env": [], "tty": false, "resources": {"requests": {"cpu": "500m"}}}],
        "hostNetwork": false, "restartPolicy": "Always", "tolerations": []}),
    );
    assert_eq!(short, long);
}
