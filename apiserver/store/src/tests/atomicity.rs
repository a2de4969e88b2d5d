//! Atomicity (row 3): commits of several keys, stopped at each operation of the disk in turn. Afterwards an
//! object, the counter that was written with it and the event about it agree.

use crate::fs::Fault;
use crate::read;
use crate::recover::Recovered;
use crate::testing::{Machine, put, rounds, txn};

/// One commit of three keys that must agree.
fn triple(n: usize) -> crate::types::Txn {
    let text = format!("{n}");
    txn(vec![
        put("/object", &text),
        put("/counter", &text),
        put(&format!("/event/{n}"), &text),
    ])
}

fn name(store: &Recovered, key: &str) -> Option<String> {
    let stored = read::get(&store.state.index, store.state.as_ref(), key, None).unwrap()?;
    let text = String::from_utf8(stored.json.to_vec()).unwrap();
    let start = text.find("\"name\":\"")? + 8;
    Some(text[start..start + text[start..].find('"')?].to_owned())
}

/// Object, counter and last event agree; the number of whole commits.
fn agreed(store: &Recovered) -> usize {
    let latest = store.state.index.read().latest();
    assert_eq!(latest % 3, 0, "a third of a commit is visible");
    let commits = latest as usize / 3;
    let expected = commits.checked_sub(1).map(|last| last.to_string());
    assert_eq!(name(store, "/object"), expected);
    assert_eq!(name(store, "/counter"), expected);
    let events = read::range(
        &store.state.index,
        store.state.as_ref(),
        "/event/",
        None,
        usize::MAX,
        latest,
    );
    assert_eq!(events.unwrap().len(), commits);
    commits
}

/// Commits until the disk stops at its `stop`-th operation; whether it came to that.
fn stopped_at(stop: u64, commits: usize) -> bool {
    let machine = Machine::default();
    machine.files.fail_at(stop, Fault::PowerLoss);
    let mut acknowledged = 0;
    let mut stopped = true;
    if let Ok(mut store) = machine.open(|config| {
        config.checkpoint_bytes = 2_000;
        config.segment_bytes = 900;
    }) {
        for n in 0..commits {
            if store.writer.commit_group(vec![triple(n)])[0].is_err() {
                break;
            }
            acknowledged = n + 1;
            if n % 4 == 3 {
                let _ = store.applier.step();
            }
            store.writer.mark_durable();
        }
        stopped = acknowledged < commits;
    }
    machine.power_cut(stop);
    let found = agreed(&machine.open(|_| {}).unwrap());
    assert!(
        found == acknowledged || found == acknowledged + 1,
        "{found} of {acknowledged} acknowledged"
    );
    stopped
}

#[test]
fn a_commit_is_whole_wherever_the_disk_stops() {
    let commits = rounds(30, 400) as usize;
    let stops = (1..).take_while(|stop| stopped_at(*stop, commits)).count();
    assert!(stops > 60, "the disk was stopped in too few places: {stops}");
}
