//! Clusters that lie, change and vanish while pods are being placed.

use super::*;
use crate::{
    projection::State,
    requirements::{Effect, HOSTNAME, Identity, PodSet, PodTerm, PodTerms, ZONE},
    testing::taint,
};

fn tell(scheduler: &mut Scheduler, node: Node) {
    scheduler.node_changed(&Key::new("", &node.name.clone()), Some(&Arc::new(node)));
}

fn labelled(name: &str, zone: &str) -> Node {
    let mut node = node(name, 1_000, 1_000, 10);
    node.labels = Box::new([(HOSTNAME.into(), name.into()), (ZONE.into(), zone.into())]);
    node
}

/// A pod of an app with terms.
fn of_app(name: &str, app: &str, terms: PodTerms) -> Arc<Pod> {
    let mut asks = requirements(100, 1);
    asks.load.identity = Arc::new(Identity {
        namespace: "default".into(),
        labels: Box::new([("app".into(), app.into())]),
        is_deleting: false,
        terms: (terms != PodTerms::NONE).then(|| Box::new(terms)),
    });
    waiting(name, asks)
}

fn term(key: &str, app: &str) -> PodTerm {
    PodTerm {
        topology_key: key.into(),
        pods: Arc::new(PodSet {
            namespaces: Box::new(["default".into()]),
            namespace_selector: coracle_api::LabelSelector::nothing(),
            selector: coracle_api::LabelSelector::from_labels([("app", app)]),
        }),
    }
}

#[test]
fn a_node_that_takes_back_what_it_offered_gets_no_more() {
    let mut scheduler = scheduler(&[node("n1", 4_000, 1_000, 10)]);
    arrive(&mut scheduler, "a", 1_000);
    assert_eq!(decisions(&mut scheduler, ZERO), ["a -> n1"]);
    // It never had more than half a core: what is there stays, nothing comes.
    tell(&mut scheduler, node("n1", 500, 1_000, 10));
    arrive(&mut scheduler, "b", 100);
    let told = decisions(&mut scheduler, ZERO);
    assert!(
        told[0].starts_with("b: 0/1 nodes are available: 1 Insufficient cpu."),
        "{told:?}"
    );
    assert_eq!(scheduler.snapshot().find("n1").unwrap().cpu_milli().free(), -500);
    // Nonsense is taken as it stands, and nobody is placed by it.
    tell(&mut scheduler, node("n1", -1, -1, -1));
    tell(&mut scheduler, node("n2", i64::MAX, i64::MAX >> 20, 0));
    assert_eq!(decisions(&mut scheduler, 10 * MINUTE).len(), 1);
    assert_eq!(scheduler.assumed(), 1);
}

#[test]
fn a_node_that_vanishes_in_the_middle_of_a_bind() {
    let mut scheduler = scheduler(&[node("n1", 1_000, 1_000, 10)]);
    let pod = arrive(&mut scheduler, "a", 600);
    assert_eq!(decisions(&mut scheduler, ZERO), ["a -> n1"]);
    scheduler.node_changed(&Key::new("", "n1"), None);
    tell(&mut scheduler, node("n2", 1_000, 1_000, 10));
    assert_eq!(
        decisions(&mut scheduler, MINUTE),
        [""; 0],
        "it is still on its way to n1"
    );
    // The apiserver refuses the binding; the pod finds the other node.
    scheduler.refused(&key("a"), "a", MINUTE);
    assert_eq!(decisions(&mut scheduler, 2 * MINUTE), ["a -> n2"]);
    // Or it was stored all the same, and the node comes back with the pod on it.
    let bound = bound("a", "n1", &pod.unbound().unwrap().class);
    scheduler.pod_changed(&key("a"), Some(&pod), Some(&bound), MINUTE);
    tell(&mut scheduler, node("n1", 1_000, 1_000, 10));
    assert_eq!(
        scheduler.snapshot().find("n1").unwrap().cpu_milli().requested,
        600
    );
    assert_eq!(scheduler.snapshot().find("n2").unwrap().cpu_milli().requested, 0);
}

#[test]
fn what_can_never_be_is_said_once_and_costs_nothing_after() {
    let mut scheduler = scheduler(&[labelled("n1", "a"), labelled("n2", "b")]);
    arrive(&mut scheduler, "huge", 1_000_000);
    let alone = PodTerms {
        affinity: vec![term(ZONE, "nobody")],
        ..PodTerms::NONE
    };
    let lonely = of_app("lonely", "web", alone);
    scheduler.pod_changed(&key("lonely"), None, Some(&lonely), ZERO);
    let told = decisions(&mut scheduler, ZERO);
    assert_eq!(told.len(), 2);
    assert!(
        told[1].contains("2 node(s) didn't match pod affinity rules. preemption: 0/2"),
        "{told:?}"
    );
    for minute in 1..20 {
        // Pods come and go that are nobody's business.
        let name = format!("p{minute}");
        arrive(&mut scheduler, &name, 10);
        let told = decisions(&mut scheduler, minute * Duration::from_secs(10));
        assert_eq!(told.len(), 1, "{told:?}");
        let attempts = |name: &str| scheduler.queue().get(&key(name)).unwrap().attempts;
        assert_eq!((attempts("huge"), attempts("lonely")), (1, 1));
    }
}

