//! Watchers that go on through kills by resuming at the last revision they saw, and the check of what they saw:
//! nothing missed, nothing twice, everything in order.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use coracle_api::kinds;
use coracle_client::{Event, EventKind, ListQuery, ObjectApi, WatchQuery};
use coracle_service::{Clock, Env};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::{
    access::Access,
    register::{self, NAMESPACE},
    writers::{Ledger, is_unknown},
};

/// The register whose creation ends every watch.
const END: &str = "end-of-watch";
/// Before a watch that broke is begun again.
const RETRY: Duration = Duration::from_millis(20);
/// How long the last events may take to arrive.
const LAST_EVENTS: Duration = Duration::from_secs(60);

/// What one event said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it was committed.
    pub revision: i64,
    /// The register's name.
    pub key: String,
}

/// What one watcher saw, checked event by event.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// In the order of arrival.
    pub events: Vec<Seen>,
    /// Resume from here.
    pub position: i64,
    /// How often the watch broke and was resumed.
    pub resumed: usize,
    present: BTreeSet<String>,
}

impl Log {
    /// A log that begins after `position`, when `present` were there.
    #[must_use]
    pub fn after(position: i64, present: BTreeSet<String>) -> Self {
        Self {
            position,
            present,
            ..Self::default()
        }
    }

    /// Enters an event.
    ///
    /// # Errors
    /// Where it repeats an earlier one, is out of order, or does not follow from the state before.
    pub fn enter(&mut self, event: &Event) -> Result<(), String> {
        let (object, fits) = match &event.kind {
            EventKind::Added(object) => (object, self.present.insert(object.name.clone())),
            EventKind::Modified(object) => (object, self.present.contains(&object.name)),
            EventKind::Deleted(object) => (object, self.present.remove(&object.name)),
            EventKind::Synced | EventKind::Bookmark => {
                if event.revision < self.position {
                    return Err(format!(
                        "bookmark {} came after {}",
                        event.revision, self.position
                    ));
                }
                self.position = event.revision;
                return Ok(());
            }
        };
        if event.revision <= self.position {
            return Err(format!(
                "{object:?} came at {} after {}",
                event.revision, self.position
            ));
        }
        if !fits {
            return Err(format!("{event:?} does not follow from what was seen before"));
        }
        self.position = event.revision;
        self.events.push(Seen {
            revision: event.revision,
            key: object.name.clone(),
        });
        Ok(())
    }
}

/// Checks that every log holds every acknowledged write and that all logs say the same.
///
/// # Errors
/// What was missed, and by whom.
pub fn check(logs: &[Log], ledger: &Ledger) -> Result<(), String> {
    let Some(first) = logs.first() else {
        return Err("nobody watched".to_owned());
    };
    for (number, log) in logs.iter().enumerate() {
        for (revision, key) in &ledger.writes {
            match log.events.binary_search_by_key(revision, |seen| seen.revision) {
                Ok(index) if log.events[index].key == *key => {}
                Ok(index) => {
                    return Err(format!(
                        "watcher {number} saw {:?} and not {key}",
                        log.events[index]
                    ));
                }
                Err(_) => return Err(format!("watcher {number} missed {key} at {revision}")),
            }
        }
        if let Some((own, other)) = log
            .events
            .iter()
            .zip(&first.events)
            .find(|(own, other)| own != other)
        {
            return Err(format!(
                "watcher {number} saw {own:?} where the first saw {other:?}"
            ));
        }
        if log.events.len() != first.events.len() {
            return Err(format!(
                "watcher {number} saw {} events, the first {}",
                log.events.len(),
                first.events.len()
            ));
        }
    }
    Ok(())
}

/// Watchers at work.
pub struct Watchers {
    tasks: JoinSet<anyhow::Result<Log>>,
    env: Env,
    access: Access,
}

impl Watchers {
    /// Starts `count` watchers of all registers, each on a connection of its own, from now on.
    ///
    /// # Errors
    /// Where the apiserver does not answer.
    pub async fn start(access: &Access, count: usize) -> anyhow::Result<Self> {
        let api = access.client()?;
        let query = ListQuery {
            namespace: NAMESPACE.to_owned(),
            ..ListQuery::all(kinds::CONFIG_MAP)
        };
        let (objects, revision) = api.list_all(&query).await.context("list registers")?;
        let present: Arc<BTreeSet<String>> =
            Arc::new(objects.into_iter().map(|object| object.name).collect());
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let log = Log::after(revision, BTreeSet::clone(&present));
            tasks.spawn(follow(access.client()?, log, access.env.transport_clock.clone()));
        }
        Ok(Self {
            tasks,
            env: access.env.clone(),
            access: access.clone(),
        })
    }

    /// Writes a last event, waits until every watcher has seen it, and returns their logs.
    ///
    /// # Errors
    /// What a watcher saw wrong, or where the last event did not come.
    pub async fn stop(mut self) -> anyhow::Result<Vec<Log>> {
        let api = self.access.client()?;
        register::create(&api, END, 0)
            .await
            .context("write the last event")?;
        let all = async {
            let mut logs = Vec::new();
            while let Some(log) = self.tasks.join_next().await {
                logs.push(log.context("join watcher")??);
            }
            anyhow::Ok(logs)
        };
        self.env
            .transport_clock
            .timeout(LAST_EVENTS, all)
            .await
            .context("wait for the last events")?
    }
}

