//! Tests of `node_lifecycle`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use coracle_service::Clock;
use serde_json::{Value, json};

use super::{
    plan::{Ready, Snapshot, plan},
    zones::{Eviction, Evictions, State, states},
};
use crate::{
    config::EvictionRates,
    testing::{ago, body_of, lines, now, view},
    view::Node,
};

const GRACE: Duration = Duration::from_secs(50);

fn node(name: &str, ready: &str, taints: Value) -> Arc<Node> {
    view(json!({
        "metadata": {"name": name},
        "spec": {"taints": taints},
        "status": {"conditions": [{"type": "Ready", "status": ready}, {"type": "DiskPressure", "status": "False"}]},
    }))
}

fn snapshot(node: Arc<Node>, silence: u64) -> Snapshot {
    let silence = Some(Duration::from_secs(silence));
    Snapshot {
        node,
        silence,
        grace: GRACE,
        pods: Vec::new(),
        eviction: Eviction::Granted,
    }
}

/// Keys and effects of the taints after a plan.
fn tainted(snapshot: &Snapshot) -> Vec<String> {
    let body = body_of(&plan(snapshot, now()), "patch nodes");
    let taints = body["spec"]["taints"].as_array().unwrap();
    taints
        .iter()
        .map(|taint| format!("{}:{}", taint["key"], taint["effect"]).replace('"', ""))
        .collect()
}

#[test]
fn a_node_that_lives_is_looked_at_when_it_could_be_late() {
    let found = plan(&snapshot(node("a", "True", json!([])), 20), now());
    assert_eq!(lines(&found), [""; 0]);
    assert_eq!(found.requeue_after, Some(Duration::from_secs(30)));
}

