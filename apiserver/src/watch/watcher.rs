//! One watch: the present objects, or what was missed, and then every change as it is published.
//!
//! Promises: in revision order, no gap, no repeat; nothing at or below a bookmark is told after it. A watch that
//! cannot keep these ends with an error that says where to begin again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use coracle_api::{ApiError, Resource, encode};
use coracle_store::{ChangeKind, Key, ReadError};
use tokio::time::Instant;

use super::{
    Entry, Event, EventKind, Filter,
    cache::{WatchCache, kind_of},
    event::Change,
    hub::Registration,
    queue::{MAX_QUEUED_BYTES, MAX_QUEUED_EVENTS, Queue, Taken},
};
use crate::registry::{Converter, Start};

/// How often a watch tells its progress at most, where anything moved.
const MIN_BOOKMARK_INTERVAL: Duration = Duration::from_secs(1);
/// And at least, however many there are: well before a client takes silence for a lost connection.
const MAX_BOOKMARK_INTERVAL: Duration = Duration::from_secs(30);
/// How many watches tell their progress in a second: a standing cluster pays for this, not for its size.
const MAX_BOOKMARKS_PER_SECOND: f64 = 100.0;
/// The most that one call of [`Watch::next`] returns.
const MAX_TOLD_EVENTS: usize = 1_000;
/// And its bytes; one event may be larger.
const MAX_TOLD_BYTES: usize = 2 << 20;
/// Changes read from history at a time.
const HISTORY_PAGE: usize = 512;

/// A running watch. Dropping it ends it.
pub struct Watch {
    cache: Arc<WatchCache>,
    resource: &'static Resource,
    kind: usize,
    filter: Filter,
    bookmarks: bool,
    queue: Arc<Queue>,
    registration: Option<Registration>,
    /// Objects that are still to be told, and the revision they show.
    initial: Option<(std::vec::IntoIter<Entry>, i64)>,
    /// Events that are ready and did not fit into the last answer.
    ready: VecDeque<Event>,
    /// The client knows of everything up to here.
    told: i64,
    /// Everything up to here has been read from history.
    position: i64,
    /// When progress is told next.
    bookmark_at: Instant,
    has_ended: bool,
    /// Who makes objects ones of the version that is watched, where that takes a webhook.
    converter: Option<Converter>,
}

impl Watch {
    pub(super) fn begin(
        cache: Arc<WatchCache>,
        resource: &'static Resource,
        mut filter: Filter,
        from: Start,
        bookmarks: bool,
    ) -> Result<Self, ApiError> {
        let kind = kind_of(resource);
        filter.node_names.sort_unstable();
        let bookmark_at = cache.clock.monotonic() + MIN_BOOKMARK_INTERVAL;
        let mut watch = Self {
            cache,
            resource,
            kind,
            filter,
            bookmarks,
            queue: Arc::default(),
            registration: None,
            initial: None,
            ready: VecDeque::new(),
            told: 0,
            position: 0,
            bookmark_at,
            has_ended: false,
            converter: None,
        };
        match from {
            Start::Now { initial } => {
                let (registration, entries, revision) = watch.cache.follow(kind, &watch.filter, &watch.queue);
                watch.registration = Some(registration);
                watch.told = revision;
                watch.initial = initial.then(|| (entries.into_iter(), revision));
            }
            Start::After(revision) => {
                watch.told = revision;
                watch.position = revision;
                let compacted = watch.cache.store.compacted_revision();
                if revision < compacted {
                    return Err(ApiError::expired(revision, compacted));
                }
                watch.try_resume()?;
            }
        }
        Ok(watch)
    }

    /// The same watch, whose objects are converted by somebody.
    pub(crate) fn converted_by(mut self, converter: Converter) -> Self {
        self.converter = Some(converter);
        self
    }

