//! Rules, tables, aggregation and escalation.

use serde_json::{Value, json};

use super::*;
use crate::{RBAC_GROUP, ResourceAttributes};

fn observe(tables: &mut Tables, kind: Kind, namespace: &str, name: &str, object: &Value) {
    tables
        .observe(kind, namespace, name, Some(object.to_string().as_bytes()))
        .unwrap();
}

fn bound(kind: &str, role: (&str, &str), subject: Value) -> Value {
    json!({
        "kind": kind, "subjects": [subject],
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": role.0, "name": role.1},
    })
}

fn tables() -> Tables {
    let mut tables = Tables::default();
    let read = json!({"rules": [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["get"]},
        {"nonResourceURLs": ["/logs/*", "/version"], "verbs": ["get"]},
    ]});
    observe(&mut tables, Kind::ClusterRole, "", "reader", &read);
    let write = json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    observe(&mut tables, Kind::Role, "team", "writer", &write);
    let bob = json!({"kind": "User", "name": "bob"});
    let binding = bound("ClusterRoleBinding", ("ClusterRole", "reader"), bob.clone());
    observe(&mut tables, Kind::ClusterRoleBinding, "", "bob", &binding);
    let group = json!({"kind": "Group", "name": "devs"});
    let binding = bound("RoleBinding", ("Role", "writer"), group);
    observe(&mut tables, Kind::RoleBinding, "team", "devs", &binding);
    let account = json!({"kind": "ServiceAccount", "name": "robot"});
    let binding = bound("RoleBinding", ("ClusterRole", "reader"), account);
    observe(&mut tables, Kind::RoleBinding, "team", "robot", &binding);
    tables
}

/// Asks `VERB GROUP/RESOURCE[/PART] [NAMESPACE [NAME]]` with `core` for the core group, or `VERB /PATH`.
fn may(tables: &Tables, user: &Peer, question: &str) -> bool {
    let words: Vec<&str> = question.split(' ').collect();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let (verb, what) = (word(0), word(1));
    if what.starts_with('/') {
        return tables.decide(&Attributes::path(user, verb, what)).is_some();
    }
    let (group, resource) = what.split_once('/').unwrap();
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let about = ResourceAttributes {
        group: if group == "core" { "" } else { group },
        resource,
        subresource,
        namespace: word(2),
        name: word(3),
        ..ResourceAttributes::default()
    };
    tables.decide(&Attributes::resource(user, verb, about)).is_some()
}

#[test]
fn rules_grant_what_they_say() {
    let tables = tables();
    let check = |user: &str, groups: &[&str], question: &str, expected: bool| {
        let user = Peer::new(user, groups);
        assert_eq!(
            may(&tables, &user, question),
            expected,
            "{} {question}",
            user.user
        );
    };
    check("bob", &[], "get core/pods any", true);
    check("bob", &[], "list core/pods", true);
    check("bob", &[], "watch core/pods", false);
    check("bob", &[], "get core/pods/log any", true);
    check("bob", &[], "get core/pods/exec any", false);
    check("bob", &[], "patch apps/deployments/scale any", true);
    check("bob", &[], "patch apps/deployments any", false);
    check("bob", &[], "get core/configmaps any one", true);
    check("bob", &[], "get core/configmaps any two", false);
    check("bob", &[], "list core/configmaps any", false);
    check("bob", &[], "get /logs/a/b", true);
    check("bob", &[], "get /logs", false);
    check("bob", &[], "get /version", true);
    check("bob", &[], "post /version", false);
    check("alice", &["devs"], "delete apps/deployments team", true);
    check("alice", &["devs"], "delete apps/deployments other", false);
    check("alice", &["devs"], "delete apps/deployments", false);
    check("alice", &["devs"], "get /version", false);
    check(
        "system:serviceaccount:team:robot",
        &[],
        "get core/pods team",
        true,
    );
    check(
        "system:serviceaccount:team:robot",
        &[],
        "get core/pods other",
        false,
    );
    check(
        "system:serviceaccount:other:robot",
        &[],
        "get core/pods team",
        false,
    );
    check("", &[], "get core/pods team", false);
}

