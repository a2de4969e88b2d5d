//! The contract, on every implementation: random transactions, compactions, checkpoints and restarts against
//! the model, and the promises that a random walk seldom meets.

use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::model::{Model, compare};
use crate::state::StoreConfig;
use crate::testing::{TempDir, at_revision, delete, key, put, thread_hooks, txn};
use crate::types::{Condition, Fence, Op, Published, ReadError, Revision, Txn, TxnError};
use crate::{
    BoxFuture, DurableStore, HistoryLimits, MAX_KEY_BYTES, MAX_TXN_OPS, MemoryConfig, MemoryStore, Publisher,
    RealFiles, RecordCodec, Store,
};

/// A kind of store and how to stop and open it again.
trait Fixture {
    fn open(&self) -> Arc<dyn Store>;
}

struct Durable(TempDir);

impl Fixture for Durable {
    fn open(&self) -> Arc<dyn Store> {
        let mut config = StoreConfig::new(self.0.path());
        config.history = keep_everything();
        config.checkpoint_bytes = 2_000;
        config.apply_bytes = 300;
        let store = DurableStore::open(
            config,
            Arc::new(RealFiles),
            thread_hooks(),
            RecordCodec::unsealed(),
        );
        Arc::new(store.unwrap())
    }
}

struct Memory(MemoryStore);

impl Fixture for Memory {
    fn open(&self) -> Arc<dyn Store> {
        self.0.crash();
        Arc::new(self.0.clone())
    }
}

fn keep_everything() -> HistoryLimits {
    HistoryLimits {
        age_s: u32::MAX,
        revisions: usize::MAX,
        bytes: u64::MAX,
    }
}

fn memory() -> Memory {
    Memory(MemoryStore::new(MemoryConfig {
        history: keep_everything(),
        ..MemoryConfig::default()
    }))
}

fn durable() -> Durable {
    Durable(TempDir::new("contract"))
}

fn wait<T>(future: BoxFuture<'_, T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Txn>),
    Compact(u8),
    Checkpoint,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    (0u8..5, any::<bool>(), any::<u16>()).prop_map(|(k, deletes, text)| {
        let (at, text) = (format!("/k/{k}"), format!("v{text}"));
        if deletes {
            delete(&at, &text)
        } else {
            put(&at, &text)
        }
    })
}

fn lease_op() -> impl Strategy<Value = Op> {
    (0i64..3).prop_map(|transitions| {
        let fence = Some(Fence {
            holder: "a".to_owned(),
            transitions,
        });
        let Op::Put {
            key,
            value,
            attachment,
            ..
        } = put("/lease", "l")
        else {
            unreachable!("a put")
        };
        Op::Put {
            key,
            value,
            fence,
            attachment,
        }
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let at = |k: u8| key(&format!("/k/{k}"));
    prop_oneof![
        (0u8..5).prop_map(move |k| Condition::Absent { key: at(k) }),
        (0u8..5).prop_map(move |k| Condition::Exists { key: at(k) }),
        (0u8..5, 1i64..30).prop_map(move |(k, revision)| Condition::AtRevision { key: at(k), revision }),
        (0i64..3).prop_map(|transitions| Condition::Fenced {
            key: key("/lease"),
            fence: Fence {
                holder: "a".to_owned(),
                transitions
            }
        }),
    ]
}

fn transaction() -> impl Strategy<Value = Txn> {
    let ops = prop::collection::vec(prop_oneof![5 => op(), 1 => lease_op()], 0..4);
    (prop::collection::vec(condition(), 0..2), ops).prop_map(|(conditions, ops)| Txn { conditions, ops })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec(transaction(), 1..5).prop_map(Step::Commit),
        2 => any::<u8>().prop_map(Step::Compact),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

/// Runs steps on a store and the model and compares everything in the end and before each restart.
fn walk(fixture: &dyn Fixture, steps: Vec<Step>) {
    let mut store = fixture.open();
    let mut model = Model::default();
    let mut asked: Revision = 0;
    for step in steps {
        match step {
            Step::Commit(txns) => {
                let expected: Vec<_> = txns.iter().map(|txn| model.commit(txn)).collect();
                let found = wait(store.commit_many(txns));
                let found: Vec<_> = found.into_iter().map(|r| r.map(|c| c.first_revision)).collect();
                assert_eq!(found, expected);
            }
            Step::Compact(part) => {
                let upto = store.revision() * Revision::from(part) / 255;
                asked = asked.max(upto);
                store.compact(upto);
            }
            Step::Checkpoint => assert_eq!(wait(store.checkpoint()), Ok(model.revision())),
            Step::Reopen => {
                wait(store.shutdown());
                drop(store);
                store = fixture.open();
            }
        }
        assert!(
            store.compacted_revision() <= asked,
            "nothing is compacted that nobody asked for"
        );
    }
    // Compaction goes on behind the scenes; standing still makes the comparison meaningful.
    wait(store.shutdown());
    drop(store);
    let store = fixture.open();
    compare(store.as_ref(), &model);
    wait(store.shutdown());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::testing::rounds(60, 2_000) as u32, ..ProptestConfig::default() })]
    #[test]
    fn the_memory_store_agrees_with_the_model(steps in prop::collection::vec(step(), 1..25)) {
        walk(&memory(), steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::testing::rounds(12, 500) as u32, ..ProptestConfig::default() })]
    #[test]
    fn the_durable_store_agrees_with_the_model(steps in prop::collection::vec(step(), 1..25)) {
        walk(&durable(), steps);
    }
}