#[test]
fn who_seeks_company_comes_when_the_company_does() {
    let mut scheduler = scheduler(&[labelled("n1", "a"), labelled("n2", "b")]);
    let near = PodTerms {
        affinity: vec![term(HOSTNAME, "db")],
        ..PodTerms::NONE
    };
    let seeker = of_app("seeker", "web", near);
    scheduler.pod_changed(&key("seeker"), None, Some(&seeker), ZERO);
    assert_eq!(decisions(&mut scheduler, ZERO).len(), 1);
    let other = of_app("other", "cache", PodTerms::NONE);
    scheduler.pod_changed(&key("other"), None, Some(&other), MINUTE);
    assert_eq!(decisions(&mut scheduler, MINUTE).len(), 1);
    let company = of_app("company", "db", PodTerms::NONE);
    scheduler.pod_changed(&key("company"), None, Some(&company), MINUTE);
    let told = decisions(&mut scheduler, MINUTE);
    let node = told[0].strip_prefix("company -> ").unwrap().to_owned();
    assert_eq!(
        decisions(&mut scheduler, 2 * MINUTE),
        [format!("seeker -> {node}")]
    );
}

#[test]
fn a_pod_that_kept_others_away_leaves_and_they_come() {
    let mut scheduler = scheduler(&[labelled("n1", "a")]);
    let hermit = PodTerms {
        anti_affinity: vec![term(ZONE, "web")],
        ..PodTerms::NONE
    };
    let there = of_app("hermit", "db", hermit);
    let there = bound("hermit", "n1", &there.unbound().unwrap().class);
    scheduler.pod_changed(&key("hermit"), None, Some(&there), ZERO);
    let pod = of_app("a", "web", PodTerms::NONE);
    scheduler.pod_changed(&key("a"), None, Some(&pod), ZERO);
    let told = decisions(&mut scheduler, ZERO);
    assert!(
        told[0].contains("1 node(s) didn't satisfy existing pods anti-affinity rules"),
        "{told:?}"
    );
    scheduler.pod_changed(&key("hermit"), Some(&there), None, MINUTE);
    assert_eq!(decisions(&mut scheduler, MINUTE), ["a -> n1"]);
}

#[test]
fn labels_and_taints_that_change_count_from_the_next_pod_on() {
    let mut scheduler = scheduler(&[labelled("n1", "a"), labelled("n2", "b")]);
    let picky = |name: &str| {
        let mut asks = requirements(100, 1);
        asks.node_selector = Box::new([(ZONE.into(), "a".into())]);
        waiting(name, asks)
    };
    scheduler.pod_changed(&key("a"), None, Some(&picky("a")), ZERO);
    assert_eq!(decisions(&mut scheduler, ZERO), ["a -> n1"]);
    // Who is there stays; who comes goes where the label is now.
    tell(&mut scheduler, labelled("n1", "b"));
    scheduler.pod_changed(&key("b"), None, Some(&picky("b")), ZERO);
    assert_eq!(decisions(&mut scheduler, ZERO).len(), 1);
    tell(&mut scheduler, labelled("n2", "a"));
    assert_eq!(decisions(&mut scheduler, MINUTE), ["b -> n2"]);
    let mut tainted = labelled("n2", "a");
    tainted.taints = Box::new([taint("gone", "", Effect::NoExecute)]);
    tell(&mut scheduler, tainted);
    scheduler.pod_changed(&key("c"), None, Some(&picky("c")), MINUTE);
    assert_eq!(decisions(&mut scheduler, MINUTE).len(), 1);
    assert_eq!(scheduler.snapshot().find("n2").unwrap().pods().requested, 1);
}

#[test]
fn a_pod_belongs_to_the_profile_that_it_names() {
    let packing = Profile {
        scheduler_name: "packing".into(),
        ..Profile::default()
    };
    let mut scheduler = Scheduler::new(vec![Profile::default(), packing], queue::Limits::default());
    tell(&mut scheduler, node("n1", 1_000, 1_000, 10));
    for (name, by) in [
        ("a", "packing"),
        ("b", "default-scheduler"),
        ("c", "somebody-else"),
    ] {
        let mut unbound = waiting(name, requirements(1, 1)).unbound().unwrap().clone();
        unbound.scheduler_name = by.into();
        let pod = Arc::new(Pod {
            uid: name.into(),
            state: State::Unbound(Box::new(unbound)),
        });
        scheduler.pod_changed(&key(name), None, Some(&pod), ZERO);
    }
    assert_eq!(decisions(&mut scheduler, ZERO), ["a -> n1", "b -> n1"]);
}
