//! Watches with all kinds of selectors and starts, against a model that replays every change.
//!
//! RELIABILITY rows 5 and 6 at the level of the cache: no event missed, repeated or out of order, none at or below a
//! bookmark, whether the watch is served from the window, from history or live.

use std::collections::BTreeMap;

use coracle_api::{FieldSelector, LabelSelector, kinds};
use proptest::prelude::*;

use super::{Bench, State, Watch, read_to};
use crate::{
    registry::Start,
    watch::{Event, EventKind, Filter},
};

/// What a test does, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Put {
        namespace: u8,
        name: u8,
        state: State,
    },
    Delete {
        namespace: u8,
        name: u8,
    },
    /// Begins a watch; `back` revisions ago, or now with the present objects where there is none.
    Begin {
        filter: u8,
        back: Option<u8>,
    },
    /// Reads what the watch has to tell.
    Read {
        watch: usize,
    },
}

/// Every change, in revision order: what the pod was made to be, `None` where it was deleted.
#[derive(Default)]
struct Model {
    changes: Vec<(i64, (u8, u8), Option<State>)>,
}

/// The selectors that watches come with, as a filter and as a plain function of the model's state.
fn filter(number: u8) -> (Filter, fn(u8, &State) -> bool) {
    let labels = |text| LabelSelector::parse(text).unwrap();
    let fields = |text| FieldSelector::parse(text).unwrap();
    match number % 6 {
        0 => (Filter::default(), |_, _| true),
        1 => (
            Filter {
                namespace: "ns1".to_owned(),
                ..Filter::default()
            },
            |namespace, _| namespace == 1,
        ),
        2 => (
            Filter {
                labels: labels("l=1"),
                ..Filter::default()
            },
            |_, state| state.label == 1,
        ),
        3 => (
            Filter {
                fields: fields("spec.nodeName=n1"),
                ..Filter::default()
            },
            |_, state| state.node == 1,
        ),
        4 => {
            let node_names = vec!["n2".to_owned(), "n1".to_owned()];
            (
                Filter {
                    node_names,
                    ..Filter::default()
                },
                |_, state| matches!(state.node, 1 | 2),
            )
        }
        _ => {
            let filter = Filter {
                namespace: "ns0".to_owned(),
                labels: labels("l!=1"),
                fields: fields("spec.nodeName!=n0"),
                ..Filter::default()
            };
            (filter, |namespace, state| {
                namespace == 0 && state.label != 1 && state.node != 0
            })
        }
    }
}

/// An event as the model tells it: what, which pod, at which revision.
type Told = (EventKind, String, i64);

impl Model {
    fn state_at(&self, revision: i64) -> BTreeMap<(u8, u8), (i64, State)> {
        let mut pods = BTreeMap::new();
        for (at, pod, state) in self.changes.iter().take_while(|(at, ..)| *at <= revision) {
            match state {
                Some(state) => pods.insert(*pod, (*at, state.clone())),
                None => pods.remove(pod),
            };
        }
        pods
    }

    /// What a watch must tell that begins after `from`, or with the objects present at it.
    fn expected(&self, from: i64, with_present: bool, matches: fn(u8, &State) -> bool) -> Vec<Told> {
        let name = |(namespace, name): (u8, u8)| format!("ns{namespace}/p{name}");
        let mut pods = self.state_at(from);
        let mut told: Vec<Told> = Vec::new();
        if with_present {
            let present = pods.iter().filter(|(pod, (_, state))| matches(pod.0, state));
            told.extend(present.map(|(pod, (at, _))| (EventKind::Added, name(*pod), *at)));
        }
        for (at, pod, state) in self.changes.iter().filter(|(at, ..)| *at > from) {
            let before = pods.get(pod).is_some_and(|(_, state)| matches(pod.0, state));
            let now = state.as_ref().is_some_and(|state| matches(pod.0, state));
            match (before, now) {
                (false, false) => {}
                (false, true) => told.push((EventKind::Added, name(*pod), *at)),
                (true, true) => told.push((EventKind::Modified, name(*pod), *at)),
                (true, false) => told.push((EventKind::Deleted, name(*pod), *at)),
            }
            match state {
                Some(state) => pods.insert(*pod, (*at, state.clone())),
                None => pods.remove(pod),
            };
        }
        told
    }
}

/// A watch under test and what it has told.
struct Watcher {
    watch: Watch,
    from: i64,
    with_present: bool,
    matches: fn(u8, &State) -> bool,
    events: Vec<Event>,
    /// Everything up to here has been told.
    read_to: i64,
}

impl Watcher {
    fn told(&self) -> Vec<Told> {
        let told = self.events.iter().filter_map(|event| {
            let attributes = &event.entry.as_ref()?.attributes;
            Some((
                event.kind,
                format!("{}/{}", attributes.namespace, attributes.name),
                event.revision,
            ))
        });
        told.collect()
    }