async fn follow(api: impl ObjectApi, mut log: Log, clock: Clock) -> anyhow::Result<Log> {
    loop {
        let query = WatchQuery {
            namespace: NAMESPACE.to_owned(),
            from_revision: log.position,
            ..WatchQuery::all(kinds::CONFIG_MAP)
        };
        let mut stream = match api.watch(&query).await {
            Ok(stream) => stream,
            Err(error) => {
                ensure!(is_unknown(&error), "watch from {}: {error:?}", log.position);
                clock.sleep(RETRY).await;
                continue;
            }
        };
        while let Some(events) = stream.next().await {
            let events = match events {
                Ok(events) => events,
                Err(error) => {
                    ensure!(is_unknown(&error), "watch broke at {}: {error:?}", log.position);
                    break;
                }
            };
            for event in events {
                log.enter(&event).map_err(anyhow::Error::msg)?;
            }
            if log.present.contains(END) {
                return Ok(log);
            }
        }
        log.resumed += 1;
        clock.sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use coracle_client::Object;

    use super::*;

    fn event(kind: fn(Object) -> EventKind, name: &str, revision: i64) -> Event {
        let object = Object {
            namespace: NAMESPACE.to_owned(),
            name: name.to_owned(),
            uid: String::new(),
            revision,
            json: bytes::Bytes::new(),
        };
        Event {
            kind: kind(object),
            revision,
        }
    }

    fn log(events: &[(&str, i64)]) -> Result<Log, String> {
        let mut log = Log::after(10, ["a", "b", "c"].map(str::to_owned).into());
        for &(name, revision) in events {
            log.enter(&event(EventKind::Modified, name, revision))?;
        }
        Ok(log)
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for (key, revision) in [("a", 11), ("b", 12), ("a", 14)] {
            ledger.enter(key, revision, 0).unwrap();
        }
        ledger
    }

    #[test]
    fn what_was_never_acknowledged_may_be_seen() {
        let log = log(&[("a", 11), ("b", 12), ("c", 13), ("a", 14)]).unwrap();
        assert_eq!(check(&[log.clone(), log], &ledger()), Ok(()));
    }

    #[test]
    fn planted_gaps_are_seen() {
        let whole = log(&[("a", 11), ("b", 12), ("c", 13), ("a", 14)]).unwrap();
        let without_acknowledged = log(&[("a", 11), ("c", 13), ("a", 14)]).unwrap();
        assert!(
            check(&[whole.clone(), without_acknowledged], &ledger())
                .unwrap_err()
                .contains("missed b")
        );
        let without_another = log(&[("a", 11), ("b", 12), ("a", 14)]).unwrap();
        assert!(check(&[whole.clone(), without_another], &ledger()).is_err());
        let other_key = log(&[("a", 11), ("c", 12), ("c", 13), ("a", 14)]).unwrap();
        assert!(check(&[other_key], &ledger()).is_err());
        assert!(check(&[], &ledger()).is_err());
    }

    #[test]
    fn planted_repeats_and_disorder_are_seen() {
        assert!(log(&[("a", 11), ("a", 11)]).is_err(), "a repeat");
        assert!(log(&[("b", 12), ("a", 11)]).is_err(), "disorder");
        assert!(log(&[("a", 10)]).is_err(), "an event from before the watch");
        assert!(log(&[("new", 11)]).is_err(), "a change of what was never there");
        let mut log = log(&[("a", 11)]).unwrap();
        log.enter(&Event {
            kind: EventKind::Bookmark,
            revision: 20,
        })
        .unwrap();
        assert!(
            log.enter(&event(EventKind::Modified, "a", 20)).is_err(),
            "an event at a bookmark"
        );
        assert!(
            log.enter(&event(EventKind::Added, "a", 21)).is_err(),
            "what is there cannot be added"
        );
    }
}
