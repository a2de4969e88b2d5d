//! Tests of `queue`.

use proptest::prelude::*;

use super::*;
use crate::testing::{key, owned_by, requirements, with_priority};

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        backoff_min: SECOND,
        backoff_max: 10 * SECOND,
        flush_after: 300 * SECOND,
    }
}

fn put(queue: &mut Queue, name: &str, owner: &str, priority: i32) {
    put_at(queue, name, owner, priority, Duration::ZERO);
}

fn put_at(queue: &mut Queue, name: &str, owner: &str, priority: i32, now: Duration) {
    let pod = with_priority(name, owned_by(owner, requirements(1, 1)), priority);
    queue.put(&key(name), &pod, pod.unbound().unwrap(), now);
}

fn take(queue: &mut Queue) -> Option<String> {
    queue.take().map(|(key, _)| key.name().to_owned())
}

fn take_all(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| take(queue)).collect()
}

fn fail(queue: &mut Queue, name: &str, now: Duration) -> bool {
    queue.unschedulable(&key(name), ClusterEvents::POD_REMOVED, &"no room".into(), now)
}

#[test]
fn higher_priority_first_then_in_order_of_arrival() {
    let mut queue = Queue::new(limits());
    for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
        put(&mut queue, name, "o", priority);
    }
    assert_eq!(take_all(&mut queue), ["b", "d", "a", "c"]);
    assert_eq!(queue.len(), 4, "pods in flight are still known");
}

#[test]
fn a_pod_in_flight_is_not_taken_again_by_an_update() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "o", 0);
    assert_eq!(take(&mut queue).as_deref(), Some("a"));
    put(&mut queue, "a", "other", 3);
    assert_eq!(take(&mut queue), None);
    queue.remove(&key("a"));
    assert!(queue.is_empty());
}

#[test]
fn an_unschedulable_pod_waits_for_what_can_help_its_class() {
    let mut queue = Queue::new(limits());
    for (name, owner) in [("a", "x"), ("b", "x"), ("c", "y")] {
        put(&mut queue, name, owner, 0);
    }
    take_all(&mut queue);
    for name in ["a", "b", "c"] {
        assert!(fail(&mut queue, name, Duration::ZERO));
    }
    let later = 2 * SECOND;
    queue.help(ClusterEvents::NODE_LABELS, later, |_, _| {
        panic!("labels cannot help")
    });
    queue.help(ClusterEvents::POD_REMOVED, later, |class, _| {
        class.load.owner.as_deref() == Some("x")
    });
    assert_eq!(take_all(&mut queue), ["a", "b"]);
    assert_eq!(queue.groups.len(), 1);
}

#[test]
fn a_node_that_came_and_did_not_help_may_help_in_any_way_later() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "x", 0);
    take(&mut queue);
    fail(&mut queue, "a", Duration::ZERO);
    // It came tainted. Nothing is known yet of what else would keep the pod from it.
    queue.help(
        ClusterEvents::NODE_ADDED.union(ClusterEvents::POD_REMOVED),
        SECOND,
        |_, _| false,
    );
    queue.help(ClusterEvents::NODE_TAINTS, 2 * SECOND, |_, _| true);
    assert_eq!(take_all(&mut queue), ["a"]);
}

#[test]
fn backoff_doubles_and_holds_back_also_what_was_helped() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "o", 0);
    let mut now = Duration::ZERO;
    for expected in [1, 2, 4, 8, 10, 10] {
        assert_eq!(take(&mut queue).as_deref(), Some("a"));
        fail(&mut queue, "a", now);
        queue.help(ClusterEvents::POD_REMOVED, now, |_, _| true);
        assert_eq!(take(&mut queue), None);
        let until = now + expected * SECOND;
        assert_eq!(queue.next_deadline(), Some(until));
        queue.advance(until - Duration::from_nanos(1));
        assert!(!queue.has_active());
        queue.advance(until);
        now = until;
    }
}

#[test]
fn an_error_only_backs_off() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "o", 0);
    take(&mut queue);
    queue.back_off(&key("a"), Duration::ZERO);
    queue.advance(SECOND);
    assert_eq!(take(&mut queue).as_deref(), Some("a"));
}

#[test]
fn what_nothing_helps_is_tried_again_after_five_minutes() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "o", 0);
    take(&mut queue);
    fail(&mut queue, "a", SECOND);
    assert_eq!(queue.next_deadline(), Some(301 * SECOND));
    queue.advance(300 * SECOND);
    assert!(!queue.has_active());
    queue.advance(301 * SECOND);
    assert_eq!(take(&mut queue).as_deref(), Some("a"));
}

#[test]
fn the_same_reason_is_told_once() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "o", 0);
    take(&mut queue);
    assert!(fail(&mut queue, "a", Duration::ZERO));
    queue.advance(300 * SECOND);
    take(&mut queue);
    assert!(!fail(&mut queue, "a", 300 * SECOND));
    queue.untold(&key("a"), 400 * SECOND);
    take(&mut queue);
    assert!(fail(&mut queue, "a", 400 * SECOND));
}

#[test]
fn a_changed_pod_is_tried_again_and_a_changed_status_is_nothing() {
    let mut queue = Queue::new(limits());
    put(&mut queue, "a", "o", 0);
    take(&mut queue);
    fail(&mut queue, "a", Duration::ZERO);
    put_at(&mut queue, "a", "o", 0, 2 * SECOND);
    assert!(!queue.has_active());
    put_at(&mut queue, "a", "other", 0, 2 * SECOND);
    assert_eq!(take(&mut queue).as_deref(), Some("a"));
}

