//! The graph as pods and nodes come and go, and what nodes may write.

use coracle_service::Peer;
use serde_json::{Value, json};

use super::{
    Graph, Identity, POOL_ANNOTATION,
    restriction::{self, NodeWrite, Texts},
};

const NODE: Identity<'static> = Identity::Node("n");
const POOL: Identity<'static> = Identity::Pool("n-1");

fn pod(secret: &str) -> Vec<u8> {
    let container = json!({"env": [{"valueFrom": {"configMapKeyRef": {"name": "env"}}}]});
    let pod = json!({"spec": {
        "volumes": [
            {"name": "a", "secret": {"secretName": secret}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, {"secret": {"name": "s2"}}]}},
            {"name": "scratch", "ephemeral": {}},
        ],
        "initContainers": [container],
        "imagePullSecrets": [{"name": "pull"}],
    }});
    pod.to_string().into_bytes()
}

fn node(pool: Option<&str>) -> Vec<u8> {
    let annotations = pool.map(|pool| json!({ POOL_ANNOTATION: pool }));
    json!({"metadata": {"annotations": annotations.unwrap_or_else(|| json!({}))}})
        .to_string()
        .into_bytes()
}

#[test]
fn references_are_counted_as_pods_come_and_go() {
    let mut graph = Graph::default();
    let refers = |graph: &Graph, resource: &str, name: &str| graph.refers(NODE, resource, "ns", name);
    graph.add_pod(("ns", "one"), "n", &pod("s1"), || None);
    graph.add_pod(("ns", "one"), "n", &pod("s1"), || None);
    graph.add_pod(("ns", "two"), "n", &pod("s1"), || None);
    for (resource, name) in [
        ("secrets", "s1"),
        ("secrets", "s2"),
        ("secrets", "pull"),
        ("configmaps", "env"),
        ("configmaps", "kube-root-ca.crt"),
        ("persistentvolumeclaims", "one-scratch"),
        ("serviceaccounts", "default"),
    ] {
        assert!(refers(&graph, resource, name), "{resource} {name}");
    }
    assert!(!refers(&graph, "secrets", "s3"));
    assert!(!graph.refers(NODE, "secrets", "other", "s1"));
    assert!(!graph.refers(Identity::Node("m"), "secrets", "ns", "s1"));
    graph.remove_pod("ns", "one", &pod("s1"));
    assert!(refers(&graph, "secrets", "s1"));
    assert!(!refers(&graph, "persistentvolumeclaims", "one-scratch"));
    graph.remove_pod("ns", "two", &pod("s1"));
    graph.remove_pod("ns", "two", &pod("s1"));
    assert!(!refers(&graph, "secrets", "s1"));
}

#[test]
fn a_pool_has_what_its_nodes_have() {
    let mut graph = Graph::default();
    // The pod is seen before its node: the node is read from elsewhere.
    graph.add_pod(("ns", "one"), "n-2", &pod("s1"), || Some(node(Some("n-1"))));
    assert!(graph.refers(POOL, "secrets", "ns", "s1"));
    assert!(graph.refers(Identity::Node("n-2"), "secrets", "ns", "s1"));
    assert!(!graph.refers(NODE, "secrets", "ns", "s1"));
    assert!(graph.plays(POOL, "n-2") && !graph.plays(NODE, "n-2"));
    assert!(!graph.observe_node("n-2", Some(&node(Some("n-1")))));
    assert!(
        graph.observe_node("n-2", Some(&node(None))),
        "another plays it now"
    );
    assert!(!graph.plays(POOL, "n-2"));
    graph.remove_pod("ns", "one", &pod("s1"));
    assert!(!graph.refers(POOL, "secrets", "ns", "s1"));
}

#[test]
fn a_pool_claims_what_is_numbered_as_its_own_and_free() {
    let mut graph = Graph::default();
    graph.observe_node("n-2", Some(&node(None)));
    graph.observe_node("n-3", Some(&node(Some("n-3"))));
    for (name, expected) in [
        ("n-1", true),
        ("n-2", true),
        ("n-3", false),
        ("m-1", false),
        ("n-0", false),
        ("n-1001", false),
        ("n", false),
    ] {
        assert_eq!(graph.may_claim(POOL, name), expected, "{name}");
    }
    assert!(!graph.may_claim(NODE, "n-1"));
    assert!(graph.may_claim(NODE, "n"));
}

