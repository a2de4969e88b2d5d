//! Linearizability (row 2): clients read and write a few keys at the same time and note when each operation
//! began and ended. Per key there must be one order of the operations that respects those times and in which
//! every read sees the write before it. Operations whose outcome a crash took away may or may not count.
//!
//! The checker is Wing and Gong's search with the states seen remembered (Lowe), one key at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::simulated::Random;
use crate::testing::{put, rounds, txn};
use crate::{BoxFuture, MemoryConfig, MemoryStore, Store};

const CLIENTS: u64 = 8;
const KEYS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Write(u64),
    /// What was read; 0 for nothing.
    Read(u64),
}

/// One operation on one key. `end` is `u64::MAX` where the outcome is not known.
#[derive(Clone, Copy, Debug)]
struct Operation {
    key: usize,
    begin: u64,
    end: u64,
    action: Action,
}

/// Whether one order explains the operations on one key. At most 64 of them.
fn explained(operations: &[Operation]) -> bool {
    assert!(operations.len() <= 64, "the set of operations done is one word");
    let mut seen = HashSet::new();
    let mut open = vec![(0u64, 0u64)];
    let optional = |operation: &Operation| operation.end == u64::MAX;
    while let Some((done, value)) = open.pop() {
        if !seen.insert((done, value)) {
            continue;
        }
        let left = || (0..operations.len()).filter(|n| done & (1 << n) == 0);
        if left().all(|n| optional(&operations[n])) {
            return true;
        }
        // Whatever comes next must have begun before every other one that is left has ended.
        let earliest_end = left().map(|n| operations[n].end).min().unwrap_or(u64::MAX);
        for n in left().filter(|n| operations[*n].begin <= earliest_end) {
            match operations[n].action {
                Action::Write(new) => open.push((done | 1 << n, new)),
                Action::Read(read) if read == value => open.push((done | 1 << n, value)),
                Action::Read(_) => {}
            }
        }
    }
    false
}

fn linearizable(history: &[Operation]) -> bool {
    (0..KEYS).all(|key| {
        let of_key: Vec<_> = history
            .iter()
            .filter(|operation| operation.key == key)
            .copied()
            .collect();
        explained(&of_key)
    })
}

struct Run {
    store: MemoryStore,
    clock: AtomicU64,
    history: Mutex<Vec<Operation>>,
}

impl Run {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn read(&self, key: usize) -> u64 {
        let Some(stored) = self.store.get(&format!("/k/{key}"), None).unwrap() else {
            return 0;
        };
        let text = String::from_utf8(stored.json.to_vec()).unwrap();
        let start = text.find("\"name\":\"").unwrap() + 8;
        text[start..start + text[start..].find('"').unwrap()]
            .parse()
            .unwrap()
    }

    async fn client(self: Arc<Self>, number: u64, seed: u64) {
        let mut random = Random(seed ^ (number << 20));
        for n in 0..30u64 {
            let key = random.below(KEYS);
            let begin = self.tick();
            let (action, end) = if random.below(2) == 0 {
                let value = 1 + number * 1_000 + n;
                let op = put(&format!("/k/{key}"), &value.to_string());
                let known = self.store.commit(txn(vec![op])).await.is_ok();
                (Action::Write(value), if known { self.tick() } else { u64::MAX })
            } else {
                let value = self.read(key);
                (Action::Read(value), self.tick())
            };
            self.history.lock().push(Operation {
                key,
                begin,
                end,
                action,
            });
            tokio::task::yield_now().await;
        }
    }
}

/// One history with crashes in it; `skip_sync` plants the bug.
fn history(seed: u64, skip_sync: bool) -> Vec<Operation> {
    let random = Mutex::new(Random(seed));
    // A sync takes a random number of turns of the scheduler.
    let sync = Arc::new(move || -> BoxFuture<'static, ()> {
        let turns = random.lock().below(4);
        Box::pin(async move {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        })
    });
    let config = MemoryConfig {
        sync: Some(sync),
        skip_sync,
        ..MemoryConfig::default()
    };
    let store = MemoryStore::new(config);
    let run = Arc::new(Run {
        store,
        clock: AtomicU64::new(1),
        history: Mutex::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| tokio::spawn(run.clone().client(n, seed)))
            .collect();
        for crash in 0..3 {
            for _ in 0..40 + 7 * crash {
                tokio::task::yield_now().await;
            }
            run.store.crash();
        }
        for client in clients {
            client.await.unwrap();
        }
    });
    let history = run.history.lock();
    history.clone()
}

#[test]
fn every_history_with_crashes_is_linearizable() {
    for seed in 0..rounds(20, 1_000) {
        assert!(linearizable(&history(seed, false)), "history of seed {seed}");
    }
}

#[test]
fn the_checker_goes_red_on_a_stale_read_and_on_a_store_that_does_not_sync() {
    let operation = |begin, end, action| Operation {
        key: 0,
        begin,
        end,
        action,
    };
    let written = operation(1, 2, Action::Write(7));
    assert!(explained(&[written, operation(3, 4, Action::Read(7))]));
    assert!(
        !explained(&[written, operation(3, 4, Action::Read(0))]),
        "a stale read"
    );
    assert!(
        explained(&[
            operation(1, 4, Action::Write(7)),
            operation(2, 3, Action::Read(0))
        ]),
        "overlapping"
    );
    assert!(explained(&[
        operation(1, u64::MAX, Action::Write(7)),
        operation(2, 3, Action::Read(7))
    ]));
    assert!(
        (0..20).any(|seed| !linearizable(&history(seed, true))),
        "lost writes must be caught"
    );
}
