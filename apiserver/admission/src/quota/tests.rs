//! The ledger: what counts, what is refused, and that nothing is counted twice.

use bytes::Bytes;
use coracle_api::{Object, Resource, kinds, object};
use serde_json::{Value, json};

use super::{Hold, Ledger};

const NAMESPACE: &str = "d";

fn quota_kind() -> &'static Resource {
    kinds::of_object("v1", "ResourceQuota").expect("a row")
}

fn read(resource: &'static Resource, object: &Value) -> Box<dyn Object> {
    let json = object.to_string();
    object::decode(resource, json.as_bytes(), object::Duplicates::Ignore)
        .unwrap()
        .object
}

fn pod(name: &str, requests: Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]},
    })
}

struct Bench(Ledger);

impl Bench {
    fn new(hard: Value, more: Value) -> Self {
        let bench = Self(Ledger::default());
        let mut spec = more;
        spec["hard"] = hard;
        let quota = json!({"metadata": {"name": "q", "namespace": NAMESPACE}, "spec": spec});
        bench.see(quota_kind(), "q", Some(&quota));
        bench
    }

    fn see(&self, resource: &'static Resource, name: &str, object: Option<&Value>) {
        let json = object.map(|object| Bytes::from(object.to_string()));
        self.0.observe(
            &resource.store_key(NAMESPACE, name),
            resource,
            NAMESPACE,
            json.as_ref(),
        );
    }

    fn reserve(&self, resource: &'static Resource, object: &Value) -> Result<Option<Hold>, String> {
        let object = read(resource, object);
        let key = resource.store_key(NAMESPACE, object.name());
        self.0.reserve(&key, &*object, true, |_| Vec::new())
    }

    fn used(&self) -> Value {
        let stale = self.0.stale();
        json!(stale.first().map(|stale| stale.used.clone()))
    }
}

#[test]
fn what_is_reserved_counts_until_it_is_seen_or_given_up() {
    let bench = Bench::new(json!({"pods": "2"}), json!({}));
    let first = bench.reserve(kinds::POD, &pod("a", json!({}))).unwrap().unwrap();
    let _second = bench.reserve(kinds::POD, &pod("b", json!({}))).unwrap().unwrap();
    let refused = bench.reserve(kinds::POD, &pod("c", json!({}))).unwrap_err();
    assert_eq!(
        refused,
        "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
    );
    bench.0.release(&first);
    bench.see(kinds::POD, "b", Some(&pod("b", json!({}))));
    assert_eq!(bench.used(), json!({"pods": "1"}));
    bench.reserve(kinds::POD, &pod("c", json!({}))).unwrap().unwrap();
    bench.reserve(kinds::POD, &pod("d", json!({}))).unwrap_err();
    bench.see(kinds::POD, "b", None);
    bench.reserve(kinds::POD, &pod("d", json!({}))).unwrap().unwrap();
}

#[test]
fn amounts_add_up_and_every_container_must_name_them() {
    let bench = Bench::new(json!({"requests.cpu": "1", "limits.memory": "1Gi"}), json!({}));
    let silent = bench
        .reserve(kinds::POD, &pod("a", json!({"cpu": "500m"})))
        .unwrap_err();
    assert_eq!(silent, "failed quota: q: must specify limits.memory for: c");
    let sized = |name: &str, cpu: &str| {
        let mut pod = pod(name, json!({"cpu": cpu}));
        pod["spec"]["containers"][0]["resources"]["limits"] = json!({"memory": "100Mi"});
        pod
    };
    bench.see(kinds::POD, "a", Some(&sized("a", "700m")));
    let refused = bench.reserve(kinds::POD, &sized("b", "500m")).unwrap_err();
    let expected =
        "exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=700m, limited: requests.cpu=1";
    assert_eq!(refused, expected);
    // What has run to its end makes room.
    let mut over = sized("a", "700m");
    over["status"] = json!({"phase": "Succeeded"});
    bench.see(kinds::POD, "a", Some(&over));
    bench.reserve(kinds::POD, &sized("b", "500m")).unwrap();
}