#[test]
fn a_name_makes_no_node_without_the_group() {
    let check = |user: &str, group: &str, expected: Option<Identity<'_>>| {
        assert_eq!(
            Identity::of(&Peer::new(user, &[group])),
            expected,
            "{user} {group}"
        );
    };
    check("system:node:n", "system:nodes", Some(NODE));
    check("system:nodepool:n-1", "system:nodepools", Some(POOL));
    check("system:nodepool:n-1", "system:nodes", None);
    check("system:node:n", "system:authenticated", None);
    check("system:node:", "system:nodes", None);
    check("n", "system:nodes", None);
}

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_node_writes_itself_and_its_own_labels() {
    let none = Texts::new();
    let write = |name: &'static str, labels: &Texts, before: Option<&Texts>, changes_taints: bool| {
        let write = NodeWrite {
            name,
            labels,
            annotations: &none,
            before: before.map(|labels| (labels, &none)),
            changes_taints,
        };
        restriction::node(NODE, write).err().unwrap_or_default()
    };
    let own = texts(&[
        ("kubernetes.io/hostname", "n"),
        ("team", "a"),
        ("node.kubernetes.io/x", "1"),
    ]);
    assert_eq!(write("n", &own, None, false), "");
    assert_eq!(write("n", &own, Some(&own), false), "");
    assert_eq!(
        write("m", &own, None, false),
        r#"node "n" is not allowed to modify node "m""#
    );
    let role = texts(&[("node-role.kubernetes.io/master", "")]);
    assert_eq!(
        write("n", &role, None, false),
        "is not allowed to set the following labels: node-role.kubernetes.io/master"
    );
    let restricted = texts(&[("example.com.node-restriction.kubernetes.io/fips", "true")]);
    assert_eq!(
        write("n", &none, Some(&restricted), false),
        "is not allowed to modify labels: example.com.node-restriction.kubernetes.io/fips"
    );
    assert_eq!(
        write("n", &role, Some(&role), false),
        "",
        "what was there may stay"
    );
    assert_eq!(
        write("n", &own, Some(&own), true),
        r#"node "n" is not allowed to modify taints"#
    );
}

#[test]
fn only_a_pool_names_itself_on_a_node() {
    let none = Texts::new();
    let check = |caller: Identity<'_>, name: &str, pool: &str, is_new: bool, expected: bool| {
        let annotations = texts(&[(POOL_ANNOTATION, pool)]);
        let write = NodeWrite {
            name,
            labels: &none,
            annotations: &annotations,
            before: (!is_new).then_some((&none, &annotations)),
            changes_taints: false,
        };
        let judged = restriction::node(caller, write);
        assert_eq!(
            judged.is_ok(),
            expected,
            "{caller:?} {name} {pool} {is_new} {judged:?}"
        );
    };
    check(POOL, "n-5", "n-1", true, true);
    check(POOL, "n-5", "n-4", true, false);
    check(POOL, "m-5", "n-1", true, false);
    check(NODE, "n", "n-1", true, false);
    check(POOL, "n-2", "n-1", false, true);
    check(Identity::Pool("n-2"), "n-2", "n-1", false, false);
}

#[test]
fn pods_that_nodes_make_are_mirrors() {
    let plays = |node: &str| node == "n";
    let check = |pod: Value, expected: &str| {
        let judged = restriction::new_pod(&plays, NODE, &pod);
        assert_eq!(judged.err().unwrap_or_default(), expected);
    };
    let mirror = json!({"annotations": {"kubernetes.io/config.mirror": "x"}});
    check(json!({"metadata": mirror, "spec": {"nodeName": "n"}}), "");
    check(
        json!({"metadata": {}, "spec": {"nodeName": "n"}}),
        r#"pod does not have "kubernetes.io/config.mirror" annotation, node "n" can only create mirror pods"#,
    );
    check(
        json!({"metadata": mirror, "spec": {"nodeName": "m"}}),
        r#"node "n" can only create pods with spec.nodeName set to itself"#,
    );
    check(
        json!({"metadata": mirror, "spec": {"nodeName": "n", "serviceAccountName": "robot"}}),
        r#"node "n" can not create pods that reference a service account"#,
    );
    check(
        json!({"metadata": mirror, "spec": {"nodeName": "n", "volumes": [{"secret": {"secretName": "s"}}]}}),
        r#"node "n" can not create pods that reference secrets"#,
    );
}

#[test]
fn tokens_for_nodes_are_bound_to_their_pods() {
    let plays = |node: &str| node == "n";
    let check = |bound: Option<&str>, pod: Option<(&str, &str)>, expected: &str| {
        let judged = restriction::token(&plays, bound, pod);
        assert_eq!(judged.err().unwrap_or_default(), expected);
    };
    check(Some("u"), Some(("n", "u")), "");
    check(None, None, "node requested token not bound to a pod");
    check(
        Some(""),
        Some(("n", "u")),
        "node requested token with a pod binding without a uid",
    );
    check(
        Some("u"),
        Some(("m", "u")),
        "node requested token bound to a pod scheduled on a different node",
    );
    assert!(restriction::token(&plays, Some("old"), Some(("n", "u"))).is_err());
}
