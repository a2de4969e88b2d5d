//! Tests of `plugins`.

use std::sync::Arc;

use super::*;
use crate::{
    framework::{Candidate, Filter, Score},
    projection::Node,
    requirements::{Effect, HostPort, Load, Requirements, Toleration},
    snapshot::Snapshot,
    testing::{node, requirements, taint},
};

/// A snapshot of one node with some load on it.
fn snapshot(node: Node, loads: &[Load]) -> Snapshot {
    let mut snapshot = Snapshot::new();
    let name = Arc::clone(&node.name);
    snapshot.set_node(Arc::new(node));
    for load in loads {
        snapshot.add(&name, load);
    }
    snapshot
}

/// Checks both answers of a filter: whether it admits and why not.
fn check(filter: &dyn Filter, pod: &Requirements, snapshot: &Snapshot, expected: &[&str]) {
    let row = snapshot.find("n1").unwrap();
    let candidate = Candidate::bare(pod);
    assert_eq!(filter.reasons(&candidate, row), expected);
    if filter.applies(pod) {
        assert_eq!(filter.admits(&candidate, row), expected.is_empty());
    }
}

#[test]
fn resources_fit() {
    let fit = resources_fit::ResourcesFit;
    let used = [requirements(600, 600).load];
    let with = |pods| snapshot(node("n1", 1_000, 1_000, pods), &used);
    check(&fit, &requirements(400, 400), &with(2), &[]);
    check(&fit, &requirements(401, 400), &with(2), &["Insufficient cpu"]);
    check(
        &fit,
        &requirements(401, 401),
        &with(2),
        &["Insufficient cpu", "Insufficient memory"],
    );
    check(&fit, &requirements(0, 0), &with(2), &[]);
    check(&fit, &requirements(0, 0), &with(1), &["Too many pods"]);
    check(
        &fit,
        &requirements(500, 0),
        &with(1),
        &["Too many pods", "Insufficient cpu"],
    );
    let mut gpu = requirements(0, 0);
    gpu.load.requests.extended = Box::new([("example.com/gpu".into(), 2)]);
    check(&fit, &gpu, &with(2), &["Insufficient example.com/gpu"]);
    let mut offers = node("n1", 1_000, 1_000, 10);
    offers.allocatable.extended = Box::new([("example.com/gpu".into(), 3)]);
    check(&fit, &gpu, &snapshot(offers.clone(), &[]), &[]);
    check(
        &fit,
        &gpu,
        &snapshot(offers, std::slice::from_ref(&gpu.load)),
        &["Insufficient example.com/gpu"],
    );
}

#[test]
fn a_pod_that_asks_for_nothing_fits_an_overcommitted_node() {
    let overcommitted = snapshot(node("n1", 100, 100, 10), &[requirements(500, 500).load]);
    check(
        &resources_fit::ResourcesFit,
        &requirements(0, 0),
        &overcommitted,
        &[],
    );
}

#[test]
fn taints_and_cordons() {
    let mut tainted = node("n1", 1_000, 1_000, 10);
    tainted.taints = Box::new([
        taint("soft", "", Effect::PreferNoSchedule),
        taint("a", "1", Effect::NoExecute),
        taint("b", "", Effect::NoSchedule),
    ]);
    let tainted = snapshot(tainted, &[]);
    let tolerating = |keys: &[&str]| {
        let tolerations = keys.iter().map(|key| Toleration {
            key: (*key).into(),
            value: None,
            effect: None,
        });
        Requirements {
            tolerations: tolerations.collect(),
            ..requirements(0, 0)
        }
    };
    let filter = taint_toleration::TaintToleration;
    check(
        &filter,
        &tolerating(&[]),
        &tainted,
        &["node(s) had untolerated taint {a: 1}"],
    );
    check(
        &filter,
        &tolerating(&["a"]),
        &tainted,
        &["node(s) had untolerated taint {b: }"],
    );
    check(&filter, &tolerating(&["a", "b"]), &tainted, &[]);

    let mut cordoned = node("n1", 1_000, 1_000, 10);
    cordoned.is_unschedulable = true;
    let cordoned = snapshot(cordoned, &[]);
    let filter = node_unschedulable::NodeUnschedulable;
    check(
        &filter,
        &requirements(0, 0),
        &cordoned,
        &["node(s) were unschedulable"],
    );
    assert!(!filter.applies(&tolerating(&["node.kubernetes.io/unschedulable"])));
}

