//! Tests of `preemption`, through the scheduler that calls it.

use std::{sync::Arc, time::Duration};

use coracle_api::LabelSelector;
use coracle_runtime::Key;

use crate::{
    profile::Profile,
    projection::{Budget, Node, Pod, State},
    queue,
    requirements::{Identity, Requirements},
    scheduler::{Nomination, Outcome, Scheduler, Verdict},
    testing::{key, node, requirements, taint, with_priority},
};

const ZERO: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_secs(60);

fn scheduler(nodes: &[Node]) -> Scheduler {
    let mut scheduler = Scheduler::new(vec![Profile::default()], queue::Limits::default());
    for node in nodes {
        scheduler.node_changed(&Key::new("", &node.name), Some(&Arc::new(node.clone())));
    }
    scheduler
}

/// A bound pod of an app.
fn running(name: &str, on: &str, cpu_milli: i64, priority: i32, started: &str) -> Arc<Pod> {
    let mut load = requirements(cpu_milli, 1).load;
    load.identity = Arc::new(Identity {
        namespace: "default".into(),
        labels: Box::new([("app".into(), name.chars().take(1).collect::<String>().into())]),
        ..Identity::default()
    });
    let state = State::Bound {
        node: on.into(),
        load,
        priority,
        started: started.into(),
    };
    Arc::new(Pod {
        uid: name.into(),
        state,
    })
}

fn place(scheduler: &mut Scheduler, name: &str, on: &str, cpu_milli: i64, priority: i32) -> Arc<Pod> {
    let pod = running(name, on, cpu_milli, priority, "2026-01-01T00:00:00Z");
    scheduler.pod_changed(&key(name), None, Some(&pod), ZERO);
    pod
}

fn arrive(scheduler: &mut Scheduler, name: &str, requirements: Requirements, priority: i32) {
    let pod = with_priority(name, requirements, priority);
    scheduler.pod_changed(&key(name), None, Some(&pod), ZERO);
}

fn told(outcome: &Outcome) -> String {
    let name = outcome.key.name();
    match &outcome.verdict {
        Verdict::Bind(node) => format!("{name} -> {node}"),
        Verdict::Prepare(node, _) => format!("{name} ~> {node}"),
        Verdict::Tell(message, Nomination::Keep) => format!("{name}: {message}"),
        Verdict::Tell(message, Nomination::Clear) => format!("{name} unnominated: {message}"),
        Verdict::Preempt { node, victims, .. } => {
            let mut victims: Vec<&str> = victims.iter().map(|victim| victim.key.name()).collect();
            victims.sort_unstable();
            format!("{name} takes {node} from {}", victims.join(" "))
        }
    }
}

fn decisions(scheduler: &mut Scheduler, now: Duration) -> Vec<String> {
    scheduler.schedule(now, 2_000).iter().map(told).collect()
}

#[test]
fn as_few_as_need_be_and_the_least_important() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10), node("n2", 1_000, 1_000, 10)]);
    place(&mut scheduler, "a", "n1", 400, 1);
    place(&mut scheduler, "b", "n1", 300, 2);
    place(&mut scheduler, "c", "n1", 300, 3);
    place(&mut scheduler, "d", "n2", 1_000, 5);
    arrive(&mut scheduler, "big", requirements(300, 1), 10);
    // On n1 the pod of priority 3 could go, or the one of priority 2; what stays is what matters more.
    assert_eq!(decisions(&mut scheduler, ZERO), ["big takes n1 from a"]);
}

#[test]
fn the_node_is_kept_until_the_victims_are_gone() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let victim = place(&mut scheduler, "a", "n1", 1_000, 0);
    arrive(&mut scheduler, "high", requirements(800, 1), 10);
    assert_eq!(decisions(&mut scheduler, ZERO), ["high takes n1 from a"]);
    // Nobody of lower priority slips in, and what is left is anybody's.
    arrive(&mut scheduler, "low", requirements(800, 1), 5);
    arrive(&mut scheduler, "small", requirements(200, 1), 5);
    scheduler.pod_changed(&key("a"), Some(&victim), None, MINUTE);
    let mut decided = decisions(&mut scheduler, MINUTE);
    decided.sort();
    assert_eq!(
        decided[..2],
        [
            "high -> n1",
            "low: 0/1 nodes are available: 1 Insufficient cpu. preemption: \
        0/1 nodes are available: 1 No preemption victims found for incoming pod."
        ]
    );
    assert_eq!(decided[2], "small -> n1");
}

#[test]
fn while_victims_are_leaving_nobody_else_is_made_to() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10), node("n2", 1_000, 1_000, 10)]);
    place(&mut scheduler, "a", "n1", 1_000, 0);
    place(&mut scheduler, "b", "n2", 1_000, 0);
    arrive(&mut scheduler, "high", requirements(800, 1), 10);
    assert_eq!(decisions(&mut scheduler, ZERO).len(), 1);
    // Something happens that makes the pod be tried again.
    scheduler.node_changed(&Key::new("", "n3"), Some(&Arc::new(node("n3", 801, 1, 0))));
    scheduler.node_changed(&Key::new("", "n3"), Some(&Arc::new(node("n3", 700, 1, 5))));
    let flushed = decisions(&mut scheduler, 10 * MINUTE);
    assert_eq!(
        flushed,
        [
            "high: 0/3 nodes are available: 3 Insufficient cpu. preemption: not eligible due to a terminating pod \
          on the nominated node."
        ]
    );
}

