//! Writers that go on through kills, and the ledger of what was acknowledged to them.
//!
//! Each writer owns its keys and writes rising numbers, so that a key that goes back is a write lost. A write whose
//! outcome the writer never learned may be there or not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use coracle_api::{ApiError, Reason};
use coracle_client::{Object, ObjectApi};
use coracle_service::Clock;
use coracle_testing::eventually;
use tokio::task::JoinSet;

use crate::{access::Access, register};

/// Keys of one writer.
const KEYS: u64 = 8;
/// Writers that share a connection.
const WRITERS_PER_CONNECTION: usize = 16;
/// For writers to get on, a restart of the apiserver included.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a write is tried again whose outcome is not known.
const RETRY: Duration = Duration::from_millis(20);

/// The last acknowledged write of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where it was committed.
    pub revision: i64,
    /// What it wrote.
    pub value: u64,
}

/// Everything acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// By key: the last.
    pub last: BTreeMap<String, Acknowledged>,
    /// By revision: every write's key.
    pub writes: BTreeMap<i64, String>,
    /// Writes whose outcome nobody knows.
    pub unknown: usize,
}

impl Ledger {
    /// Enters an acknowledgement.
    ///
    /// # Errors
    /// Where it contradicts an earlier one: a revision twice, or a key whose revisions go back.
    pub fn enter(&mut self, key: &str, revision: i64, value: u64) -> Result<(), String> {
        if let Some(other) = self.writes.insert(revision, key.to_owned()) {
            return Err(format!(
                "revision {revision} was acknowledged for {other} and for {key}"
            ));
        }
        match self.last.insert(key.to_owned(), Acknowledged { revision, value }) {
            Some(before) if before.revision >= revision => Err(format!(
                "{key} was acknowledged at {} and then at {revision}",
                before.revision
            )),
            _ => Ok(()),
        }
    }

    fn merge(&mut self, other: Self) -> Result<(), String> {
        self.unknown += other.unknown;
        self.last.extend(other.last);
        for (revision, key) in other.writes {
            if let Some(first) = self.writes.insert(revision, key.clone()) {
                return Err(format!(
                    "revision {revision} was acknowledged for {first} and for {key}"
                ));
            }
        }
        Ok(())
    }

    /// Compares what is there now, as key, revision and number, with what was acknowledged.
    ///
    /// # Errors
    /// Each write that is lost, or that went back.
    pub fn check(&self, present: &BTreeMap<String, Acknowledged>) -> Result<(), String> {
        let lost: Vec<String> = self
            .last
            .iter()
            .filter_map(|(key, wanted)| match present.get(key) {
                None => Some(format!("{key} is gone, acknowledged at {}", wanted.revision)),
                Some(found) if found.revision < wanted.revision || found.value < wanted.value => {
                    Some(format!("{key} is {found:?}, acknowledged was {wanted:?}"))
                }
                Some(_) => None,
            })
            .collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(format!("acknowledged writes lost: {}", lost.join("; ")))
        }
    }
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

/// Writers at work.
pub struct Writers {
    shared: Arc<Shared>,
    tasks: JoinSet<anyhow::Result<Ledger>>,
}

impl Writers {
    /// Starts `count` writers.
    ///
    /// # Errors
    /// Where the server's address cannot be read.
    pub fn start(access: &Access, count: usize) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let mut client = access.client()?;
        for number in 0..count {
            if number % WRITERS_PER_CONNECTION == 0 {
                client = access.client()?;
            }
            tasks.spawn(write(
                client.clone(),
                number,
                Arc::clone(&shared),
                access.env.transport_clock.clone(),
            ));
        }
        Ok(Self { shared, tasks })
    }

    /// Waits until `count` more writes are acknowledged, so that what happens next happens under load.
    ///
    /// # Errors
    /// Where the writers do not get on.
    pub async fn get_on(&self, count: u64) -> anyhow::Result<()> {
        let acknowledged = || self.shared.acknowledged.load(Ordering::Relaxed);
        let wanted = acknowledged() + count;
        eventually("the writers to get on", PATIENCE, || async {
            let found = acknowledged();
            ensure!(found >= wanted, "{found} of {wanted} writes are acknowledged");
            Ok(())
        })
        .await
    }

    /// Lets each finish its write and returns what was acknowledged to all of them.
    ///
    /// # Errors
    /// A refusal that no kill explains, or acknowledgements that contradict each other.
    pub async fn stop(mut self) -> anyhow::Result<Ledger> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        while let Some(ledger) = self.tasks.join_next().await {
            all.merge(ledger.context("join writer")??)
                .map_err(anyhow::Error::msg)?;
        }
        ensure!(!all.last.is_empty(), "nothing was acknowledged");
        Ok(all)
    }
}

async fn write(
    api: impl ObjectApi,
    number: usize,
    shared: Arc<Shared>,
    clock: Clock,
) -> anyhow::Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut value = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        value += 1;
        let key = format!("writer-{number}-{}", value % KEYS);
        match put(&api, &key, value, ledger.last.contains_key(&key)).await {
            Ok(object) => {
                ledger
                    .enter(&key, object.revision, value)
                    .map_err(anyhow::Error::msg)?;
                shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if is_unknown(&error) => {
                ledger.unknown += 1;
                clock.sleep(RETRY).await;
            }
            Err(error) => return Err(error).with_context(|| format!("write {key}")),
        }
    }
    Ok(ledger)
}

/// Whether the write may have happened, or may happen when it is tried again.
#[must_use]
pub fn is_unknown(error: &ApiError) -> bool {
    // A connection that broke while a frame was being read is an internal error to gRPC.
    error.is_transient() || error.reason() == Reason::InternalError
}

async fn put(api: &impl ObjectApi, key: &str, value: u64, exists: bool) -> Result<Object, ApiError> {
    if !exists {
        match register::create(api, key, value).await {
            // An earlier try was committed and its answer lost.
            Err(error) if error.is_already_exists() => {}
            outcome => return outcome,
        }
    }
    register::update(api, key, value, None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.enter("a", 5, 1).unwrap();
        ledger.enter("b", 6, 2).unwrap();
        ledger.enter("a", 9, 3).unwrap();
        ledger
    }

    fn check(present: &[(&str, i64, u64)]) -> Result<(), String> {
        let present = present
            .iter()
            .map(|&(key, revision, value)| (key.to_owned(), Acknowledged { revision, value }))
            .collect();
        ledger().check(&present)
    }

    #[test]
    fn a_later_unacknowledged_write_is_no_loss() {
        assert_eq!(check(&[("a", 9, 3), ("b", 11, 4), ("c", 12, 1)]), Ok(()));
    }

    #[test]
    fn planted_losses_are_seen() {
        assert!(check(&[("a", 9, 3)]).unwrap_err().contains("b is gone"));
        assert!(check(&[("a", 5, 1), ("b", 6, 2)]).unwrap_err().contains("a is"));
        assert!(
            check(&[("a", 10, 1), ("b", 6, 2)]).is_err(),
            "a number that went back at a later revision"
        );
    }

    #[test]
    fn contradictions_are_seen() {
        assert!(ledger().enter("c", 6, 1).is_err());
        assert!(ledger().enter("a", 8, 4).is_err());
    }
}
