//! Tables of the built-in plugins.

use async_trait::async_trait;
use bytes::Bytes;
use coracle_api::{ApiError, Resource, kinds};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use serde_json::{Value, json};

use super::{Cluster, classes, mutate, priority, resources, validate};
use crate::{Lookup, Operation};

/// A namespace with the service account `builder`.
struct Accounts;

#[async_trait]
impl Lookup for Accounts {
    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Bytes> {
        let is_there = (resource.kind, namespace, name) == ("ServiceAccount", "d", "builder");
        let account = json!({"metadata": {"name": name}, "imagePullSecrets": [{"name": "pull"}]});
        is_there.then(|| account.to_string().into())
    }

    fn list(&self, _resource: &'static Resource, _namespace: &str) -> Vec<Bytes> {
        Vec::new()
    }

    fn find(&self, api_version: &str, kind: &str) -> Option<&'static Resource> {
        kinds::of_object(api_version, kind)
    }

    fn versions(&self, resource: &'static Resource) -> Vec<&'static Resource> {
        vec![resource]
    }

    async fn convert(&self, json: &Bytes, _wanted: &'static Resource) -> Result<Bytes, ApiError> {
        Ok(json.clone())
    }
}

fn cluster(limits: Value) -> Cluster {
    let class = |name: &str, value: i32, default: bool| {
        serde_json::from_value(json!({
            "metadata": {"name": name}, "value": value, "globalDefault": default, "preemptionPolicy": "Never",
        }))
        .unwrap()
    };
    let classes = vec![class("high", 1000, false)];
    Cluster {
        default_priority: priority::default_of(&classes),
        priorities: super::by_name(classes, |own: &super::PriorityClass| own.metadata.name.clone()),
        default_storage_class: Some("standard".to_owned()),
        limits: [("d".to_owned(), serde_json::from_value(limits).unwrap())].into(),
        ..Cluster::default()
    }
}

fn pod(spec: Value) -> Pod {
    let mut spec = spec;
    if spec.get("containers").is_none() {
        spec["containers"] = json!([{"name": "c", "image": "i"}]);
    }
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "d"}, "spec": spec})).unwrap()
}

/// What becomes of a new pod: the value at `pointer`, or the refusal.
fn created(cluster: &Cluster, spec: Value, pointer: &str) -> String {
    let mut pod = pod(spec);
    let outcome = mutate(cluster, &Accounts, Operation::Create, &mut pod, None)
        .and_then(|()| mutate(cluster, &Accounts, Operation::Create, &mut pod, None))
        .and_then(|()| validate(cluster, Operation::Create, &pod, None));
    match outcome {
        Ok(()) => serde_json::to_value(&pod)
            .unwrap()
            .pointer(pointer)
            .map(Value::to_string)
            .unwrap_or_default(),
        Err(error) => error.message().replace("pods \"p\" is forbidden: ", "! "),
    }
}

#[test]
fn pods_get_what_upstream_gives_them() {
    let check = |spec: Value, pointer: &str, expected: &str| {
        assert_eq!(created(&cluster(json!([])), spec, pointer), expected);
    };
    check(json!({}), "/spec/priority", "0");
    check(json!({}), "/spec/preemptionPolicy", "\"PreemptLowerPriority\"");
    check(json!({"priorityClassName": "high"}), "/spec/priority", "1000");
    check(
        json!({"priorityClassName": "high"}),
        "/spec/preemptionPolicy",
        "\"Never\"",
    );
    check(
        json!({"priorityClassName": "system-node-critical"}),
        "/spec/priority",
        "2000001000",
    );
    check(
        json!({"priorityClassName": "x"}),
        "",
        "! no PriorityClass with name x was found",
    );
    let why = "! the integer value of priority (5) must not be provided in pod spec; priority admission controller \
               computed 0 from the given PriorityClass name";
    check(json!({"priority": 5}), "", why);
    check(json!({}), "/spec/serviceAccountName", "\"default\"");
    check(
        json!({"serviceAccountName": "builder"}),
        "/spec/serviceAccount",
        "\"builder\"",
    );
    check(
        json!({"serviceAccountName": "builder"}),
        "/spec/imagePullSecrets/0/name",
        "\"pull\"",
    );
    let why = "! error looking up service account d/none: serviceaccount \"none\" not found";
    check(json!({"serviceAccountName": "none"}), "", why);
    check(
        json!({}),
        "/spec/tolerations/1/key",
        "\"node.kubernetes.io/unreachable\"",
    );
    check(json!({}), "/spec/tolerations/1/tolerationSeconds", "300");
    check(
        json!({"tolerations": [{"operator": "Exists"}]}),
        "/spec/tolerations/1",
        "",
    );
    check(
        json!({"runtimeClassName": "r"}),
        "",
        "! pod rejected: RuntimeClass \"r\" not found",
    );
}

