//! Tests of `snapshot`.

use proptest::prelude::*;

use super::*;
use crate::testing::{node, owned_by, requirements};

#[derive(Clone, Debug)]
enum Op {
    SetNode(u8, i64),
    RemoveNode(u8),
    Add(u8, u8),
    Remove(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_u8, 1..3_i64).prop_map(|(name, cpu)| Op::SetNode(name, cpu * 1_000)),
        (0..4_u8).prop_map(Op::RemoveNode),
        (0..4_u8, 0..3_u8).prop_map(|(name, kind)| Op::Add(name, kind)),
        any::<prop::sample::Index>().prop_map(Op::Remove),
    ]
}

fn load(kind: u8) -> Load {
    let mut load = match kind {
        0 => requirements(100, 10).load,
        1 => owned_by("a", requirements(200, 20)).load,
        _ => owned_by("b", requirements(0, 30)).load,
    };
    if kind == 2 {
        load.requests.extended = Box::new([("example.com/gpu".into(), 1)]);
        load.host_ports = Box::new([HostPort {
            port: 80,
            protocol: "TCP".into(),
            ip: "".into(),
        }]);
    }
    load
}

/// What a snapshot shows, without how it got there: per node cpu, memory, pods, gpus, ports and owners.
type Shown = Vec<(String, i64, i64, i64, i64, usize, u32, u32)>;

fn shown(snapshot: &Snapshot) -> Shown {
    let owned = |owner: &str, row: NodeRow<'_>| {
        snapshot
            .owned(owner)
            .and_then(|nodes| nodes.get(&row.index()))
            .copied()
            .unwrap_or_default()
    };
    let mut shown: Shown = snapshot
        .iter()
        .map(|row| {
            let (cpu, memory) = (row.cpu_milli(), row.memory_bytes());
            (
                row.node().name.to_string(),
                cpu.free(),
                memory.requested,
                row.pods().requested,
                row.extended("example.com/gpu").requested,
                row.host_ports().len(),
                owned("a", row),
                owned("b", row),
            )
        })
        .collect();
    shown.sort();
    shown
}

proptest! {
    #[test]
    fn changes_in_place_end_where_a_new_snapshot_begins(ops in prop::collection::vec(op(), 0..60)) {
        let mut snapshot = Snapshot::new();
        let mut nodes: std::collections::BTreeMap<u8, i64> = std::collections::BTreeMap::new();
        let mut pods: Vec<(u8, u8)> = Vec::new();
        let name = |name: u8| format!("n{name}");
        for op in ops {
            let before = (snapshot.version(), shown(&snapshot));
            match op {
                Op::SetNode(at, cpu) => {
                    nodes.insert(at, cpu);
                    snapshot.set_node(Arc::new(node(&name(at), cpu, 100, 10)));
                }
                Op::RemoveNode(at) => {
                    nodes.remove(&at);
                    snapshot.remove_node(&name(at));
                }
                Op::Add(at, kind) => {
                    pods.push((at, kind));
                    snapshot.add(&name(at), &load(kind));
                }
                Op::Remove(_) if pods.is_empty() => {}
                Op::Remove(which) => {
                    let (at, kind) = pods.swap_remove(which.index(pods.len()));
                    snapshot.remove(&name(at), &load(kind));
                }
            }
            let mut fresh = Snapshot::new();
            for (at, cpu) in &nodes {
                fresh.set_node(Arc::new(node(&name(*at), *cpu, 100, 10)));
            }
            for (at, kind) in &pods {
                fresh.add(&name(*at), &load(*kind));
            }
            prop_assert_eq!(shown(&snapshot), shown(&fresh));
            prop_assert_eq!(snapshot.len(), nodes.len());
            let noted = snapshot.changes_since(before.0).is_none_or(|mut changes| changes.next().is_some());
            prop_assert!(noted || before.1 == shown(&snapshot), "every change is in the log");
            let used: std::collections::BTreeSet<u8> =
                nodes.keys().copied().chain(pods.iter().map(|(at, _)| *at)).collect();
            prop_assert_eq!(snapshot.rows.len(), used.len(), "rows are given back");
        }
    }
}

#[test]
fn a_heartbeat_changes_nothing() {
    let mut snapshot = Snapshot::new();
    let (index, events) = snapshot.set_node(Arc::new(node("n1", 1_000, 100, 10)));
    assert_eq!(events, ClusterEvents::NODE_ADDED);
    let version = snapshot.version();
    assert_eq!(
        snapshot.set_node(Arc::new(node("n1", 1_000, 100, 10))),
        (index, ClusterEvents::default())
    );
    assert_eq!(snapshot.version(), version);
    let (_, events) = snapshot.set_node(Arc::new(node("n1", 2_000, 100, 10)));
    assert_eq!(events, ClusterEvents::NODE_ALLOCATABLE);
    assert_eq!(snapshot.version(), version + 1);
}

#[test]
fn who_lags_too_far_behind_is_told_so() {
    let mut snapshot = Snapshot::new();
    snapshot.set_node(Arc::new(node("n1", 1_000, 100, 10)));
    let version = snapshot.version();
    let load = requirements(1, 1).load;
    snapshot.add("n1", &load);
    assert_eq!(snapshot.changes_since(version).map(Iterator::count), Some(1));
    for _ in 0..LOG_MIN {
        snapshot.add("n1", &load);
    }
    assert!(snapshot.changes_since(version).is_none());
    assert!(snapshot.log.len() <= LOG_MIN);
    assert!(snapshot.changes_since(snapshot.version() + 1).is_none());
}