#[test]
fn budgets_are_respected_where_there_is_a_choice() {
    let nodes = [node("n1", 1_000, 1_000, 10), node("n2", 1_000, 1_000, 10)];
    let budget = |allowed| {
        Arc::new(Budget {
            namespace: "default".into(),
            selector: LabelSelector::from_labels([("app", "a")]),
            allowed,
            disrupted: Box::new([]),
        })
    };
    for (allowed, expected) in [(0, "high takes n2 from b"), (1, "high takes n1 from a")] {
        let mut scheduler = scheduler(&nodes);
        scheduler.budget_changed(&Key::new("default", "budget"), Some(&budget(allowed)));
        place(&mut scheduler, "a", "n1", 1_000, 0);
        place(&mut scheduler, "b", "n2", 1_000, 1);
        arrive(&mut scheduler, "high", requirements(1_000, 1), 10);
        assert_eq!(decisions(&mut scheduler, ZERO), [expected]);
    }
    // Without a choice the budget gives way, as upstream.
    let mut scheduler = scheduler(&nodes[..1]);
    scheduler.budget_changed(&Key::new("default", "budget"), Some(&budget(0)));
    place(&mut scheduler, "a", "n1", 1_000, 0);
    arrive(&mut scheduler, "high", requirements(1_000, 1), 10);
    assert_eq!(decisions(&mut scheduler, ZERO), ["high takes n1 from a"]);
}

#[test]
fn who_does_not_preempt_and_where_it_does_not_help_is_said() {
    let mut tainted = node("n1", 1_000, 1_000, 10);
    tainted.taints = Box::new([taint("dedicated", "db", crate::requirements::Effect::NoSchedule)]);
    let mut scheduler = scheduler(&[tainted, node("n2", 1_000, 1_000, 10), node("n3", 500, 1_000, 10)]);
    place(&mut scheduler, "a", "n2", 1_000, 20);
    arrive(&mut scheduler, "p", requirements(800, 1), 10);
    assert_eq!(
        decisions(&mut scheduler, ZERO),
        [
            "p: 0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 2 Insufficient cpu. preemption: \
          0/3 nodes are available: 1 No preemption victims found for incoming pod, \
          2 Preemption is not helpful for scheduling."
        ]
    );
    let pod = with_priority("q", requirements(800, 1), 30);
    let mut unbound = pod.unbound().unwrap().clone();
    unbound.never_preempts = true;
    let pod = Arc::new(Pod {
        uid: "q".into(),
        state: State::Unbound(Box::new(unbound)),
    });
    scheduler.pod_changed(&key("q"), None, Some(&pod), ZERO);
    let decided = decisions(&mut scheduler, ZERO);
    assert!(
        decided[0].ends_with("preemption: not eligible due to preemptionPolicy=Never."),
        "{decided:?}"
    );
}

/// Each takes the place of one victim; nobody is killed twice, nobody for nothing, and in the end all are placed.
#[test]
fn a_thousand_preemptors_at_once() {
    const NODES: usize = 250;
    const EACH: usize = 4;
    let profile = Profile {
        preemption: Some(super::DefaultPreemption {
            min_candidate_nodes_absolute: 5,
            min_candidate_nodes_percentage: 1,
        }),
        ..Profile::default()
    };
    let mut scheduler = Scheduler::new(vec![profile], queue::Limits::default());
    for at in 0..NODES {
        let name = format!("n{at}");
        let node = node(&name, EACH as i64 * 1_000, 100_000, 100);
        scheduler.node_changed(&Key::new("", &name), Some(&Arc::new(node)));
    }
    let mut there = std::collections::BTreeMap::new();
    for at in 0..EACH * NODES {
        let name = format!("v{at}");
        let pod = place(&mut scheduler, &name, &format!("n{}", at % NODES), 1_000, 0);
        there.insert(name, pod);
    }
    for at in 0..EACH * NODES {
        arrive(&mut scheduler, &format!("p{at}"), requirements(1_000, 1), 10);
    }
    let (mut now, mut bound, mut killed) = (ZERO, 0, 0);
    for _ in 0..50 {
        now += 10 * MINUTE;
        for outcome in scheduler.schedule(now, 2_000) {
            match outcome.verdict {
                Verdict::Bind(_) => bound += 1,
                Verdict::Preempt { victims, .. } => {
                    for victim in victims {
                        let name = victim.key.name().to_owned();
                        let Some(pod) = there.remove(&name) else { continue };
                        killed += 1;
                        scheduler.pod_changed(&key(&name), Some(&pod), None, now);
                    }
                }
                Verdict::Tell(..) | Verdict::Prepare(..) => {}
            }
        }
        let overcommitted = scheduler.snapshot().iter().any(|row| row.cpu_milli().free() < 0);
        assert!(!overcommitted);
        if bound == EACH * NODES {
            break;
        }
    }
    assert_eq!((bound, killed), (EACH * NODES, EACH * NODES));
}
