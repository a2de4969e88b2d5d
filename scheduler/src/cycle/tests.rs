//! Tests of `cycle`.

use proptest::prelude::*;

use super::*;
use crate::{
    projection::Node,
    requirements::{Effect, Requirements},
    testing::{node, owned_by, requirements, taint},
};

mod reference;

#[derive(Clone, Debug)]
enum Op {
    SetNode(u8, Shape),
    RemoveNode(u8),
    Schedule(u8),
    DeletePod(prop::sample::Index),
}

/// What varies between nodes.
#[derive(Clone, Copy, Debug)]
struct Shape {
    cores: i64,
    memory_gib: i64,
    pods: i64,
    disk: u8,
    taint: u8,
    is_unschedulable: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        1..5_i64,
        1..5_i64,
        1..8_i64,
        0..3_u8,
        0..6_u8,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(cores, memory_gib, pods, disk, taint, is_unschedulable)| Shape {
            cores,
            memory_gib,
            pods,
            disk,
            taint,
            is_unschedulable,
        })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..10_u8, shape()).prop_map(|(name, shape)| Op::SetNode(name, shape)),
        1 => (0..10_u8).prop_map(Op::RemoveNode),
        10 => (0..16_u8).prop_map(Op::Schedule),
        2 => any::<prop::sample::Index>().prop_map(Op::DeletePod),
    ]
}

fn name(at: u8) -> String {
    format!("n{at}")
}

fn make(at: u8, shape: Shape) -> Node {
    let mut node = node(
        &name(at),
        shape.cores * 1_000,
        shape.memory_gib * 1_024,
        shape.pods,
    );
    node.is_unschedulable = shape.is_unschedulable;
    if shape.disk > 0 {
        let disk = if shape.disk == 1 { "ssd" } else { "hdd" };
        let zone = format!("z{}", at % 3);
        node.labels = Box::new([
            ("disk".into(), disk.into()),
            ("kubernetes.io/hostname".into(), name(at).into()),
            ("topology.kubernetes.io/zone".into(), zone.into()),
        ]);
    }
    node.taints = match shape.taint {
        0 => Box::new([taint("dedicated", "db", Effect::NoSchedule)]),
        1 => Box::new([taint("slow", "", Effect::PreferNoSchedule)]),
        2 => Box::new([
            taint("gone", "", Effect::NoExecute),
            taint("slow", "", Effect::PreferNoSchedule),
        ]),
        _ => Box::new([]),
    };
    node
}

/// Templates that exercise every plugin.
fn template(kind: u8) -> Requirements {
    use crate::requirements::{Expression, HostPort, NodeSelectorTerm, Operator, PreferredTerm, Toleration};
    let disk = |operator, values: &[&str]| NodeSelectorTerm {
        expressions: Box::new([Expression {
            key: "disk".into(),
            operator,
            values: values.iter().map(|value| (*value).into()).collect(),
        }]),
        fields: Box::new([]),
    };
    match kind {
        0 => requirements(0, 0),
        1 => owned_by("a", requirements(300, 256)),
        2 => owned_by("b", requirements(700, 128)),
        3 => Requirements {
            node_selector: Box::new([("disk".into(), "ssd".into())]),
            ..owned_by("c", requirements(200, 512))
        },
        4 => Requirements {
            required_terms: Some(Box::new([disk(Operator::NotIn, &["hdd"])])),
            preferred_terms: Box::new([PreferredTerm {
                weight: 7,
                term: disk(Operator::Exists, &[]),
            }]),
            ..requirements(100, 1_024)
        },
        5 => Requirements {
            tolerations: Box::new([Toleration {
                key: "dedicated".into(),
                value: None,
                effect: None,
            }]),
            ..owned_by("d", requirements(400, 64))
        },
        6 => Requirements {
            tolerations: Box::new([Toleration {
                key: "".into(),
                value: None,
                effect: None,
            }]),
            ..requirements(100, 0)
        },
        7 => {
            let mut pod = owned_by("e", requirements(0, 128));
            let port = HostPort {
                port: 80,
                protocol: "TCP".into(),
                ip: "".into(),
            };
            pod.load.host_ports = Box::new([port]);
            pod
        }
        9..16 => neighbourly(kind),
        _ => Requirements {
            preferred_terms: Box::new([
                PreferredTerm {
                    weight: 3,
                    term: disk(Operator::In, &["ssd"]),
                },
                PreferredTerm {
                    weight: 1,
                    term: disk(Operator::DoesNotExist, &[]),
                },
            ]),
            ..owned_by("a", requirements(0, 0))
        },
    }
}