    /// The next events, at least one; `None` after an error.
    ///
    /// Safe to drop while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Vec<Event>, ApiError>> {
        if self.has_ended {
            return None;
        }
        let outcome = match self.more().await {
            Ok(events) => self.served(events).await,
            Err(error) => Err(error),
        };
        self.has_ended = outcome.is_err();
        Some(outcome)
    }

    /// The events with their objects in the version that is watched.
    async fn served(&self, mut events: Vec<Event>) -> Result<Vec<Event>, ApiError> {
        if let Some(converter) = &self.converter {
            let entries = events
                .iter_mut()
                .filter_map(|event| event.entry.as_mut())
                .collect();
            converter.in_place(entries, self.resource).await?;
        }
        if self.resource.is_storage() {
            return Ok(events);
        }
        for event in &mut events {
            let stored = event.entry.take();
            event.entry = stored.map(|entry| entry.served(self.resource)).transpose()?;
        }
        Ok(events)
    }

    /// Whether the present objects have all been told.
    #[cfg(test)]
    pub(super) fn is_past_initial(&self) -> bool {
        self.initial.is_none()
    }

    async fn more(&mut self) -> Result<Vec<Event>, ApiError> {
        loop {
            if let Some(events) = self.tell_initial() {
                return Ok(events);
            }
            if self.registration.is_none() {
                self.read_history().await?;
            } else {
                self.take_queued()?;
            }
            if !self.ready.is_empty() {
                return Ok(self.tell_ready());
            }
            if self.registration.is_some() {
                tokio::select! {
                    biased;
                    () = self.queue.pushed() => {}
                    () = self.cache.clock.sleep_until(self.bookmark_at) => {
                        if let Some(bookmark) = self.bookmark() {
                            return Ok(vec![bookmark]);
                        }
                    }
                }
            }
        }
    }

    fn tell_initial(&mut self) -> Option<Vec<Event>> {
        let (entries, revision) = self.initial.as_mut()?;
        let added = |entry: Entry| Event {
            kind: EventKind::Added,
            revision: entry.revision,
            entry: Some(entry),
        };
        let mut events = Vec::new();
        let mut size_bytes = 0;
        while events.len() < MAX_TOLD_EVENTS && size_bytes < MAX_TOLD_BYTES {
            let Some(entry) = entries.next() else {
                events.push(Event::mark(EventKind::Synced, *revision));
                self.initial = None;
                break;
            };
            size_bytes += entry.json.len();
            events.push(added(entry));
        }
        Some(events)
    }

    fn tell_ready(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut size_bytes = 0;
        while events.len() < MAX_TOLD_EVENTS && size_bytes < MAX_TOLD_BYTES {
            let Some(event) = self.ready.pop_front() else {
                break;
            };
            size_bytes += event.size_bytes();
            self.told = self.told.max(event.revision);
            events.push(event);
        }
        events
    }

    fn take_queued(&mut self) -> Result<(), ApiError> {
        if !self.ready.is_empty() {
            return Ok(());
        }
        match self.queue.take() {
            Taken::Nothing => Ok(()),
            Taken::CutOff => Err(ApiError::too_many_requests(
                format!(
                    "watch cut off: more than {MAX_QUEUED_EVENTS} events or {MAX_QUEUED_BYTES} bytes waited to be \
                     read; resume after resource version {}",
                    self.told
                ),
                1,
            )),
            Taken::Batches(batches) => {
                let changes = batches.iter().flat_map(|batch| &batch.changes);
                self.ready
                    .extend(changes.filter_map(|change| self.filter.see(change)));
                Ok(())
            }
        }
    }

    /// Everything has been told up to the latest revision: says so.
    fn bookmark(&mut self) -> Option<Event> {
        self.bookmark_at = self.cache.clock.monotonic() + bookmark_interval(self.cache.watchers());
        let revision = self
            .cache
            .progress(&self.queue)
            .filter(|revision| *revision > self.told)?;
        self.told = revision;
        self.bookmarks.then(|| Event::mark(EventKind::Bookmark, revision))
    }

    /// Goes over from history to the window, where that reaches back far enough.
    fn try_resume(&mut self) -> Result<(), ApiError> {
        let resumed = self
            .cache
            .resume(self.kind, &self.filter, &self.queue, self.position)?;
        if let Some((registration, missed)) = resumed {
            self.registration = Some(registration);
            self.ready
                .extend(missed.iter().filter_map(|change| self.filter.see(change)));
        }
        Ok(())
    }

    /// Reads one page of history, then tries to go over to the window.
    async fn read_history(&mut self) -> Result<(), ApiError> {
        if !self.ready.is_empty() {
            return Ok(());
        }
        // The store may show a group that the cache is just being told; what is ahead of the cache waits for it.
        let upto = self.cache.revision();
        let (store, after) = (Arc::clone(&self.cache.store), self.position);
        let page = self
            .cache
            .spawn
            .blocking(move || store.changes(after, HISTORY_PAGE))
            .await;
        let mut page = page.map_err(ApiError::internal)?.map_err(|error| match error {
            ReadError::Compacted { requested, oldest } => ApiError::expired(requested, oldest),
            other => ApiError::internal(other),
        })?;
        page.retain(|change| change.revision <= upto);
        let last = page.last().map(|change| change.revision);
        for change in page {
            if change.key.starts_with(self.resource.store_prefix())
                && let Some(change) = self.remember(change)
            {
                self.ready.extend(self.filter.see(&change));
            }
        }
        self.position = last.unwrap_or(self.position);
        self.try_resume()
    }

    fn remember(&self, change: coracle_store::Change) -> Option<Change> {
        let entry = self.entry(&change.key, change.revision, change.json)?;
        let previous = change.previous.and_then(|json| {
            let revision = encode::revision_of(&json)?;
            self.entry(&change.key, revision, json)
        });
        let deleted = change.kind == ChangeKind::Delete;
        let revision = change.revision;
        Some(Change {
            kind: self.kind,
            revision,
            deleted,
            entry,
            previous,
            left: Default::default(),
        })
    }

    fn entry(&self, key: &Key, revision: i64, json: bytes::Bytes) -> Option<Entry> {
        let attributes = Arc::new((self.cache.describe)(self.resource, &json)?);
        Some(Entry {
            key: Arc::clone(key),
            revision,
            json: crate::registry::custom::stored_form(self.resource.storage(), json),
            attributes,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(registration) = &self.registration {
            self.cache.forget(registration);
        }
    }
}

/// How long a watch is silent about its progress, where so many run.
fn bookmark_interval(watchers: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "2^52 watches do not fit into memory")]
    let shared = Duration::from_secs_f64(watchers as f64 / MAX_BOOKMARKS_PER_SECOND);
    shared.clamp(MIN_BOOKMARK_INTERVAL, MAX_BOOKMARK_INTERVAL)
}