#[test]
fn kinds_count_under_their_names() {
    let check = |hard: &str, resource: &'static Resource, object: Value, expected: &str| {
        let bench = Bench::new(json!({hard: "100"}), json!({}));
        let mut object = object;
        object["metadata"] = json!({"name": "x", "namespace": NAMESPACE});
        bench.reserve(resource, &object).unwrap();
        bench.see(resource, "x", Some(&object));
        assert_eq!(bench.used(), json!({hard: expected}), "{hard}");
    };
    let claim = json!({"spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "5"}}}});
    let service = |kind: &str| json!({"spec": {"type": kind, "ports": [{"port": 1}, {"port": 2}]}});
    check("configmaps", kinds::CONFIG_MAP, json!({}), "1");
    check("count/configmaps", kinds::CONFIG_MAP, json!({}), "1");
    check("count/deployments.apps", kinds::DEPLOYMENT, json!({}), "1");
    check("secrets", kinds::CONFIG_MAP, json!({}), "0");
    check(
        "requests.storage",
        kinds::PERSISTENT_VOLUME_CLAIM,
        claim.clone(),
        "5",
    );
    let gold = "gold.storageclass.storage.k8s.io/requests.storage";
    check(gold, kinds::PERSISTENT_VOLUME_CLAIM, claim, "5");
    check("services.nodeports", kinds::SERVICE, service("NodePort"), "2");
    check("services.nodeports", kinds::SERVICE, service("ClusterIP"), "0");
    check(
        "services.loadbalancers",
        kinds::SERVICE,
        service("LoadBalancer"),
        "1",
    );
}

#[test]
fn scopes_choose_pods() {
    let check = |spec: Value, scopes: Value, expected: bool| {
        let bench = Bench::new(json!({"pods": "0"}), scopes.clone());
        let mut pod = pod("p", json!({}));
        for (name, value) in spec.as_object().unwrap() {
            pod["spec"][name] = value.clone();
        }
        assert_eq!(
            bench.reserve(kinds::POD, &pod).is_err(),
            expected,
            "{spec} {scopes}"
        );
    };
    check(json!({}), json!({"scopes": ["BestEffort"]}), true);
    check(json!({}), json!({"scopes": ["NotBestEffort"]}), false);
    check(
        json!({"activeDeadlineSeconds": 5}),
        json!({"scopes": ["Terminating"]}),
        true,
    );
    check(
        json!({"activeDeadlineSeconds": 5}),
        json!({"scopes": ["NotTerminating"]}),
        false,
    );
    let classes = |operator: &str| {
        json!({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": operator, "values": ["high"]},
        ]}})
    };
    check(json!({"priorityClassName": "high"}), classes("In"), true);
    check(json!({"priorityClassName": "low"}), classes("In"), false);
    check(json!({"priorityClassName": "low"}), classes("NotIn"), true);
}

#[test]
fn what_was_there_before_the_quota_is_counted() {
    let bench = Bench::new(json!({"configmaps": "2"}), json!({}));
    let object = json!({"metadata": {"name": "old", "namespace": NAMESPACE}});
    let key = kinds::CONFIG_MAP.store_key(NAMESPACE, "old");
    let present = |key: String| vec![(key, kinds::CONFIG_MAP, Bytes::from(object.to_string()))];
    // One that went away while the others were being read does not count.
    bench.see(kinds::CONFIG_MAP, "gone", None);
    assert_eq!(bench.0.uncounted(), [NAMESPACE]);
    bench.0.count(NAMESPACE, |limits| {
        assert!(limits(kinds::CONFIG_MAP) && !limits(kinds::POD));
        let mut all = present(key.clone());
        all.extend(present(kinds::CONFIG_MAP.store_key(NAMESPACE, "gone")));
        all
    });
    assert_eq!(bench.used(), json!({"configmaps": "1"}));
    assert!(bench.0.uncounted().is_empty());
    // Its status says so now, and nothing is to be told.
    let told = json!({
        "metadata": {"name": "q", "namespace": NAMESPACE}, "spec": {"hard": {"configmaps": "2"}},
        "status": {"hard": {"configmaps": "2"}, "used": {"configmaps": "1"}},
    });
    bench.see(quota_kind(), "q", Some(&told));
    assert!(bench.0.stale().is_empty());
}
