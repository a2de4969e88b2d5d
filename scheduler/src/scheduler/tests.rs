//! Tests of `scheduler`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

mod hostile;

use crate::profile::Profile;
use crate::testing::{MIB, bound, key, node, owned_by, requirements, waiting};

const ZERO: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_secs(60);

fn scheduler(nodes: &[Node]) -> Scheduler {
    let mut scheduler = Scheduler::new(vec![Profile::default()], queue::Limits::default());
    for node in nodes {
        scheduler.node_changed(&Key::new("", &node.name), Some(&Arc::new(node.clone())));
    }
    scheduler
}

fn arrive(scheduler: &mut Scheduler, name: &str, cpu_milli: i64) -> Arc<Pod> {
    let pod = waiting(name, owned_by("web", requirements(cpu_milli, 1)));
    scheduler.pod_changed(&key(name), None, Some(&pod), ZERO);
    pod
}

/// What was decided, as `pod -> node` or `pod: reason`.
fn decisions(scheduler: &mut Scheduler, now: Duration) -> Vec<String> {
    let outcomes = scheduler.schedule(now, 100);
    let text = |outcome: Outcome| match outcome.verdict {
        Verdict::Bind(node) => format!("{} -> {node}", outcome.key.name()),
        Verdict::Tell(message, _) => format!("{}: {message}", outcome.key.name()),
        Verdict::Prepare(node, steps) => format!("{} ~> {node} {steps:?}", outcome.key.name()),
        Verdict::Preempt { node, victims, .. } => {
            let victims: Vec<&str> = victims.iter().map(|victim| victim.key.name()).collect();
            format!("{} x> {node} {}", outcome.key.name(), victims.join(" "))
        }
    };
    outcomes.into_iter().map(text).collect()
}

#[test]
fn an_assumed_pod_takes_its_room_at_once() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    arrive(&mut scheduler, "a", 600);
    arrive(&mut scheduler, "b", 600);
    let expected = [
        "a -> n1",
        "b: 0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
         1 No preemption victims found for incoming pod.",
    ];
    assert_eq!(decisions(&mut scheduler, ZERO), expected);
    assert_eq!(scheduler.assumed(), 1);
}

#[test]
fn a_confirmed_pod_is_counted_once() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let pod = arrive(&mut scheduler, "a", 600);
    scheduler.schedule(ZERO, 10);
    let version = scheduler.snapshot().version();
    let confirmed = bound("a", "n1", &pod.unbound().unwrap().class);
    scheduler.pod_changed(&key("a"), Some(&pod), Some(&confirmed), ZERO);
    assert_eq!(scheduler.assumed(), 0);
    assert!(scheduler.queue().is_empty());
    assert_eq!(
        scheduler.snapshot().find("n1").unwrap().cpu_milli().requested,
        600
    );
    assert_eq!(
        scheduler.snapshot().version(),
        version,
        "a confirmation changes nothing"
    );
    scheduler.pod_changed(&key("a"), Some(&confirmed), None, ZERO);
    assert_eq!(scheduler.snapshot().find("n1").unwrap().cpu_milli().requested, 0);
}

#[test]
fn a_refused_binding_gives_back_and_is_tried_again() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    arrive(&mut scheduler, "a", 600);
    scheduler.schedule(ZERO, 10);
    scheduler.refused(&key("a"), "another uid", ZERO);
    assert_eq!(
        scheduler.assumed(),
        1,
        "the refusal was for an earlier pod of that name"
    );
    scheduler.refused(&key("a"), "a", ZERO);
    assert_eq!(scheduler.snapshot().find("n1").unwrap().pods().requested, 0);
    assert_eq!(decisions(&mut scheduler, ZERO), [""; 0]);
    assert_eq!(decisions(&mut scheduler, MINUTE), ["a -> n1"]);
}

