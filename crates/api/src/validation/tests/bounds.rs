//! PodDisruptionBudgets, LimitRanges, ResourceQuotas, Endpoints, and the workloads beside Deployments.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

fn named(spec: Value) -> Value {
    json!({"metadata": {"name": "x", "namespace": "default"}, "spec": spec})
}

#[test]
fn disruption_budgets() {
    let base = named(json!({"selector": {"matchLabels": {"a": "b"}}}));
    let check = |change: Value, expected: &str| {
        let shown = mistakes(kinds::POD_DISRUPTION_BUDGET, &base, json!({ "spec": change }));
        assert!(
            if expected.is_empty() {
                shown.is_empty()
            } else {
                shown.ends_with(expected)
            },
            "{shown}"
        );
    };
    check(json!({"minAvailable": "50%"}), "");
    check(
        json!({"minAvailable": 1, "maxUnavailable": 1}),
        "minAvailable and maxUnavailable cannot be both set",
    );
    check(
        json!({"maxUnavailable": "101%"}),
        "spec.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%",
    );
    check(
        json!({"minAvailable": -1}),
        "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0",
    );
    check(
        json!({"unhealthyPodEvictionPolicy": "Never"}),
        "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: \"AlwaysAllow\", \"IfHealthyBudget\"",
    );
}

#[test]
fn limit_ranges() {
    let check = |item: Value, expected: &str| {
        let base = named(json!({ "limits": [item] }));
        assert_eq!(mistakes(kinds::LIMIT_RANGE, &base, json!({})), expected);
    };
    check(
        json!({"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "100m"}}),
        "",
    );
    check(
        json!({"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "2"}}),
        "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
    );
    check(
        json!({"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}}),
        "spec.limits[0].defaultRequest[cpu]: Invalid value: \"2\": default request value 2 is greater than default limit value 1",
    );
    check(
        json!({"type": "Pod", "default": {"cpu": "1"}}),
        "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
    );
    check(
        json!({"type": "PersistentVolumeClaim"}),
        "spec.limits[0]: Required value: either minimum or maximum storage value is required, but neither was provided",
    );
    check(
        json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "0.5"}}),
        "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less than 1",
    );
    let twice = named(json!({"limits": [{"type": "Container"}, {"type": "Container"}]}));
    assert_eq!(
        mistakes(kinds::LIMIT_RANGE, &twice, json!({})),
        "spec.limits[1].type: Duplicate value: \"Container\""
    );
}

#[test]
fn quotas() {
    let base = named(json!({"hard": {"pods": "10"}, "scopes": ["Terminating"]}));
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::RESOURCE_QUOTA, &base, json!({ "spec": change })),
            expected
        );
    };
    check(
        json!({"hard": {"requests.cpu": "1", "count/jobs.batch": "5", "requests.example.com/gpu": "1"}}),
        "",
    );
    check(
        json!({"hard": {"bananas": "1"}}),
        "spec.hard[bananas]: Invalid value: \"bananas\": must be a standard resource for quota",
    );
    check(
        json!({"hard": {"pods": "0.5"}}),
        "spec.hard[pods]: Invalid value: \"500m\": must be an integer",
    );
    check(
        json!({"scopes": ["Terminating", "NotTerminating"]}),
        "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting scopes",
    );
    check(
        json!({"scopes": ["Sometimes"]}),
        "spec.scopes: Invalid value: [\"Sometimes\"]: unsupported scope",
    );
    assert_eq!(
        update_mistakes(
            kinds::RESOURCE_QUOTA,
            &base,
            json!({"spec": {"scopes": ["NotTerminating"]}})
        ),
        "spec.scopes: Invalid value: [\"NotTerminating\"]: field is immutable"
    );
    assert_eq!(
        update_mistakes(
            kinds::RESOURCE_QUOTA,
            &base,
            json!({"spec": {"hard": {"pods": "20"}}})
        ),
        ""
    );
}