#[test]
fn a_silent_node_is_unknown_and_tainted() {
    let found = plan(&snapshot(node("a", "True", json!([])), 50), now());
    let body = body_of(&found, "merge nodes/status");
    let conditions = body["status"]["conditions"].as_array().unwrap();
    let told: Vec<_> = conditions
        .iter()
        .map(|one| format!("{} {}", one["type"], one["reason"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""Ready" "NodeStatusUnknown""#,
            r#""MemoryPressure" "NodeStatusNeverUpdated""#,
            r#""DiskPressure" "NodeStatusUnknown""#,
            r#""PIDPressure" "NodeStatusNeverUpdated""#,
        ]
    );
    let taints = body_of(&found, "patch nodes")["spec"]["taints"].clone();
    let unreachable = |effect: &str| json!({"key": "node.kubernetes.io/unreachable", "effect": effect, "timeAdded": ago(0)});
    assert_eq!(
        taints,
        json!([unreachable("NoSchedule"), unreachable("NoExecute")])
    );
}

#[test]
fn nobody_is_judged_while_we_are_cut_off() {
    let mut cut_off = snapshot(node("a", "True", json!([])), 0);
    cut_off.silence = None;
    let found = plan(&cut_off, now());
    assert!(found.is_empty() && found.requeue_after.is_some());
}

#[test]
fn taints_follow_the_conditions_and_leave_a_persons_own() {
    let own = json!({"key": "mine", "effect": "NoExecute"});
    let old = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"});
    assert_eq!(
        tainted(&snapshot(node("a", "True", json!([own, old])), 1)),
        ["mine:NoExecute"]
    );
    assert_eq!(
        tainted(&snapshot(node("a", "False", json!([own, old])), 1)),
        [
            "mine:NoExecute",
            "node.kubernetes.io/not-ready:NoSchedule",
            "node.kubernetes.io/not-ready:NoExecute"
        ]
    );
}

#[test]
fn while_most_nodes_are_gone_no_pods_are_ended() {
    let mut halted = snapshot(node("a", "False", json!([])), 1);
    halted.eviction = Eviction::Halted;
    assert_eq!(tainted(&halted), ["node.kubernetes.io/not-ready:NoSchedule"]);
    let wait = Duration::from_secs(7);
    halted.eviction = Eviction::After(wait);
    assert_eq!(tainted(&halted), ["node.kubernetes.io/not-ready:NoSchedule"]);
    assert_eq!(plan(&halted, now()).requeue_after, Some(wait));
}

/// So many nodes of a zone that are ready, and that are not.
fn zone(name: &str, ready: usize, failed: usize) -> Vec<Arc<Node>> {
    let node = |number: usize| {
        let is = if number < ready { "True" } else { "Unknown" };
        view(json!({
            "metadata": {"name": format!("{name}-{number}"), "labels": {"topology.kubernetes.io/zone": name}},
            "status": {"conditions": [{"type": "Ready", "status": is}]},
        }))
    };
    (0..ready + failed).map(node).collect()
}

#[test]
fn a_zone_is_judged_by_its_own_nodes() {
    use State::{FullDisruption, Normal, PartialDisruption};
    for (ready, failed, expected) in [
        (3, 0, Normal),
        (2, 1, Normal),
        (1, 2, Normal),
        (0, 1, FullDisruption),
        (0, 3, FullDisruption),
        (2, 3, PartialDisruption(5)),
        (3, 3, Normal),
        (45, 55, PartialDisruption(100)),
    ] {
        let mut nodes = zone("a", ready, failed);
        nodes.extend(zone("well", 1, 0));
        let found = states(&nodes, "", &EvictionRates::default());
        assert_eq!(found[":a"], expected, "{ready} ready, {failed} not");
        assert_eq!(found[":well"], Normal);
    }
}

/// When each node of a zone that fails is given up, in seconds, and how it ends.
fn course(nodes: &[Arc<Node>], failed: &str, seconds: u64) -> (Vec<u64>, Eviction) {
    let mut evictions = Evictions::new(EvictionRates::default());
    let (start, mut at, mut given_up) = (Clock::system().monotonic(), Vec::new(), BTreeSet::new());
    let mut last = Eviction::Halted;
    for second in 0..seconds {
        for node in nodes
            .iter()
            .filter(|node| node.meta.name.starts_with(failed) && Ready::of(node) != Ready::True)
        {
            last = evictions.decide(node, false, nodes, start + Duration::from_secs(second));
            if last == Eviction::Granted && given_up.insert(node.meta.name.clone()) {
                at.push(second);
            }
        }
    }
    (at, last)
}

#[test]
fn nodes_are_given_up_at_the_rate_of_their_zones_state() {
    let cases = [
        (
            "one after the other",
            vec![zone("a", 8, 3)],
            vec![0, 10, 20],
            Eviction::Granted,
        ),
        (
            "a whole zone",
            vec![zone("a", 0, 3), zone("b", 1, 0)],
            vec![0, 10, 20],
            Eviction::Granted,
        ),
        (
            "everything",
            vec![zone("a", 0, 2), zone("b", 0, 2)],
            vec![],
            Eviction::Halted,
        ),
        (
            "most of a small zone",
            vec![zone("a", 2, 3), zone("b", 9, 0)],
            vec![],
            Eviction::Halted,
        ),
        (
            "most of a large zone",
            vec![zone("a", 20, 31)],
            vec![0, 100],
            Eviction::After(Duration::from_secs(1)),
        ),
    ];
    for (what, zones, expected, end) in cases {
        assert_eq!(course(&zones.concat(), "a", 200), (expected, end), "{what}");
    }
}

#[test]
fn the_last_node_to_fail_counts_as_failed_although_it_does_not_say_so() {
    let nodes = zone("a", 1, 3);
    let mut evictions = Evictions::new(EvictionRates::default());
    let decided = evictions.decide(&nodes[0], false, &nodes, Clock::system().monotonic());
    assert_eq!(decided, Eviction::Halted);
}

#[test]
fn zones_do_not_wait_for_each_other_and_what_was_given_up_stays_so() {
    let nodes = [zone("a", 9, 2), zone("b", 9, 2)].concat();
    let failed: Vec<_> = nodes
        .iter()
        .filter(|node| Ready::of(node) != Ready::True)
        .collect();
    let mut evictions = Evictions::new(EvictionRates::default());
    let now = Clock::system().monotonic();
    let mut decide = |at: usize, is_given_up: bool| evictions.decide(failed[at], is_given_up, &nodes, now);
    assert_eq!(decide(0, false), Eviction::Granted);
    assert_eq!(decide(2, false), Eviction::Granted, "of another zone");
    assert_eq!(decide(1, false), Eviction::After(Duration::from_secs(10)));
    assert_eq!(decide(0, false), Eviction::Granted, "again");
    assert_eq!(decide(1, true), Eviction::Granted, "by a process before this one");
}

#[test]
fn pods_of_a_node_that_is_not_ready_are_not_ready() {
    let pod = |name: &str, ready: &str| {
        view(json!({
            "metadata": {"namespace": "ns", "name": name},
            "spec": {"nodeName": "a"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
        }))
    };
    let mut found = snapshot(node("a", "False", json!([])), 1);
    found.pods = vec![pod("ready", "True"), pod("unready", "False")];
    let lines = lines(&plan(&found, now()));
    let marked: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("merge pods/status"))
        .collect();
    assert!(marked.len() == 1 && marked[0].contains("ready"), "{lines:?}");
}