#[test]
fn bound_elsewhere_by_somebody_else() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let pod = arrive(&mut scheduler, "a", 600);
    scheduler.schedule(ZERO, 10);
    let elsewhere = bound("a", "n2", &pod.unbound().unwrap().class);
    scheduler.pod_changed(&key("a"), Some(&pod), Some(&elsewhere), ZERO);
    assert_eq!(scheduler.snapshot().find("n1").unwrap().pods().requested, 0);
    // The node is told later than its pod; the pod is counted all the same.
    scheduler.node_changed(&Key::new("", "n2"), Some(&Arc::new(node("n2", 1_000, 1_000, 10))));
    assert_eq!(
        scheduler.snapshot().find("n2").unwrap().cpu_milli().requested,
        600
    );
    scheduler.refused(&key("a"), "a", ZERO);
    assert_eq!(
        scheduler.snapshot().find("n2").unwrap().cpu_milli().requested,
        600
    );
}

#[test]
fn room_wakes_those_who_wait_for_it_and_a_heartbeat_does_not() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let running = bound("r", "n1", &requirements(1_000, 1));
    scheduler.pod_changed(&key("r"), None, Some(&running), ZERO);
    arrive(&mut scheduler, "a", 600);
    assert_eq!(decisions(&mut scheduler, ZERO).len(), 1);
    scheduler.node_changed(&Key::new("", "n1"), Some(&Arc::new(node("n1", 1_000, 1_000, 10))));
    scheduler.node_changed(&Key::new("", "n2"), Some(&Arc::new(node("n2", 100, 1_000, 10))));
    assert_eq!(
        decisions(&mut scheduler, MINUTE),
        [""; 0],
        "the new node is too small"
    );
    scheduler.pod_changed(&key("r"), Some(&running), None, MINUTE);
    assert_eq!(decisions(&mut scheduler, MINUTE), ["a -> n1"]);
}

#[test]
fn pods_of_others_gated_and_deleted_ones_are_left_alone() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let pod = waiting("a", requirements(1, 1));
    let edit = |edit: &dyn Fn(&mut Unbound)| {
        let mut unbound = pod.unbound().unwrap().clone();
        edit(&mut unbound);
        Arc::new(Pod {
            uid: "a".into(),
            state: crate::projection::State::Unbound(Box::new(unbound)),
        })
    };
    let gated = edit(&|unbound| unbound.is_gated = true);
    for other in [
        edit(&|unbound| unbound.scheduler_name = "x".into()),
        gated.clone(),
    ] {
        scheduler.pod_changed(&key("a"), None, Some(&other), ZERO);
        assert!(scheduler.queue().is_empty());
    }
    scheduler.pod_changed(&key("a"), Some(&gated), Some(&pod), ZERO);
    assert_eq!(decisions(&mut scheduler, ZERO), ["a -> n1"]);
    let deleting = edit(&|unbound| unbound.is_deleting = true);
    scheduler.pod_changed(&key("a"), Some(&pod), Some(&deleting), ZERO);
    assert!(scheduler.queue().is_empty());
    assert_eq!(
        (
            scheduler.assumed(),
            scheduler.snapshot().find("n1").unwrap().pods().requested
        ),
        (0, 0)
    );
}

#[test]
fn a_finished_pod_gives_back_its_room() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let running = bound("a", "n1", &requirements(1_000, 1));
    let done = Arc::new(Pod {
        uid: "a".into(),
        state: crate::projection::State::Terminated,
    });
    scheduler.pod_changed(&key("a"), None, Some(&running), ZERO);
    scheduler.pod_changed(&key("a"), Some(&running), Some(&done), ZERO);
    assert_eq!(scheduler.snapshot().find("n1").unwrap().pods().requested, 0);
    scheduler.pod_changed(&key("a"), Some(&done), None, ZERO);
    assert_eq!(scheduler.snapshot().find("n1").unwrap().pods().requested, 0);
}

#[derive(Clone, Debug)]
enum Op {
    Arrive(u8, i64),
    Schedule(usize),
    Confirm(prop::sample::Index),
    Refuse(prop::sample::Index),
    Delete(prop::sample::Index),
    Pass,
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..12_u8, 1..8_i64).prop_map(|(name, size)| Op::Arrive(name, size * 100)),
        4 => (1..4_usize).prop_map(Op::Schedule),
        4 => index().prop_map(Op::Confirm),
        2 => index().prop_map(Op::Refuse),
        2 => index().prop_map(Op::Delete),
        2 => Just(Op::Pass),
    ]
}