/// Templates of pods that look at each other.
fn neighbourly(kind: u8) -> Requirements {
    use coracle_api::LabelSelector;

    use crate::requirements::{HOSTNAME, Identity, PodSet, PodTerm, PodTerms, SpreadConstraint, ZONE};
    let set = |app: &str| {
        Arc::new(PodSet {
            namespaces: Box::new(["default".into()]),
            namespace_selector: LabelSelector::nothing(),
            selector: LabelSelector::from_labels([("app", app)]),
        })
    };
    let term = |key: &str, app: &str| PodTerm {
        topology_key: key.into(),
        pods: set(app),
    };
    let spread = |key: &str, app: &str, is_hard, min_domains| SpreadConstraint {
        topology_key: key.into(),
        max_skew: 1,
        is_hard,
        min_domains,
        pods: Some(set(app)),
        honors_affinity: true,
        honors_taints: kind == 10,
    };
    let mut terms = PodTerms::default();
    let (app, constraints) = match kind {
        9 => ("a", vec![spread(ZONE, "a", true, 1)]),
        10 => (
            "b",
            vec![spread(HOSTNAME, "b", true, 4), spread(ZONE, "b", false, 1)],
        ),
        11 => (
            "c",
            vec![spread(ZONE, "a", false, 1), spread(HOSTNAME, "c", false, 1)],
        ),
        12 => {
            terms.affinity = vec![term(ZONE, "b")];
            terms.preferred = vec![(7, term(HOSTNAME, "a")), (-3, term(ZONE, "c"))];
            ("b", vec![])
        }
        13 => {
            terms.anti_affinity = vec![term(HOSTNAME, "a")];
            ("a", vec![])
        }
        14 => {
            terms.anti_affinity = vec![term(ZONE, "b"), term(HOSTNAME, "d")];
            terms.affinity = vec![term(HOSTNAME, "c")];
            ("d", vec![])
        }
        _ => ("c", vec![]),
    };
    let mut pod = requirements(100, 64);
    pod.load.identity = Arc::new(Identity {
        namespace: "default".into(),
        labels: Box::new([("app".into(), app.into())]),
        is_deleting: false,
        terms: (terms != PodTerms::default()).then(|| Box::new(terms)),
    });
    pod.spread = constraints.into();
    pod
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happened before, each decision is one that a look at every node from scratch could have taken.
    #[test]
    fn decisions_equal_those_of_a_naive_scheduler(ops in prop::collection::vec(op(), 1..80)) {
        let mut cluster = reference::Cluster::default();
        let mut snapshot = Snapshot::new();
        let mut cycle = Cycle::default();
        // Classes are made anew each time, as projections make them.
        for op in ops {
            match op {
                Op::SetNode(at, shape) => {
                    let node = make(at, shape);
                    snapshot.set_node(Arc::new(node.clone()));
                    cluster.nodes.insert(name(at), node);
                }
                Op::RemoveNode(at) => {
                    snapshot.remove_node(&name(at));
                    cluster.nodes.remove(&name(at));
                }
                Op::DeletePod(_) if cluster.pods.is_empty() => {}
                Op::DeletePod(which) => {
                    let at = which.index(cluster.pods.len());
                    let (node, load) = cluster.pods.swap_remove(at);
                    snapshot.remove(&node, &load);
                }
                Op::Schedule(kind) => {
                    let pod = template(kind);
                    let expected = cluster.scores(&pod);
                    match cycle.decide(&Class::new(pod.clone()), &mut snapshot) {
                        Decision::Node(index) => {
                            let chosen = snapshot.row(index).unwrap().node().name.to_string();
                            let best = expected.values().max().copied();
                            prop_assert_eq!(expected.get(&chosen).copied(), best, "{} of {:?}", &chosen, &expected);
                            snapshot.add(&chosen, &pod.load);
                            cluster.pods.push((chosen, pod.load));
                        }
                        Decision::Unschedulable(diagnosis) => {
                            prop_assert!(expected.is_empty(), "{:?} but {}", &expected, &diagnosis.message);
                            for (name, node) in &cluster.nodes {
                                prop_assert!(!cluster.admits(&pod, node), "{name} admits it");
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cluster(nodes: usize) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for number in 0..nodes {
        snapshot.set_node(Arc::new(node(&format!("n{number}"), 8_000, 16_384, 110)));
    }
    snapshot
}

fn place(cycle: &mut Cycle, snapshot: &mut Snapshot, class: &Class) -> Arc<str> {
    let Decision::Node(index) = cycle.decide(class, snapshot) else {
        panic!("there is room")
    };
    let name = Arc::clone(&snapshot.row(index).unwrap().node().name);
    snapshot.add(&name, &class.load);
    name
}

fn pods_on_nodes(snapshot: &Snapshot) -> Vec<i64> {
    let mut pods: Vec<i64> = snapshot.iter().map(|row| row.pods().requested).collect();
    pods.sort_unstable();
    pods
}

#[test]
fn replicas_are_spread_evenly() {
    for (nodes, pods) in [(3, 3), (3, 10), (100, 1_000)] {
        let (mut cycle, mut snapshot) = (Cycle::default(), cluster(nodes));
        let class = Class::new(owned_by("web", requirements(50, 64)));
        for _ in 0..pods {
            place(&mut cycle, &mut snapshot, &class);
        }
        let on_nodes = pods_on_nodes(&snapshot);
        assert!(
            on_nodes[nodes - 1] - on_nodes[0] <= 1,
            "{pods} on {nodes}: {on_nodes:?}"
        );
    }
}

#[test]
fn pods_without_owner_or_requests_are_spread_too() {
    let (mut cycle, mut snapshot) = (Cycle::default(), cluster(10));
    let class = Class::new(requirements(0, 0));
    for _ in 0..100 {
        place(&mut cycle, &mut snapshot, &class);
    }
    assert_eq!(pods_on_nodes(&snapshot), [10; 10]);
}

#[test]
fn the_same_cluster_gives_the_same_decisions_in_whatever_order_it_was_told() {
    let decide = |order: &[usize]| {
        let (mut cycle, mut snapshot) = (Cycle::default(), Snapshot::new());
        for number in order {
            snapshot.set_node(Arc::new(node(&format!("n{number}"), 8_000, 16_384, 110)));
        }
        let class = Class::new(owned_by("web", requirements(50, 64)));
        (0..12)
            .map(|_| place(&mut cycle, &mut snapshot, &class))
            .collect::<Vec<_>>()
    };
    assert_eq!(decide(&[0, 1, 2, 3, 4]), decide(&[3, 1, 4, 0, 2]));
}

#[test]
fn a_forgotten_evaluation_changes_no_answer() {
    let (mut cycle, mut snapshot) = (Cycle::default(), cluster(4));
    let classes: Vec<Class> = (0..EVALUATIONS_MAX + 10)
        .map(|size| Class::new(requirements(size as i64, 1)))
        .collect();
    for class in &classes {
        cycle.decide(class, &mut snapshot);
    }
    assert_eq!(cycle.evaluations.len(), EVALUATIONS_MAX);
    snapshot.remove_node("n1");
    for class in &classes {
        let Decision::Node(index) = cycle.decide(class, &mut snapshot) else {
            panic!("there is room")
        };
        assert!(snapshot.row(index).is_some());
    }
}

#[test]
fn a_cut_in_capacity_is_seen_at_once() {
    let (mut cycle, mut snapshot) = (Cycle::default(), cluster(1));
    let class = Class::new(requirements(4_000, 1_024));
    assert_eq!(&*place(&mut cycle, &mut snapshot, &class), "n0");
    snapshot.set_node(Arc::new(node("n0", 6_000, 16_384, 110)));
    let Decision::Unschedulable(diagnosis) = cycle.decide(&class, &mut snapshot) else {
        panic!("2 cores are left")
    };
    assert_eq!(
        &*diagnosis.message,
        "0/1 nodes are available: 1 Insufficient cpu."
    );
}