    fn check(&self, model: &Model) {
        assert_eq!(
            self.told(),
            model.expected(self.from, self.with_present, self.matches)
        );
        // The initial events come in key order; from then on revisions only rise.
        let live = self
            .events
            .iter()
            .skip_while(|event| self.with_present && event.kind != EventKind::Synced);
        let mut last = -1;
        for event in live {
            assert!(event.revision > last, "revision {} after {last}", event.revision);
            last = event.revision;
            if let Some(entry) = &event.entry {
                let carried = coracle_api::encode::revision_of(&entry.json);
                assert_eq!((carried, entry.revision), (Some(event.revision), event.revision));
            }
        }
    }
}

async fn run(steps: Vec<Step>, window_bytes: usize) {
    let bench = Bench::new(window_bytes);
    let (mut model, mut watchers) = (Model::default(), Vec::<Watcher>::new());
    for step in steps {
        match step {
            Step::Put {
                namespace,
                name,
                state,
            } => {
                let at = bench.put(namespace, name, &state).await;
                model.changes.push((at, (namespace, name), Some(state)));
            }
            Step::Delete { namespace, name } => {
                if let Some(at) = bench.delete(namespace, name).await {
                    model.changes.push((at, (namespace, name), None));
                }
            }
            Step::Begin { filter: number, back } => {
                let (filter, matches) = filter(number);
                let revision = bench.cache.revision();
                let from = back.map(|back| (revision - i64::from(back)).max(0));
                let start = from.map_or(Start::Now { initial: true }, Start::After);
                let watch = bench.cache.watch(kinds::POD, filter, start, true).unwrap();
                let (from, with_present) = (from.unwrap_or(revision), from.is_none());
                let read_to = if with_present { -1 } else { from };
                watchers.push(Watcher {
                    watch,
                    from,
                    with_present,
                    matches,
                    events: Vec::new(),
                    read_to,
                });
            }
            Step::Read { watch } => {
                let count = watchers.len();
                if let Some(watcher) = watchers.get_mut(watch % count.max(1)) {
                    watcher.read(bench.cache.revision()).await;
                }
            }
        }
    }
    for watcher in &mut watchers {
        watcher.read(bench.cache.revision()).await;
        watcher.check(&model);
    }
    drop(watchers);
    assert!(
        !bench.cache.has_watchers(),
        "an ended watch leaves nothing behind"
    );
}

impl Watcher {
    async fn read(&mut self, revision: i64) {
        if self.read_to < revision {
            let events = read_to(&mut self.watch, revision).await;
            self.events.extend(events);
            self.read_to = revision;
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let state = (0..2_u8, 0..4_u8).prop_map(|(label, node)| State { label, node });
    prop_oneof![
        6 => (0..2_u8, 0..3_u8, state).prop_map(|(namespace, name, state)| Step::Put { namespace, name, state }),
        2 => (0..2_u8, 0..3_u8).prop_map(|(namespace, name)| Step::Delete { namespace, name }),
        2 => (0..6_u8, proptest::option::of(0..40_u8)).prop_map(|(filter, back)| Step::Begin { filter, back }),
        1 => (0..20_usize).prop_map(|watch| Step::Read { watch }),
    ]
}

fn simulated<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // Simulated time: a watch that tells no more fails here at once.
    let limit = std::time::Duration::from_secs(3_600);
    runtime.block_on(async { tokio::time::timeout(limit, work).await.unwrap() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_gap_no_repeat_in_order(
        steps in proptest::collection::vec(step(), 1..120),
        // Small windows send most resumed watches through history, a large one none.
        window_bytes in prop_oneof![Just(0_usize), Just(2_000), Just(1 << 20)],
    ) {
        simulated(run(steps, window_bytes));
    }
}

#[test]
#[should_panic(expected = "left == right")]
fn the_model_notices_a_lost_event() {
    simulated(async {
        let bench = Bench::new(1 << 20);
        let mut model = Model::default();
        let (filter, matches) = filter(0);
        let watch = bench.cache.watch(kinds::POD, filter, Start::After(0), true);
        // From revision zero a cache watch is an ordinary resumed one: the registry turns it into an initial one.
        let watch = watch.unwrap();
        let mut watcher = Watcher {
            watch,
            from: 0,
            with_present: false,
            matches,
            events: Vec::new(),
            read_to: 0,
        };
        for name in 0..3 {
            let state = State { label: 0, node: 0 };
            let at = bench.put(0, name, &state).await;
            model.changes.push((at, (0, name), Some(state)));
        }
        watcher.read(bench.cache.revision()).await;
        watcher.check(&model);
        watcher.events.remove(1);
        watcher.check(&model);
    });
}