/// The apiserver's side of the story.
#[derive(Default)]
struct Truth {
    pods: BTreeMap<String, Arc<Pod>>,
    /// Bindings under way, by pod.
    under_way: BTreeMap<String, Arc<str>>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No node is ever promised more than it has, whatever comes between decision and confirmation; and when all is
    /// quiet, no pod waits that would fit.
    #[test]
    fn never_overcommitted_never_stuck(ops in prop::collection::vec(op(), 1..100)) {
        let nodes = [node("n0", 1_000, 1_000, 3), node("n1", 2_000, 1_000, 4)];
        let mut scheduler = scheduler(&nodes);
        let mut truth = Truth::default();
        let mut now = ZERO;
        let mut number = 0;
        let pick = |map: Vec<String>, which: prop::sample::Index| {
            (!map.is_empty()).then(|| map[which.index(map.len())].clone())
        };
        for op in ops {
            match op {
                Op::Arrive(name, cpu_milli) => {
                    let name = name.to_string();
                    if truth.pods.contains_key(&name) {
                        continue;
                    }
                    number += 1;
                    let pod = waiting(&format!("uid-{number}"), requirements(cpu_milli, 1));
                    scheduler.pod_changed(&key(&name), None, Some(&pod), now);
                    truth.pods.insert(name, pod);
                }
                Op::Schedule(limit) => {
                    for outcome in scheduler.schedule(now, limit) {
                        if let Verdict::Bind(node) = outcome.verdict {
                            truth.under_way.insert(outcome.key.name().to_owned(), node);
                        }
                    }
                }
                Op::Confirm(which) => {
                    let Some(name) = pick(truth.under_way.keys().cloned().collect(), which) else { continue };
                    let node = truth.under_way.remove(&name).unwrap();
                    let old = Arc::clone(&truth.pods[&name]);
                    let new = bound(&old.uid, &node, &old.unbound().unwrap().class);
                    scheduler.pod_changed(&key(&name), Some(&old), Some(&new), now);
                    truth.pods.insert(name, new);
                }
                Op::Refuse(which) => {
                    let Some(name) = pick(truth.under_way.keys().cloned().collect(), which) else { continue };
                    truth.under_way.remove(&name);
                    let uid = truth.pods[&name].uid.clone();
                    scheduler.refused(&key(&name), &uid, now);
                }
                Op::Delete(which) => {
                    let Some(name) = pick(truth.pods.keys().cloned().collect(), which) else { continue };
                    let old = truth.pods.remove(&name).unwrap();
                    truth.under_way.remove(&name);
                    scheduler.pod_changed(&key(&name), Some(&old), None, now);
                    scheduler.refused(&key(&name), &old.uid, now);
                }
                Op::Pass => now += MINUTE,
            }
            for node in &nodes {
                let promised = truth.under_way.iter().filter(|(_, at)| **at == node.name);
                let promised = promised.map(|(name, _)| &truth.pods[name].unbound().unwrap().class.load);
                let there = truth.pods.values().filter_map(|pod| pod.bound());
                let there = there.filter(|(at, _)| **at == *node.name).map(|(_, load)| load);
                let loads: Vec<_> = promised.chain(there).collect();
                let cpu: i64 = loads.iter().map(|load| load.requests.cpu_milli).sum();
                let row = scheduler.snapshot().find(&node.name).unwrap();
                prop_assert_eq!((row.cpu_milli().requested, row.pods().requested), (cpu, loads.len() as i64));
                prop_assert!(row.cpu_milli().free() >= 0 && row.pods().free() >= 0, "overcommitted");
                prop_assert_eq!(row.memory_bytes().requested, loads.len() as i64 * MIB);
            }
        }
        for _ in 0..20 {
            now += MINUTE;
            for outcome in scheduler.schedule(now, 100) {
                if let Verdict::Bind(node) = outcome.verdict {
                    truth.under_way.insert(outcome.key.name().to_owned(), node);
                }
            }
        }
        for (name, pod) in &truth.pods {
            let Some(unbound) = pod.unbound() else { continue };
            let fits = scheduler.snapshot().iter().any(|row| {
                unbound.class.load.requests.cpu_milli <= row.cpu_milli().free() && row.pods().free() >= 1
            });
            prop_assert!(truth.under_way.contains_key(name) || !fits, "{name} would fit");
        }
    }
}