fn on_both(check: impl Fn(&dyn Store)) {
    for fixture in [&memory() as &dyn Fixture, &durable()] {
        let store = fixture.open();
        check(store.as_ref());
        wait(store.shutdown());
    }
}

fn commit(store: &dyn Store, ops: Vec<Op>) -> Revision {
    wait(store.commit(txn(ops))).unwrap().first_revision
}

#[test]
fn a_read_below_the_compacted_revision_is_an_error_and_never_a_gap() {
    on_both(|store| {
        for n in 0..20 {
            commit(store, vec![put("/k/a", &format!("{n}"))]);
        }
        store.compact(15);
        let deadline = 2_000;
        let reached = (0..deadline).any(|_| {
            std::thread::yield_now();
            wait(store.checkpoint()).unwrap();
            store.compacted_revision() == 15
        });
        assert!(reached, "compaction gets there");
        for after in 0..15 {
            let compacted = ReadError::Compacted {
                requested: after,
                oldest: 15,
            };
            assert_eq!(store.changes(after, 100).unwrap_err(), compacted);
            assert_eq!(store.get("/k/a", Some(after)).unwrap_err(), compacted);
            assert_eq!(store.range("/k/", None, 10, after).unwrap_err(), compacted);
        }
        for after in 15..=20 {
            let changes = store.changes(after, 100).unwrap();
            let revisions: Vec<_> = changes.iter().map(|change| change.revision).collect();
            assert_eq!(revisions, (after + 1..=20).collect::<Vec<_>>());
        }
        assert_eq!(
            store.changes(21, 1),
            Err(ReadError::Future {
                requested: 21,
                latest: 20
            })
        );
    });
}

#[test]
fn a_list_is_paged_by_key_at_one_revision() {
    on_both(|store| {
        let name = |n: usize| format!("/k/{n:04}");
        for part in (0..1_200).collect::<Vec<_>>().chunks(400) {
            commit(store, part.iter().map(|n| put(&name(*n), "v")).collect());
        }
        commit(store, vec![delete(&name(700), "v"), put("/l/other", "v")]);
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = store
                .range("/k/", seen.last().map(String::as_str), 550, 1_200)
                .unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|stored| stored.key.to_string()));
        }
        assert_eq!(seen, (0..1_200).map(name).collect::<Vec<_>>());
        assert_eq!(store.range("/k/", None, usize::MAX, 1_202).unwrap().len(), 1_199);
    });
}

