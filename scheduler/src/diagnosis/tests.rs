//! Tests of `diagnosis`.

use std::sync::Arc;

use super::*;
use crate::{
    profile::Profile,
    requirements::{Class, Effect},
    testing::{node, requirements, taint},
};

fn message(nodes: Vec<crate::projection::Node>, class: &Class) -> Diagnosis {
    let mut snapshot = Snapshot::new();
    for node in nodes {
        snapshot.set_node(Arc::new(node));
    }
    snapshot.prepare(class);
    Diagnosis::of(class, &Profile::default(), &[], &mut snapshot)
}

#[test]
fn reasons_are_counted_and_sorted_as_upstream_does() {
    let mut tainted = node("n1", 8_000, 8_192, 110);
    tainted.taints = Box::new([taint("dedicated", "db", Effect::NoSchedule)]);
    let mut cordoned = node("n2", 8_000, 8_192, 110);
    cordoned.is_unschedulable = true;
    let small = node("n3", 500, 100, 110);
    let full = node("n4", 8_000, 8_192, 0);
    let diagnosis = message(
        vec![tainted, cordoned, small, full],
        &Class::new(requirements(1_000, 1_024)),
    );
    assert_eq!(
        &*diagnosis.message,
        "0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods, \
         1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable."
    );
    for event in [
        ClusterEvents::POD_REMOVED,
        ClusterEvents::NODE_TAINTS,
        ClusterEvents::NODE_UNSCHEDULABLE,
    ] {
        assert!(diagnosis.helped_by.intersects(event));
    }
    assert!(!diagnosis.helped_by.intersects(ClusterEvents::NODE_LABELS));
}

#[test]
fn one_node_and_the_taint_of_a_dead_one() {
    let mut node = node("n1", 8_000, 8_192, 110);
    node.taints = Box::new([taint("node.kubernetes.io/unreachable", "", Effect::NoSchedule)]);
    let diagnosis = message(vec![node], &Class::new(requirements(0, 0)));
    assert_eq!(
        &*diagnosis.message,
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }."
    );
}

#[test]
fn a_cluster_without_nodes() {
    let diagnosis = message(Vec::new(), &Class::new(requirements(0, 0)));
    assert_eq!(&*diagnosis.message, "no nodes available to schedule pods");
}