#[test]
fn selectors() {
    let mut labelled = node("n1", 1_000, 1_000, 10);
    labelled.labels = Box::new([("disk".into(), "ssd".into()), ("zone".into(), "a".into())]);
    let labelled = snapshot(labelled, &[]);
    let selecting = |pairs: &[(&str, &str)]| Requirements {
        node_selector: pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        ..requirements(0, 0)
    };
    let filter = node_affinity::NodeAffinity;
    let mismatch = ["node(s) didn't match Pod's node affinity/selector"];
    check(&filter, &selecting(&[("disk", "ssd")]), &labelled, &[]);
    check(
        &filter,
        &selecting(&[("disk", "ssd"), ("zone", "b")]),
        &labelled,
        &mismatch,
    );
    check(&filter, &selecting(&[("arch", "arm64")]), &labelled, &mismatch);
    let no_terms = Requirements {
        required_terms: Some(Box::new([])),
        ..requirements(0, 0)
    };
    check(&filter, &no_terms, &labelled, &mismatch);
}

#[test]
fn host_ports() {
    let with_port = |port| {
        let mut pod = requirements(0, 0);
        pod.load.host_ports = Box::new([HostPort {
            port,
            protocol: "TCP".into(),
            ip: "".into(),
        }]);
        pod
    };
    let taken = snapshot(node("n1", 1_000, 1_000, 10), &[with_port(80).load]);
    let filter = node_ports::NodePorts;
    check(
        &filter,
        &with_port(80),
        &taken,
        &["node(s) didn't have free ports for the requested pod ports"],
    );
    check(&filter, &with_port(81), &taken, &[]);
}

fn score(plugin: &dyn Score, pod: &Requirements, snapshot: &Snapshot) -> i64 {
    plugin.score(&Candidate::bare(pod), snapshot.find("n1").unwrap())
}

#[test]
fn least_allocated_counts_what_would_be_left() {
    let plugin = least_allocated::LeastAllocated::default();
    let empty = snapshot(node("n1", 1_000, 1_000, 10), &[]);
    assert_eq!(score(&plugin, &requirements(100, 300), &empty), 80);
    assert_eq!(score(&plugin, &requirements(1_000, 1_000), &empty), 0);
    // A pod without requests counts as 100m and 200 MiB.
    assert_eq!(score(&plugin, &requirements(0, 0), &empty), 85);
    let huge = snapshot(node("n1", i64::MAX / 2, 1_000, 10), &[]);
    assert_eq!(score(&plugin, &requirements(0, 500), &huge), 74);
    let nothing = snapshot(node("n1", 0, 0, 10), &[]);
    assert_eq!(score(&plugin, &requirements(0, 0), &nothing), 0);
}

#[test]
fn balanced_allocation_prefers_like_shares() {
    let plugin = balanced_allocation::BalancedAllocation;
    let empty = snapshot(node("n1", 1_000, 1_000, 10), &[]);
    assert_eq!(score(&plugin, &requirements(500, 500), &empty), 100);
    assert_eq!(score(&plugin, &requirements(1_000, 1), &empty), 50);
    assert_eq!(score(&plugin, &requirements(200, 600), &empty), 80);
    assert!(!plugin.applies(&requirements(0, 0)));
}

#[test]
fn soft_taints_and_preferences_are_scaled_to_the_greatest() {
    let range = Range { min: 0, max: 3 };
    let taints = taint_toleration::TaintToleration;
    assert_eq!(
        [0, 1, 3].map(|count| taints.normalize(count, range)),
        [100, 67, 0]
    );
    assert_eq!(taints.normalize(0, Range::default()), 100);
    let affinity = node_affinity::NodeAffinity;
    assert_eq!(
        [0, 1, 3].map(|weight| affinity.normalize(weight, range)),
        [0, 33, 100]
    );
    assert_eq!(affinity.normalize(0, Range::default()), 0);
}
