//! Power cuts (row 4): whatever was acknowledged is there afterwards, the store always opens, and nothing is
//! half there. On the simulated disk, deterministic for a seed.

use super::model::{Model, compare_changes};
use crate::fs::Fault;
use crate::fs::simulated::Random;
use crate::memory::{MemoryConfig, MemoryStore};
use crate::recover::Recovered;
use crate::testing::{Machine, delete, object, put, rounds, txn};
use crate::types::{Op, Revision, Txn};
use crate::{Store, read};

/// What a run may assume about the disk under it.
#[derive(Clone, Copy, PartialEq)]
enum Disk {
    Honest,
    /// The planted bug: syncs do nothing.
    LiesAboutSyncs,
}

/// A store without threads, driven step by step until the power goes.
struct Run {
    machine: Machine,
    random: Random,
    /// Everything acknowledged.
    acknowledged: Model,
    /// What was sent and not acknowledged when the power went: may be there or not, as a whole.
    in_doubt: Vec<Txn>,
}

impl Run {
    fn new(seed: u64, disk: Disk) -> Run {
        let machine = Machine::default();
        machine.files.skip_syncs(disk == Disk::LiesAboutSyncs);
        Run {
            machine,
            random: Random(seed),
            acknowledged: Model::default(),
            in_doubt: vec![],
        }
    }

    fn open(&self) -> Recovered {
        let opened = self.machine.open(|config| {
            config.checkpoint_bytes = 3_000;
            config.apply_bytes = 500;
            config.segment_bytes = 1_500;
            config.history.revisions = 25;
        });
        opened.unwrap_or_else(|error| panic!("the store must always open: {error}"))
    }

    fn transaction(&mut self) -> Txn {
        let count = 1 + self.random.below(3);
        let ops = (0..count).map(|_| self.operation()).collect();
        txn(ops)
    }

    fn operation(&mut self) -> Op {
        let at = format!("/k/{}", self.random.below(8));
        let text = format!("v{}", self.random.next());
        let exists = self.acknowledged.at(&at, self.acknowledged.revision()).is_some();
        match self.random.below(5) {
            0 if exists => delete(&at, &text),
            1 => Op::Put {
                key: crate::testing::key(&at),
                value: object(&text, 900),
                fence: None,
                attachment: std::sync::Arc::new(()),
            },
            _ => put(&at, &text),
        }
    }

    /// Commits, applies and checkpoints until the power goes or the steps are used up.
    fn work(&mut self, store: &mut Recovered, steps: usize) {
        for _ in 0..steps {
            if self.random.below(3) == 0 {
                // A base or checkpoint that lost its power is the same power.
                let _ = store.applier.step();
                continue;
            }
            let group: Vec<Txn> = (0..1 + self.random.below(4))
                .map(|_| self.transaction())
                .collect();
            let outcomes = store.writer.commit_group(group.clone());
            for (txn, outcome) in group.iter().zip(&outcomes) {
                match outcome {
                    Ok(committed) => {
                        let expected = self.acknowledged.commit(txn);
                        assert_eq!(Ok(committed.first_revision), expected);
                    }
                    Err(crate::TxnError::Unavailable(_)) => self.in_doubt.push(txn.clone()),
                    // A delete that an earlier transaction of the group made impossible.
                    Err(error) => assert_eq!(self.acknowledged.commit(txn), Err(error.clone())),
                }
            }
            if !self.in_doubt.is_empty() {
                return;
            }
            if self.random.below(2) == 0 {
                store.writer.mark_durable();
            }
        }
    }

    /// Everything acknowledged is there; what was in doubt is there as a whole or not at all.
    fn check(&mut self, store: &Recovered) {
        let found = store.state.index.read().latest();
        let before = self.acknowledged.revision();
        if found > before {
            let mut with_doubt = self.acknowledged.clone();
            for txn in std::mem::take(&mut self.in_doubt) {
                let _ = with_doubt.commit(&txn);
            }
            assert_eq!(
                found,
                with_doubt.revision(),
                "a group is there as a whole or not at all"
            );
            self.acknowledged = with_doubt;
        }
        self.in_doubt.clear();
        assert_eq!(
            found,
            self.acknowledged.revision(),
            "acknowledged revisions are there"
        );
        self.check_state(store, found);
    }

    fn check_state(&self, store: &Recovered, at: Revision) {
        let found = read::range(
            &store.state.index,
            store.state.as_ref(),
            "/",
            None,
            usize::MAX,
            at,
        )
        .unwrap();
        let found: std::collections::BTreeMap<_, _> = found
            .into_iter()
            .map(|s| (s.key.to_string(), (s.revision, s.json.to_vec())))
            .collect();
        assert_eq!(found, self.acknowledged.state(at));
        let compacted = store.state.index.read().compacted();
        let changes = read::changes(&store.state.index, store.state.as_ref(), compacted, usize::MAX).unwrap();
        assert_eq!(changes.len() as Revision, at - compacted);
    }
}

/// Several lives of one store, each ended by a power cut in the middle of some operation.
fn lives(seed: u64, disk: Disk) {
    let mut run = Run::new(seed, disk);
    for life in 0..4u64 {
        let mut store = run.open();
        run.check(&store);
        let until = run.machine.files.operations() + 1 + run.random.below(60) as u64;
        run.machine.files.fail_at(until, Fault::PowerLoss);
        let steps = 5 + run.random.below(40);
        run.work(&mut store, steps);
        drop(store);
        run.machine.power_cut(seed ^ (life << 32));
    }
    run.machine.files.skip_syncs(false);
    let store = run.open();
    run.check(&store);
}

#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    for seed in 0..rounds(100, 5_000) {
        lives(seed, Disk::Honest);
    }
}

#[test]
fn the_power_cut_checker_goes_red_when_the_sync_is_left_out() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let noticed = (0..20).any(|seed| std::panic::catch_unwind(|| lives(seed, Disk::LiesAboutSyncs)).is_err());
    std::panic::set_hook(hook);
    assert!(noticed, "a store that does not sync must be caught");
}

#[test]
fn a_power_cut_during_recovery_is_only_another_power_cut() {
    for seed in 0..rounds(20, 500) {
        let mut run = Run::new(seed, Disk::Honest);
        let mut store = run.open();
        run.work(&mut store, 30);
        drop(store);
        run.machine.power_cut(seed);
        for cut in 1..40 {
            let at = run.machine.files.operations() + cut;
            run.machine.files.fail_at(at, Fault::PowerLoss);
            let opened = run.machine.open(|config| config.checkpoint_bytes = 3_000);
            let whole = opened.is_ok();
            drop(opened);
            run.machine.power_cut(seed + cut);
            if whole {
                break;
            }
        }
        let store = run.open();
        run.check(&store);
    }
}

#[test]
fn the_memory_store_keeps_what_it_synced_and_is_caught_when_it_does_not() {
    let survives = |skip_sync| {
        let store = MemoryStore::new(MemoryConfig {
            skip_sync,
            ..MemoryConfig::default()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut model = Model::default();
        for n in 0..20 {
            let txn = txn(vec![put(&format!("/k/{}", n % 3), &format!("{n}"))]);
            model.commit(&txn).unwrap();
            runtime.block_on(store.commit(txn)).unwrap();
        }
        store.crash();
        let kept = store.revision() == model.revision();
        if kept {
            compare_changes(&store, &model, 0);
        }
        kept
    };
    assert!(survives(false));
    assert!(!survives(true), "the planted bug must be caught");
}
