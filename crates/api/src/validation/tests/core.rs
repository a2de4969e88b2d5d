//! Services by their type, Secrets by theirs, and what of Nodes and volumes stands for ever.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

#[test]
fn services_have_what_their_type_has() {
    let service =
        json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::SERVICE, &service, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"ports": [{"port": 80, "nodePort": 30080}]}),
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    );
    check(
        json!({"externalTrafficPolicy": "Local"}),
        "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services",
    );
    check(
        json!({"loadBalancerClass": "example.com/x"}),
        "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    );
    check(
        json!({"healthCheckNodePort": 30000, "type": "NodePort"}),
        "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    );
    check(
        json!({"ipFamilies": ["IPv4", "IPv5"]}),
        "spec.ipFamilies[1]: Unsupported value: \"IPv5\": supported values: \"IPv4\", \"IPv6\"",
    );
    check(
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}),
        "spec.clusterIPs: Invalid value: []string{\"10.0.0.2\"}: first value must match `clusterIP`",
    );
    check(
        json!({"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 81, "nodePort": 30080}]}),
        "spec.ports[1].nodePort: Duplicate value: 30080",
    );
}

#[test]
fn secrets_have_what_their_type_asks_for() {
    let check = |change: Value, expected: &str| {
        let base = json!({"metadata": {"name": "s", "namespace": "d"}});
        assert_eq!(mistakes(kinds::SECRET, &base, change), expected);
    };
    check(
        json!({"type": "kubernetes.io/service-account-token"}),
        "metadata.annotations[kubernetes.io/service-account.name]: Required value",
    );
    check(
        json!({"type": "kubernetes.io/basic-auth"}),
        "[data[username]: Required value, data[password]: Required value]",
    );
    check(
        json!({"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}),
        "",
    );
    check(
        json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{\"auths\": {}}"}}),
        "",
    );
    let base = json!({"metadata": {"name": "s", "namespace": "d"}});
    let broken = json!({"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "{secret"}});
    let told = mistakes(kinds::SECRET, &base, broken);
    assert!(
        told.starts_with("data[.dockercfg]: Invalid value: \"<secret contents redacted>\": "),
        "{told}"
    );
}

#[test]
fn what_a_node_was_told_stays() {
    let node = json!({"metadata": {"name": "n"}, "spec": {"podCIDR": "10.0.0.0/24"}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            update_mistakes(kinds::NODE, &node, json!({ "spec": change })),
            expected
        );
    };
    check(json!({"providerID": "x", "unschedulable": true}), "");
    check(
        json!({"podCIDR": "10.0.1.0/24", "podCIDRs": null}),
        "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
    );
}

#[test]
fn volumes_and_their_sources() {
    let volume = json!({"metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": {"driver": "d", "volumeHandle": ""}}});
    assert_eq!(
        mistakes(kinds::PERSISTENT_VOLUME, &volume, json!({})),
        "spec.csi.volumeHandle: Required value"
    );
    let claim = json!({"metadata": {"name": "c", "namespace": "d"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}, "dataSource": {"kind": "Pod", "name": "p"}}});
    assert_eq!(
        mistakes(kinds::PERSISTENT_VOLUME_CLAIM, &claim, json!({})),
        "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"
    );
}
