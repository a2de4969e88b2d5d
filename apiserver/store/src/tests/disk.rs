//! Full disks and failing syncs: the store stops acknowledging and says so, shows nothing that is not on
//! disk, loses nothing that was acknowledged, and goes on when there is space again.

use crate::fs::Fault;
use crate::read;
use crate::recover::Recovered;
use crate::testing::{Machine, put, txn};
use crate::types::TxnError;

fn commit(store: &mut Recovered, key: &str) -> Result<(), TxnError> {
    let outcome = store.writer.commit_group(vec![txn(vec![put(key, key)])]);
    outcome.into_iter().next().unwrap().map(drop)
}

fn has(store: &Recovered, key: &str) -> bool {
    read::get(&store.state.index, store.state.as_ref(), key, None)
        .unwrap()
        .is_some()
}

#[test]
fn a_full_disk_stops_acknowledging_until_there_is_space() {
    for room in 0..400 {
        let machine = Machine::default();
        let mut store = machine.open(|_| {}).unwrap();
        commit(&mut store, "/k/before").unwrap();
        machine
            .files
            .set_capacity(Some(machine.files.used_bytes() + room));
        let refused = (0..20)
            .find(|n| commit(&mut store, &format!("/k/{n}")).is_err())
            .unwrap();
        assert!(
            !has(&store, &format!("/k/{refused}")),
            "what was refused is not visible"
        );
        let problem = store.state.status().problem.unwrap();
        assert!(problem.contains("full"), "{problem}");
        store.writer.mark_durable();
        machine.files.set_capacity(None);
        commit(&mut store, "/k/after").unwrap();
        assert_eq!(store.state.status().problem, None);
        drop(store);
        machine.power_cut(room);
        let store = machine.open(|_| {}).unwrap();
        assert!(has(&store, "/k/before") && has(&store, "/k/after"));
        assert!(!has(&store, &format!("/k/{refused}")));
    }
}

#[test]
fn little_space_left_is_refused_before_the_base_engine_meets_it() {
    let machine = Machine::default();
    machine.files.set_capacity(Some(10_000));
    let mut store = machine.open(|config| config.min_free_bytes = 20_000).unwrap();
    let refused = commit(&mut store, "/k/a").unwrap_err().to_string();
    assert!(refused.contains("almost full"), "{refused}");
    machine.files.set_capacity(Some(1_000_000));
    commit(&mut store, "/k/a").unwrap();
}

#[test]
fn a_failed_sync_is_the_end_until_the_store_is_opened_again() {
    let machine = Machine::default();
    let mut store = machine.open(|_| {}).unwrap();
    commit(&mut store, "/k/before").unwrap();
    machine
        .files
        .fail_at(machine.files.operations() + 2, Fault::SyncFails);
    let failed = commit(&mut store, "/k/doubt").unwrap_err();
    assert!(matches!(failed, TxnError::Unavailable(_)));
    assert!(!has(&store, "/k/doubt"), "what is not on disk is not visible");
    assert!(
        commit(&mut store, "/k/later").is_err(),
        "trying again proves nothing"
    );
    let problem = store.state.status().problem.unwrap();
    assert!(problem.contains("restart"), "{problem}");
    drop(store);
    // Opening again must not trust that the bytes it can read are on disk.
    let mut store = machine.open(|_| {}).unwrap();
    let seen = has(&store, "/k/doubt");
    commit(&mut store, "/k/later").unwrap();
    drop(store);
    machine.power_cut(0);
    let store = machine.open(|_| {}).unwrap();
    assert_eq!(has(&store, "/k/doubt"), seen, "what was visible stays");
    assert!(has(&store, "/k/before") && has(&store, "/k/later"));
}

#[test]
fn a_checkpoint_that_does_not_fit_costs_nothing_but_itself() {
    let machine = Machine::default();
    let mut store = machine.open(|config| config.checkpoint_bytes = 500).unwrap();
    for n in 0..20 {
        commit(&mut store, &format!("/k/{n}")).unwrap();
    }
    machine.files.set_capacity(Some(machine.files.used_bytes() + 50));
    while store.applier.step().unwrap() {}
    assert_eq!(store.state.status().checkpoint_revision, 0);
    machine.files.set_capacity(None);
    commit(&mut store, "/k/after").unwrap();
    drop(store);
    let store = machine.open(|_| {}).unwrap();
    assert!(has(&store, "/k/0") && has(&store, "/k/after"));
}

#[test]
fn compaction_outruns_writing_and_old_journal_segments_go() {
    let machine = Machine::default();
    let tune = |config: &mut crate::StoreConfig| {
        config.history.revisions = 100;
        config.segment_bytes = 20_000;
        config.checkpoint_bytes = 60_000;
    };
    let mut store = machine.open(tune).unwrap();
    for round in 0..20 {
        for n in 0..600 {
            commit(&mut store, &format!("/k/{}", (round + n) % 50)).unwrap();
        }
        // A checkpoint in progress holds compaction back; it takes a few steps at this size.
        let steps = (1..).take_while(|_| store.applier.step().unwrap()).count();
        assert!(steps < 10, "{steps} steps to catch up");
        let status = store.state.status();
        assert_eq!(status.revision - status.compacted_revision, 100);
    }
    while store.applier.step().unwrap() {}
    let status = store.state.status();
    assert!(status.checkpoint_revision > 0);
    assert!(
        status.journal_bytes < 150_000,
        "{} bytes of journal are kept",
        status.journal_bytes
    );
    assert_eq!(status.backlog_bytes, 0);
    drop(store);
    let store = machine.open(tune).unwrap();
    assert_eq!(store.state.status().repairs, Vec::<String>::new());
    assert_eq!(store.state.status().keys, 50);
}
