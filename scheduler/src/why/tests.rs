//! Tests of `why`.

use super::*;
use crate::{
    profile::Profile,
    testing::{node, requirements, taint},
};

fn explained(nodes: Vec<Node>, pod: Requirements) -> Explanation {
    let mut snapshot = Snapshot::new();
    for node in nodes {
        snapshot.set_node(Arc::new(node));
    }
    let busy = requirements(900, 100).load;
    snapshot.add("n1", &busy);
    let version = (
        snapshot.len(),
        snapshot.iter().map(|row| row.node().clone()).collect::<Vec<_>>(),
    );
    let explanation = explain(
        &Class::new(pod),
        &mut Cycle::new(Profile::default()),
        &mut snapshot,
    );
    let after = (
        snapshot.len(),
        snapshot.iter().map(|row| row.node().clone()).collect::<Vec<_>>(),
    );
    assert_eq!(version, after, "an explanation changes nothing");
    explanation
}

fn changes(explanation: &Explanation) -> Vec<String> {
    let changes = explanation.changes.iter();
    changes
        .map(|change| format!("{} -> {}", change.change, change.node))
        .collect()
}

#[test]
fn every_plugin_answers_for_every_node_and_each_change_would_do() {
    let small = node("n1", 1_000, 1_000, 10);
    let mut tainted = node("n2", 4_000, 4_000, 10);
    tainted.taints = Box::new([taint("dedicated", "db", Effect::NoSchedule)]);
    let mut cordoned = node("n3", 2_000, 4_000, 10);
    cordoned.is_unschedulable = true;
    let explanation = explained(vec![small, tainted, cordoned], requirements(1_500, 200));
    assert_eq!(
        explanation.message,
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: db}, \
         1 node(s) were unschedulable."
    );
    let names: Vec<&str> = explanation.nodes.iter().map(|row| &*row.node).collect();
    assert_eq!(names, ["n1", "n2", "n3"]);
    let refusing = |row: &OfNode| {
        let refusing = row.answers.iter().filter(|answer| !answer.reasons.is_empty());
        refusing.map(|answer| answer.plugin).collect::<Vec<_>>()
    };
    assert_eq!(refusing(&explanation.nodes[0]), ["NodeResourcesFit"]);
    assert_eq!(refusing(&explanation.nodes[1]), ["TaintToleration"]);
    assert_eq!(refusing(&explanation.nodes[2]), ["NodeUnschedulable"]);
    assert_eq!(
        changes(&explanation),
        [
            "request 100m cpu instead of 1500m -> n1",
            "tolerate dedicated=db:NoSchedule -> n2",
            "uncordon n3 -> n3",
        ]
    );
}

#[test]
fn one_more_node_and_wishes_given_up() {
    let explanation = explained(vec![node("n1", 1_000, 1_000, 10)], requirements(500, 200));
    assert_eq!(
        changes(&explanation),
        [
            "request 100m cpu instead of 500m -> n1",
            "add a node like n1 -> a-new-node"
        ]
    );
    let picky = Requirements {
        node_selector: Box::new([("disk".into(), "ssd".into())]),
        ..requirements(50, 50)
    };
    let explanation = explained(vec![node("n1", 1_000, 1_000, 10)], picky);
    assert_eq!(changes(&explanation), ["remove the node selector -> n1"]);
}

#[test]
fn nothing_helps_a_pod_larger_than_any_node_but_being_smaller() {
    let explanation = explained(vec![node("n1", 1_000, 1_000, 10)], requirements(5_000, 50));
    assert_eq!(changes(&explanation), ["request 100m cpu instead of 5000m -> n1"]);
    let explanation = explained(Vec::new(), requirements(1, 1));
    assert_eq!(explanation.message, "no nodes available to schedule pods");
    assert_eq!(changes(&explanation), [""; 0]);
}