#[test]
fn limits_complete_and_refuse() {
    let limits = json!([{
        "type": "Container",
        "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"},
        "min": {"cpu": "50m"}, "max": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "5"},
    }, {"type": "Pod", "max": {"memory": "1Gi"}}]);
    let check = |containers: Value, pointer: &str, expected: &str| {
        let spec = json!({"containers": containers});
        assert_eq!(created(&cluster(limits.clone()), spec, pointer), expected);
    };
    let sized = |requests: Value, limits: Value| {
        let mut limits = limits;
        limits["memory"] = "512Mi".into();
        json!([{"name": "c", "image": "i", "resources": {"requests": requests, "limits": limits}}])
    };
    let set = "\"LimitRanger plugin set: cpu request for container c; cpu limit for container c\"";
    let annotation = "/metadata/annotations/kubernetes.io~1limit-ranger";
    check(sized(json!({}), json!({})), annotation, set);
    check(
        sized(json!({}), json!({})),
        "/spec/containers/0/resources/limits/cpu",
        "\"500m\"",
    );
    check(
        sized(json!({"cpu": "500m"}), json!({"cpu": "2"})),
        "",
        "! maximum cpu usage per Container is 1, but limit is 2",
    );
    check(
        sized(json!({"cpu": "10m"}), json!({"cpu": "50m"})),
        "",
        "! minimum cpu usage per Container is 50m, but request is 10m",
    );
    check(
        sized(json!({"cpu": "100m"}), json!({"cpu": "900m"})),
        "",
        "! cpu max limit to request ratio per Container is 5, but provided ratio is 9.000000",
    );
    let none = json!([{"name": "c", "image": "i"}]);
    check(
        none,
        "",
        "! maximum memory usage per Pod is 1Gi.  No limit is specified",
    );
}

#[test]
fn a_pods_amounts_are_its_containers_or_the_largest_before_them() {
    let container = |cpu: &str, policy: Value| json!({"name": "c", "image": "i", "restartPolicy": policy, "resources": {"requests": {"cpu": cpu}}});
    let check = |init: Value, expected: &str| {
        let pod = pod(json!({
            "containers": [container("1", json!(null)), container("2", json!(null))],
            "initContainers": init, "overhead": {"cpu": "100m"},
        }));
        let found = resources::of_pod(&pod, resources::Side::Requests);
        assert_eq!(found["cpu"].to_string(), expected, "{init}");
    };
    check(json!([]), "3100m");
    check(json!([container("5", json!(null))]), "5100m");
    check(json!([container("1", json!("Always"))]), "4100m");
    check(
        json!([container("1", json!("Always")), container("5", json!(null))]),
        "6100m",
    );
}

#[test]
fn claims_get_the_default_class_and_grow_where_it_allows() {
    let claim = |spec: Value, size: &str| -> PersistentVolumeClaim {
        let mut spec = spec;
        spec["resources"] = json!({"requests": {"storage": size}});
        serde_json::from_value(json!({
            "metadata": {"name": "c", "namespace": "d"}, "spec": spec, "status": {"phase": "Bound"},
        }))
        .unwrap()
    };
    let mut cluster = cluster(json!([{"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}}]));
    let class = |claim: &mut PersistentVolumeClaim| {
        mutate(&cluster, &Accounts, Operation::Create, claim, None).unwrap();
        claim.spec.as_ref().unwrap().storage_class_name.clone()
    };
    assert_eq!(class(&mut claim(json!({}), "1Gi")).as_deref(), Some("standard"));
    assert_eq!(
        class(&mut claim(json!({"storageClassName": ""}), "1Gi")).as_deref(),
        Some("")
    );

    let named = |size| claim(json!({"storageClassName": "standard"}), size);
    let grow = |cluster: &Cluster| validate(cluster, Operation::Update, &named("2Gi"), Some(&named("1Gi")));
    assert!(
        grow(&cluster)
            .unwrap_err()
            .message()
            .contains("must support resize")
    );
    let standard = serde_json::from_value(json!({
        "metadata": {"name": "standard"}, "provisioner": "p", "allowVolumeExpansion": true,
    }));
    cluster.storage_classes = [("standard".to_owned(), standard.unwrap())].into();
    grow(&cluster).unwrap();
    let error = validate(&cluster, Operation::Create, &named("3Gi"), None).unwrap_err();
    let why = "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but \
               request is 3Gi";
    assert_eq!(error.message(), why);
}

#[test]
fn of_several_default_classes_the_newest_counts() {
    let class = |name: &str, born: &str, default: &str| {
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "creationTimestamp": born,
                "annotations": {"storageclass.kubernetes.io/is-default-class": default},
            },
            "provisioner": "p",
        }))
        .unwrap()
    };
    let classes = [
        class("old", "2025-01-01T00:00:00Z", "true"),
        class("b", "2025-01-02T00:00:00Z", "true"),
        class("a", "2025-01-02T00:00:00Z", "true"),
        class("newest", "2025-01-03T00:00:00Z", "false"),
    ];
    assert_eq!(classes::default_storage(&classes).as_deref(), Some("a"));
    assert_eq!(classes::default_storage(&[]), None);
}
