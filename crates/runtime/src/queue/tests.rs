//! Tests of `queue`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use coracle_service::Clock;
use proptest::prelude::*;

use super::{QueueLimits, WorkQueue, state::State};

/// What a queue must do, said without cleverness: times at which each key is wanted, in the order of asking.
#[derive(Default)]
struct Model {
    wanted: Vec<u8>,
    delayed: BTreeMap<u8, u64>,
    under_way: BTreeSet<u8>,
}

impl Model {
    fn add(&mut self, key: u8) {
        if !self.wanted.contains(&key) {
            self.wanted.push(key);
        }
    }

    fn add_at(&mut self, key: u8, at: u64) {
        let deadline = self.delayed.entry(key).or_insert(at);
        *deadline = at.min(*deadline);
    }

    /// The keys that may be handed out now.
    fn ready(&mut self, now: u64) -> BTreeSet<u8> {
        let due: Vec<u8> = self
            .delayed
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            self.delayed.remove(&key);
            self.add(key);
        }
        self.wanted
            .iter()
            .filter(|key| !self.under_way.contains(key))
            .copied()
            .collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    AddAt(u8, u64),
    Pop,
    Done(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6_u8).prop_map(Step::Add),
        (0..6_u8, 0..50_u64).prop_map(|(key, after)| Step::AddAt(key, after)),
        Just(Step::Pop),
        Just(Step::Pop),
        (0..6_u8).prop_map(Step::Done),
        (0..30_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_model(steps in prop::collection::vec(step(), 1..200)) {
        let start = Clock::system().monotonic();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let (mut state, mut model, mut now) = (State::new(1_000), Model::default(), 0);
        for step in steps {
            match step {
                Step::Add(key) => { state.add(key); model.add(key); }
                Step::AddAt(key, after) => { state.add_at(key, at(now + after)); model.add_at(key, now + after); }
                Step::Pass(millis) => now += millis,
                Step::Done(key) => { state.done(&key); model.under_way.remove(&key); }
                Step::Pop => {
                    let ready = model.ready(now);
                    match state.pop(at(now)) {
                        None => prop_assert!(ready.is_empty(), "{ready:?} was ready and not handed out"),
                        Some(key) => {
                            prop_assert!(ready.contains(&key), "{key} was handed out, ready were {ready:?}");
                            model.wanted.retain(|wanted| *wanted != key);
                            model.under_way.insert(key);
                        }
                    }
                }
            }
        }
    }
}

fn queue(keys: usize) -> WorkQueue<&'static str> {
    WorkQueue::new(
        Clock::system(),
        QueueLimits {
            keys,
            ..QueueLimits::default()
        },
    )
}

#[tokio::test]
async fn a_key_under_way_is_handed_out_again_only_when_done() {
    let queue = queue(10);
    queue.add("a");
    queue.add("a");
    assert_eq!(queue.next_batch(10).await, ["a"]);
    queue.add("a");
    queue.add("b");
    assert_eq!(queue.next_batch(10).await, ["b"]);
    queue.done(&"a");
    assert_eq!(queue.next_batch(10).await, ["a"]);
}

#[test]
fn failures_wait_twice_as_long_each_time_up_to_a_limit() {
    let limits = QueueLimits::default();
    let waits: Vec<_> = [1, 2, 3, 4, 17, 18, 19, 100]
        .map(|failures| limits.wait_after(failures).as_millis())
        .into();
    assert_eq!(waits, [5, 10, 20, 40, 327_680, 655_360, 1_000_000, 1_000_000]);
}

#[test]
fn a_forgotten_key_begins_anew() {
    let mut state = State::new(10);
    assert_eq!((state.fail(&"a"), state.fail(&"a"), state.fail(&"b")), (1, 2, 1));
    state.forget(&"a");
    assert_eq!(state.fail(&"a"), 1);
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let queue = queue(2);
    for key in ["a", "b", "c"] {
        queue.add(key);
    }
    assert_eq!(queue.len(), 2);
    assert!(queue.take_overflow());
    assert!(!queue.take_overflow());
}