#[test]
fn limits_are_enforced_one_past_them() {
    on_both(|store| {
        let too_large = |ops| matches!(wait(store.commit(txn(ops))), Err(TxnError::TooLarge { .. }));
        let long = |n: usize| put(&format!("/{}", "k".repeat(n - 1)), "v");
        assert!(!too_large(vec![long(MAX_KEY_BYTES)]));
        assert!(too_large(vec![long(MAX_KEY_BYTES + 1)]));
        assert!(!too_large((0..MAX_TXN_OPS).map(|_| put("/k", "v")).collect()));
        assert!(too_large((0..=MAX_TXN_OPS).map(|_| put("/k", "v")).collect()));
        let big = |count| {
            let value = crate::testing::object("big", 600_000);
            let op = |n| Op::Put {
                key: key(&format!("/big/{n}")),
                value: value.clone(),
                fence: None,
                attachment: Arc::new(()),
            };
            (0..count).map(op).collect()
        };
        assert!(!too_large(big(4)));
        assert!(too_large(big(12)));
        let found = store.get("/big/3", None).unwrap().unwrap();
        assert!(found.json.len() > 600_000);
    });
}

/// Remembers what was published, and that it could be read at that moment.
struct Recorder {
    store: Arc<dyn Store>,
    seen: Mutex<Vec<Published>>,
}

impl Publisher for Recorder {
    fn publish(&self, changes: &[Published]) {
        let latest = changes.last().unwrap();
        assert_eq!(self.store.revision(), latest.revision, "published means readable");
        self.seen.lock().extend_from_slice(changes);
    }
}

#[test]
fn the_publisher_sees_every_revision_once_in_order_before_the_acknowledgement() {
    for fixture in [&memory() as &dyn Fixture, &durable()] {
        let store = fixture.open();
        commit(store.as_ref(), vec![put("/k/before", "v")]);
        let recorder = Arc::new(Recorder {
            store: store.clone(),
            seen: Mutex::default(),
        });
        assert_eq!(store.subscribe(recorder.clone()), 1);
        for n in 0..50 {
            let first = commit(
                store.as_ref(),
                vec![put("/k/a", "x"), put("/k/b", &format!("{n}"))],
            );
            let seen = recorder.seen.lock();
            assert_eq!(
                seen.last().map(|p| p.revision),
                Some(first + 1),
                "seen before acknowledged"
            );
            let last = seen.last().unwrap();
            assert_eq!(last.previous_revision, (n > 0).then_some(first - 1));
            let read = store.get("/k/b", None).unwrap().unwrap();
            assert_eq!(read.json, last.json);
        }
        let seen: Vec<_> = recorder.seen.lock().iter().map(|p| p.revision).collect();
        assert_eq!(seen, (2..=101).collect::<Vec<_>>());
        wait(store.shutdown());
    }
}

#[test]
fn after_shutdown_nothing_is_accepted_and_the_directory_is_free() {
    on_both(|store| {
        commit(store, vec![put("/k/a", "v")]);
        wait(store.shutdown());
        let refused = wait(store.commit(Txn {
            conditions: vec![at_revision("/k/a", 1)],
            ops: vec![],
        }));
        assert!(matches!(refused, Err(TxnError::Unavailable(_))), "{refused:?}");
        wait(store.shutdown());
    });
    let fixture = durable();
    let first = fixture.open();
    let config = StoreConfig::new(fixture.0.path());
    let open = || {
        DurableStore::open(
            config.clone(),
            Arc::new(RealFiles),
            thread_hooks(),
            RecordCodec::unsealed(),
        )
    };
    let second = open().err().unwrap().to_string();
    assert!(
        second.contains("another process uses this data directory"),
        "{second}"
    );
    wait(first.shutdown());
    let third = open().unwrap();
    wait(third.shutdown());
}