#[test]
fn what_is_deleted_grants_no_longer() {
    let mut tables = tables();
    let bob = Peer::new("bob", &[]);
    tables.observe(Kind::ClusterRoleBinding, "", "bob", None).unwrap();
    assert!(!may(&tables, &bob, "get core/pods any"));
    let robot = Peer::new("system:serviceaccount:team:robot", &[]);
    tables.observe(Kind::ClusterRole, "", "reader", None).unwrap();
    assert!(!may(&tables, &robot, "get core/pods team"));
    let alice = Peer::new("alice", &["devs"]);
    tables.forget(Kind::RoleBinding);
    assert!(!may(&tables, &alice, "get core/pods team"));
}

#[test]
fn what_cannot_be_read_grants_nothing() {
    let mut tables = tables();
    let bob = Peer::new("bob", &[]);
    let broken = br#"{"rules": 7}"#;
    assert!(
        tables
            .observe(Kind::ClusterRole, "", "reader", Some(broken))
            .is_err()
    );
    assert!(!may(&tables, &bob, "get core/pods any"));
}

#[test]
fn a_grant_names_its_binding() {
    let tables = tables();
    let check = |user: Peer, namespace: &str, expected: &str| {
        let about = ResourceAttributes {
            resource: "pods",
            namespace,
            ..ResourceAttributes::default()
        };
        let grant = tables.decide(&Attributes::resource(&user, "get", about)).unwrap();
        assert_eq!(grant.to_string(), expected);
    };
    check(
        Peer::new("bob", &[]),
        "x",
        r#"RBAC: allowed by ClusterRoleBinding "bob" of ClusterRole "reader" to User "bob""#,
    );
    check(
        Peer::new("alice", &["devs"]),
        "team",
        r#"RBAC: allowed by RoleBinding "devs/team" of Role "writer" to Group "devs""#,
    );
    check(
        Peer::new("system:serviceaccount:team:robot", &[]),
        "team",
        r#"RBAC: allowed by RoleBinding "robot/team" of ClusterRole "reader" to ServiceAccount "robot/team""#,
    );
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Rule {
    Rule::resources(groups, resources, verbs)
}

#[test]
fn what_is_not_held_is_found() {
    let check = |held: &[Rule], wanted: Rule, expected: &[&str]| {
        let held: Vec<&Rule> = held.iter().collect();
        let missing: Vec<String> = uncovered(&held, [&wanted])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(missing, expected);
    };
    let pods = rule(&[""], &["pods"], &["get", "list"]);
    check(std::slice::from_ref(&pods), rule(&[""], &["pods"], &["get"]), &[]);
    check(
        std::slice::from_ref(&pods),
        rule(&[""], &["pods"], &["get", "delete"]),
        &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}"#],
    );
    check(
        std::slice::from_ref(&pods),
        rule(&[""], &["*"], &["get"]),
        &[r#"{APIGroups:[""], Resources:["*"], Verbs:["get"]}"#],
    );
    check(
        &[rule(&[""], &["pods"], &["get"]).named(&["a"])],
        rule(&[""], &["pods"], &["get"]),
        &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"#],
    );
    check(
        &[rule(&[""], &["pods"], &["get"])],
        rule(&[""], &["pods"], &["get"]).named(&["a"]),
        &[],
    );
    check(
        &[rule(&["*"], &["*/scale"], &["*"])],
        rule(&["apps"], &["deployments/scale"], &["patch"]),
        &[],
    );
    check(
        &[Rule::paths(&["/logs/*"], &["get"])],
        Rule::paths(&["/logs/a"], &["get"]),
        &[],
    );
    check(
        &[Rule::paths(&["/logs/*"], &["get"])],
        Rule::paths(&["*"], &["get"]),
        &[r#"{NonResourceURLs:["*"], Verbs:["get"]}"#],
    );
}

fn role(namespace: &str, rules: Value) -> RoleObject {
    serde_json::from_value(json!({"metadata": {"name": "new", "namespace": namespace}, "rules": rules}))
        .unwrap()
}

#[test]
fn nobody_grants_what_they_lack() {
    let tables = tables();
    let bob = Peer::new("bob", &["system:authenticated"]);
    let get = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let own = role("team", get.clone());
    confirm_role(&tables, &bob, Kind::Role, &own, None).unwrap();
    let more = role(
        "team",
        json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "get"]}]),
    );
    let refused = confirm_role(&tables, &bob, Kind::Role, &more, None).unwrap_err();
    assert_eq!(
        refused.message(),
        "roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"bob\" (groups=[\"system:authenticated\"]) is \
         attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}"
    );
    // What it says already is not granted by whoever labels it.
    confirm_role(&tables, &bob, Kind::Role, &more, Some(&more)).unwrap();
    // In the namespace where alice may do everything, she may grant everything.
    let alice = Peer::new("alice", &["devs"]);
    confirm_role(&tables, &alice, Kind::Role, &more, None).unwrap();
    let elsewhere = role(
        "other",
        json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
    );
    confirm_role(&tables, &alice, Kind::Role, &elsewhere, None).unwrap_err();
    // An aggregation rule may bring anything.
    let mut aggregated = role("", get);
    aggregated.aggregation_rule = Some(AggregationRule::default());
    confirm_role(&tables, &bob, Kind::ClusterRole, &aggregated, None).unwrap_err();
    confirm_role(
        &tables,
        &Peer::new("root", &["system:masters"]),
        Kind::ClusterRole,
        &aggregated,
        None,
    )
    .unwrap();
}

