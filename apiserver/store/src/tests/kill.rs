//! Kills (row 1): a process of its own writes with 64 clients and reports each acknowledgement; it is killed
//! with SIGKILL at some moment; the store then holds everything it reported.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::state::StoreConfig;
use crate::testing::{TempDir, put, rounds, thread_hooks, txn};
use crate::{DurableStore, HistoryLimits, ReadError, RealFiles, RecordCodec, Store};

const CLIENTS: usize = 64;
const DIRECTORY: &str = "CORACLE_STORE_KILL_DIR";

fn open(dir: &Path) -> DurableStore {
    let mut config = StoreConfig::new(dir);
    config.checkpoint_bytes = 300_000;
    config.segment_bytes = 50_000;
    config.history = HistoryLimits {
        revisions: 1_000,
        ..HistoryLimits::default()
    };
    DurableStore::open(
        config,
        Arc::new(RealFiles),
        thread_hooks(),
        RecordCodec::unsealed(),
    )
    .unwrap()
}

/// The victim: writes until it is killed. Only runs when the test below starts it.
#[test]
#[ignore = "started as a process of its own by the kill test"]
#[allow(
    clippy::disallowed_methods,
    reason = "how the parent test hands over its directory"
)]
fn victim() {
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let store = Arc::new(open(Path::new(&dir)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let client = |number: usize| {
        let store = store.clone();
        async move {
            for n in 0.. {
                let key = format!("/k/{number}-{}", n % 10);
                let op = put(&key, &format!("{n}"));
                let committed = store.commit(txn(vec![op])).await.unwrap();
                // One write a line, so that a kill leaves whole lines or a last one without its end.
                let line = format!("ack {key} {}\n", committed.first_revision);
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        }
    };
    runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS).map(|n| tokio::spawn(client(n))).collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

/// Lets a victim write, kills it after some acknowledgements, and returns what it acknowledged last by key.
fn killed(dir: &Path, after: usize) -> HashMap<String, i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::kill::victim",
            "--ignored",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = HashMap::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let mut lines = 0;
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some((_, ack)) = line.split_once("ack ")
            && let Some((key, revision)) = ack.trim_end().split_once(' ')
            && line.ends_with('\n')
        {
            acknowledged.insert(key.to_owned(), revision.parse().unwrap());
            lines += 1;
            if lines == after {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(
        lines >= after,
        "the victim ended by itself after {lines} acknowledgements"
    );
    acknowledged
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let dir = TempDir::new("kill");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for round in 0..rounds(6, 200) as usize {
        let acknowledged = killed(dir.path(), 200 + 331 * round % 1_500);
        let store = open(dir.path());
        for (key, revision) in acknowledged {
            let found = store.get(&key, None).unwrap().map_or(0, |stored| stored.revision);
            assert!(
                found >= revision,
                "{key}: acknowledged at {revision}, found {found}"
            );
        }
        let latest = store.revision();
        // Compaction goes on meanwhile and may overtake the question; then it is asked again.
        let (oldest, changes) = loop {
            let oldest = store.compacted_revision();
            match store.changes(oldest, usize::MAX) {
                Err(ReadError::Compacted { .. }) => {}
                changes => break (oldest, changes.unwrap()),
            }
        };
        let revisions: Vec<_> = changes.iter().map(|change| change.revision).collect();
        assert_eq!(
            revisions,
            (oldest + 1..=latest).collect::<Vec<_>>(),
            "no gap and no repeat"
        );
        runtime.block_on(store.shutdown());
    }
}
