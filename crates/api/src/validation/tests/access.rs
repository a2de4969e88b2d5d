//! Roles, bindings and requests for certificates.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

const GROUP: &str = "rbac.authorization.k8s.io";

#[test]
fn roles() {
    let role = json!({"metadata": {"name": "r:x", "namespace": "default"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    let check = |rule: Value, expected: &str| {
        assert_eq!(mistakes(kinds::ROLE, &role, json!({ "rules": [rule] })), expected);
    };
    check(
        json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
        "",
    );
    check(
        json!({"apiGroups": [""], "resources": ["pods"], "verbs": []}),
        "rules[0].verbs: Required value: verbs must contain at least one value",
    );
    check(
        json!({"verbs": ["get"]}),
        "[rules[0].apiGroups: Required value: resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one resource]",
    );
    check(
        json!({"nonResourceURLs": ["/a"], "verbs": ["get"]}),
        "rules[0].nonResourceURLs: Invalid value: []string{\"/a\"}: namespaced rules cannot apply to non-resource URLs",
    );
    let cluster_role = json!({"metadata": {"name": "r"}, "rules": []});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::CLUSTER_ROLE, &cluster_role, change), expected);
    };
    check(
        json!({"rules": [{"nonResourceURLs": ["/a"], "verbs": ["get"]}]}),
        "",
    );
    check(
        json!({"rules": [{"nonResourceURLs": ["/a"], "resources": ["pods"], "verbs": ["get"]}]}),
        "rules[0].nonResourceURLs: Invalid value: []string{\"/a\"}: rules cannot apply to both regular resources and non-resource URLs",
    );
    check(
        json!({"aggregationRule": {}}),
        "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil",
    );
    check(
        json!({"metadata": {"name": "a/b"}}),
        "metadata.name: Invalid value: \"a/b\": may not contain '/'",
    );
}

#[test]
fn bindings() {
    let binding = json!({"metadata": {"name": "b", "namespace": "default"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "eva"}]});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::ROLE_BINDING, &binding, change), expected);
    };
    check(json!({}), "");
    check(
        json!({"roleRef": {"kind": "Rule", "apiGroup": "x"}}),
        &format!(
            "[roleRef.apiGroup: Unsupported value: \"x\": supported values: \"{GROUP}\", roleRef.kind: Unsupported value: \"Rule\": supported values: \"ClusterRole\", \"Role\"]"
        ),
    );
    check(
        json!({"subjects": [{"kind": "Robot", "name": ""}]}),
        "[subjects[0].name: Required value, subjects[0].kind: Unsupported value: \"Robot\": supported values: \"Group\", \"ServiceAccount\", \"User\"]",
    );
    assert_eq!(
        update_mistakes(
            kinds::ROLE_BINDING,
            &binding,
            json!({"roleRef": {"name": "edit"}})
        ),
        format!(
            "roleRef: Invalid value: rbac.RoleRef{{APIGroup:\"{GROUP}\", Kind:\"ClusterRole\", Name:\"edit\"}}: cannot change roleRef"
        ),
    );
    let cluster_wide = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "x"}]});
    assert_eq!(
        mistakes(kinds::CLUSTER_ROLE_BINDING, &cluster_wide, json!({})),
        "[roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\", subjects[0].namespace: Required value]",
    );
}

#[test]
fn certificate_signing_requests() {
    // "-----BEGIN CERTIFICATE REQUEST-----" and a line that nobody reads here.
    let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KYQo=";
    let request = json!({"metadata": {"name": "c"}, "spec": {"request": pem, "signerName": "example.com/serving", "usages": ["client auth"]}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::CERTIFICATE_SIGNING_REQUEST, &request, change),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"spec": {"request": "YQ=="}}),
        "spec.request: Invalid value: []byte{0x61}: PEM block type must be CERTIFICATE REQUEST",
    );
    check(json!({"spec": {"usages": []}}), "spec.usages: Required value");
    check(
        json!({"spec": {"usages": ["client auth", "client auth"]}}),
        "spec.usages[1]: Duplicate value: \"client auth\"",
    );
    check(
        json!({"spec": {"signerName": "x"}}),
        "spec.signerName: Invalid value: \"x\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
    );
    check(
        json!({"spec": {"signerName": "kubernetes.io/legacy-unknown"}}),
        "spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
    );
    check(
        json!({"spec": {"expirationSeconds": 60}}),
        "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)",
    );
    check(
        json!({"status": {"conditions": [{"type": "Approved"}, {"type": "Denied"}]}}),
        "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive",
    );
    let mut approved = request.clone();
    approved["status"] = json!({"conditions": [{"type": "Approved", "status": "True"}]});
    assert_eq!(
        update_mistakes(
            kinds::CERTIFICATE_SIGNING_REQUEST,
            &approved,
            json!({"status": null})
        ),
        "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\"",
    );
}