#[test]
fn nobody_binds_what_they_lack() {
    let mut tables = tables();
    let binding = |kind: &str, name: &str| -> BindingObject {
        let object = json!({
            "metadata": {"name": "b", "namespace": "team"},
            "subjects": [{"kind": "User", "name": "eve"}], "roleRef": {"kind": kind, "name": name},
        });
        serde_json::from_value(object).unwrap()
    };
    let bob = Peer::new("bob", &[]);
    let confirm = |tables: &Tables, user: &Peer, kind: &str, name: &str| {
        confirm_binding(tables, user, Kind::RoleBinding, &binding(kind, name), None)
    };
    confirm(&tables, &bob, "ClusterRole", "reader").unwrap();
    confirm(&tables, &bob, "Role", "writer").unwrap_err();
    assert!(
        confirm(&tables, &bob, "ClusterRole", "none")
            .unwrap_err()
            .is_not_found()
    );
    let may_bind = json!({"rules": [{
        "apiGroups": [RBAC_GROUP], "resources": ["roles"], "resourceNames": ["writer"], "verbs": ["bind"],
    }]});
    observe(&mut tables, Kind::Role, "team", "binder", &may_bind);
    let object = bound(
        "RoleBinding",
        ("Role", "binder"),
        json!({"kind": "User", "name": "bob"}),
    );
    observe(&mut tables, Kind::RoleBinding, "team", "binder", &object);
    confirm(&tables, &bob, "Role", "writer").unwrap();
}

#[test]
fn an_aggregated_role_is_the_sum_of_those_it_selects() {
    let part = |name: &str, label: &str, resource: &str| -> RoleObject {
        let object = json!({
            "metadata": {"name": name, "labels": {"to": label}},
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}],
        });
        serde_json::from_value(object).unwrap()
    };
    let object = json!({
        "metadata": {"name": "sum"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchExpressions": [
            {"key": "to", "operator": "In", "values": ["sum"]},
        ]}]},
        "rules": null,
    });
    let sum: RoleObject = serde_json::from_value(object).unwrap();
    let parts = [
        part("b", "sum", "pods"),
        part("a", "sum", "secrets"),
        part("c", "other", "nodes"),
        part("d", "sum", "pods"),
    ];
    let rules = aggregate(&sum, &parts).unwrap();
    let resources: Vec<&str> = rules.iter().map(|rule| rule.resources[0].as_str()).collect();
    assert_eq!(resources, ["secrets", "pods"]);
    let done = RoleObject {
        rules: Some(rules),
        ..sum
    };
    assert_eq!(aggregate(&done, &parts), None);
}