#[test]
fn endpoints() {
    let base = json!({"metadata": {"name": "x", "namespace": "default"}});
    let check = |subset: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::ENDPOINTS, &base, json!({ "subsets": [subset] })),
            expected
        );
    };
    check(
        json!({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}),
        "",
    );
    check(
        json!({"ports": [{"port": 80}]}),
        "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
    );
    check(
        json!({"addresses": [{"ip": "x"}]}),
        "subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    );
    check(
        json!({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80, "name": "a"}, {"port": 81}]}),
        "subsets[0].ports[1].name: Required value",
    );
}

fn workload(more: Value) -> Value {
    let mut base = named(json!({"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}));
    crate::patch::merge::merge(&mut base["spec"], more);
    base
}

#[test]
fn daemon_sets() {
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::DAEMON_SET, &workload(json!({})), json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    let rolling = |rolling: Value| json!({"updateStrategy": {"rollingUpdate": rolling}});
    check(rolling(json!({"maxSurge": 1, "maxUnavailable": 0})), "");
    check(
        rolling(json!({"maxSurge": "10%"})),
        "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: \"10%\": may not be set when maxUnavailable is non-zero",
    );
    check(
        rolling(json!({"maxUnavailable": 0})),
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
    );
    let changed = json!({"spec": {"selector": {"matchLabels": {"a": null, "c": "d"}}, "template": {"metadata": {"labels": {"c": "d"}}}}});
    let shown = update_mistakes(kinds::DAEMON_SET, &workload(json!({})), changed);
    assert!(shown.ends_with("field is immutable"), "{shown}");
}

#[test]
fn stateful_sets() {
    let base = workload(json!({"serviceName": "x"}));
    let update = |change: Value| update_mistakes(kinds::STATEFUL_SET, &base, json!({ "spec": change }));
    assert_eq!(mistakes(kinds::STATEFUL_SET, &base, json!({})), "");
    assert_eq!(
        mistakes(
            kinds::STATEFUL_SET,
            &base,
            json!({"spec": {"podManagementPolicy": "Any"}})
        ),
        "spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'"
    );
    assert_eq!(
        update(json!({"replicas": 3, "minReadySeconds": 5, "ordinals": {"start": 1}})),
        ""
    );
    // Mounts may name the volumes of claims that come with each pod, and no others.
    let mounting = |volume: &str| {
        let containers =
            json!([{"name": "c", "image": "nginx", "volumeMounts": [{"name": volume, "mountPath": "/d"}]}]);
        let resources = json!({"requests": {"storage": "1Gi"}});
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": resources});
        let claims = json!([{"metadata": {"name": "data"}, "spec": claim}]);
        let spec = json!({"template": {"spec": {"containers": containers}}, "volumeClaimTemplates": claims});
        mistakes(kinds::STATEFUL_SET, &base, json!({ "spec": spec }))
    };
    assert_eq!(mounting("data"), "");
    assert_eq!(
        mounting("other"),
        "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"other\""
    );
    let rolling = |max: Value| {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": max}});
        update(json!({"updateStrategy": strategy}))
    };
    let path = "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value";
    assert_eq!(rolling(json!("50%")), "");
    assert_eq!(rolling(json!(0)), format!("{path}: 0: cannot be 0"));
    assert_eq!(
        rolling(json!("101%")),
        format!("{path}: \"101%\": must not be greater than 100%")
    );
    assert_eq!(
        update(json!({"replicas": -1})),
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    assert_eq!(
        update(json!({"serviceName": "y"})),
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
         'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
         forbidden"
    );
}

#[test]
fn controllers_of_old() {
    let mut base = workload(json!({}));
    base["spec"]["selector"] = json!({"a": "b"});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::REPLICATION_CONTROLLER, &base, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"selector": {"a": "c"}}),
        "spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"b\"}: `selector` does not match template `labels`",
    );
    let revision =
        json!({"metadata": {"name": "x", "namespace": "default"}, "revision": 1, "data": {"a": 1}});
    assert_eq!(
        update_mistakes(kinds::CONTROLLER_REVISION, &revision, json!({"data": {"a": 2}})),
        "data: Invalid value: {\"a\":2}: field is immutable"
    );
}