/// The queue as a list of pods that are looked through for everything.
#[derive(Default)]
struct Model {
    pods: Vec<ModelPod>,
    line: u64,
}

#[derive(Clone, Debug)]
struct ModelPod {
    name: u8,
    owner: u8,
    priority: i32,
    attempts: u32,
    ready_at: Duration,
    state: ModelState,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ModelState {
    Runnable { line: u64 },
    Unschedulable { since: Duration },
    InFlight,
}

impl Model {
    fn wake(&mut self, which: impl Fn(&ModelPod) -> bool) {
        for pod in &mut self.pods {
            if which(pod) {
                self.line += 1;
                pod.state = ModelState::Runnable { line: self.line };
            }
        }
    }

    fn take(&mut self, now: Duration) -> Option<u8> {
        let runnable = self.pods.iter_mut().filter_map(|pod| match pod.state {
            ModelState::Runnable { line } if pod.ready_at <= now => Some((Reverse(pod.priority), line, pod)),
            _ => None,
        });
        let (_, _, pod) = runnable.min_by_key(|(priority, line, _)| (*priority, *line))?;
        pod.state = ModelState::InFlight;
        pod.attempts += 1;
        Some(pod.name)
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8, i32),
    Remove(u8),
    Take,
    Fail(u8, bool),
    Help(u8),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6_u8, 0..2_u8, 0..2_i32).prop_map(|(name, owner, priority)| Op::Put(name, owner, priority)),
        1 => (0..6_u8).prop_map(Op::Remove),
        6 => Just(Op::Take),
        6 => (0..6_u8, any::<bool>()).prop_map(|(name, unschedulable)| Op::Fail(name, unschedulable)),
        2 => (0..2_u8).prop_map(Op::Help),
        3 => prop_oneof![0..20_u64, Just(310)].prop_map(Op::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn it_behaves_as_a_list_would(ops in prop::collection::vec(op(), 0..80)) {
        let mut queue = Queue::new(limits());
        let mut model = Model::default();
        let mut now = Duration::ZERO;
        for op in ops {
            queue.advance(now);
            match op {
                Op::Pass(seconds) => {
                    now += u32::try_from(seconds).unwrap() * SECOND;
                    let mut expired: Vec<(Duration, u8)> = model.pods.iter().filter_map(|pod| match pod.state {
                        ModelState::Unschedulable { since } if since + 300 * SECOND <= now => Some((since, pod.name)),
                        _ => None,
                    }).collect();
                    expired.sort_unstable();
                    for (_, name) in expired {
                        model.wake(|pod| pod.name == name);
                    }
                    queue.advance(now);
                }
                Op::Put(name, owner, priority) => {
                    put_at(&mut queue, &name.to_string(), &owner.to_string(), priority, now);
                    if !model.pods.iter().any(|pod| pod.name == name) {
                        let state = ModelState::InFlight;
                        let (attempts, ready_at) = (0, Duration::ZERO);
                        model.pods.push(ModelPod { name, owner, priority, attempts, ready_at, state });
                        model.pods.sort_by_key(|pod| pod.name);
                        model.wake(|pod| pod.name == name);
                    } else {
                        let pod = model.pods.iter_mut().find(|pod| pod.name == name).unwrap();
                        if (pod.owner, pod.priority) != (owner, priority) {
                            (pod.owner, pod.priority) = (owner, priority);
                            model.wake(|pod| pod.name == name && pod.state != ModelState::InFlight);
                        }
                    }
                }
                Op::Remove(name) => {
                    queue.remove(&key(&name.to_string()));
                    model.pods.retain(|pod| pod.name != name);
                }
                Op::Take => {
                    prop_assert_eq!(take(&mut queue), model.take(now).map(|name| name.to_string()));
                }
                Op::Fail(name, unschedulable) => {
                    let Some(pod) = model.pods.iter_mut().find(|pod| pod.name == name) else { continue };
                    if pod.state != ModelState::InFlight {
                        continue;
                    }
                    pod.ready_at = now + SECOND.saturating_mul(1 << (pod.attempts - 1).min(20)).min(10 * SECOND);
                    pod.state = ModelState::Unschedulable { since: now };
                    if unschedulable {
                        fail(&mut queue, &name.to_string(), now);
                    } else {
                        queue.back_off(&key(&name.to_string()), now);
                        model.wake(|pod| pod.name == name);
                    }
                }
                Op::Help(owner) => {
                    let helped = owner.to_string();
                    queue.help(ClusterEvents::POD_REMOVED, now, |class, _| class.load.owner.as_deref() == Some(&helped));
                    model.wake(|pod| pod.owner == owner && matches!(pod.state, ModelState::Unschedulable { .. }));
                }
            }
            prop_assert_eq!(queue.len(), model.pods.len());
            let unschedulable =
                model.pods.iter().filter(|pod| matches!(pod.state, ModelState::Unschedulable { .. })).count();
            prop_assert_eq!(queue.unschedulable_since.len(), unschedulable);
            prop_assert_eq!(queue.groups.values().map(|group| group.keys.len()).sum::<usize>(), unschedulable);
            prop_assert_eq!(queue.group_of.len(), queue.groups.len());
        }
    }
}
