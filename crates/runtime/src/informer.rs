//! Fills a cache from a watch and keeps it filled, across broken connections and restarts of the apiserver.
//!
//! It resumes by revision after every break, and lists anew (telling only the differences) only where the apiserver
//! says that the revision is no longer retained. A watch that has been silent for [`SILENCE`] is opened again, so
//! that a stream which died without a word costs at most that long.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use coracle_api::ApiError;
use coracle_client::{Event, EventKind, ObjectApi, WatchQuery};
use coracle_service::{Env, Shutdown};
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::{Backoff, Cache, Key, Project, cache::Observation};

#[cfg(test)]
mod tests;

/// Wait before the first reconnect; doubles, with jitter, up to [`RECONNECT_MAX`].
pub const RECONNECT_MIN: Duration = Duration::from_millis(20);
/// The longest wait between reconnects.
pub const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// A watch that told nothing for so long is opened again where it stood.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Watches what `query` selects into `cache` until shutdown.
///
/// `query.from_revision` is ignored: the cache begins with the present state.
///
/// # Panics
/// If `query` and `cache` are of different kinds, which is a mistake in the caller.
pub fn start<T: Project>(
    cache: &Cache<T>,
    query: WatchQuery,
    api: Arc<dyn ObjectApi>,
    env: &Env,
    shutdown: &Shutdown,
) -> JoinHandle<()> {
    assert!(
        *query.resource == *cache.resource(),
        "the query is for the kind of the cache"
    );
    let informer = Informer {
        cache: cache.clone(),
        query,
        api,
        env: env.clone(),
        position: Position::Listing(BTreeSet::new()),
    };
    let shutdown = shutdown.clone();
    env.spawn.task("informer", async move {
        shutdown.guard(informer.run()).await;
    })
}

struct Informer<T> {
    cache: Cache<T>,
    query: WatchQuery,
    api: Arc<dyn ObjectApi>,
    env: Env,
    position: Position,
}

/// Where the watch stands.
enum Position {
    /// The present state is being told; these objects have been.
    Listing(BTreeSet<Key>),
    /// Everything up to this revision is known.
    At(i64),
}

impl<T: Project> Informer<T> {
    async fn run(mut self) {
        let mut backoff = Backoff::new(RECONNECT_MIN, RECONNECT_MAX);
        loop {
            match self.follow(&mut backoff).await {
                Ok(()) => tracing::debug!(resource = %self.query.resource, "watch ended, resume"),
                Err(error) if error.is_expired() => {
                    tracing::info!(resource = %self.query.resource, %error, "revision is gone, list anew");
                    self.position = Position::Listing(BTreeSet::new());
                }
                Err(error) => tracing::debug!(resource = %self.query.resource, %error, "watch broke, resume"),
            }
            self.env
                .transport_clock
                .sleep(backoff.next(&self.env.random))
                .await;
        }
    }

    /// Follows one watch to its end.
    async fn follow(&mut self, backoff: &mut Backoff) -> Result<(), ApiError> {
        self.query.from_revision = match &mut self.position {
            // A list that broke off is begun again: what was told of it may be gone by now.
            Position::Listing(present) => {
                present.clear();
                0
            }
            Position::At(revision) => *revision,
        };
        let clock = self.env.transport_clock.clone();
        let opened = clock.timeout(SILENCE, self.api.watch(&self.query)).await;
        let mut stream = opened.map_err(|_| ApiError::timeout("the watch was not opened"))??;
        while let Ok(next) = clock.timeout(SILENCE, stream.next()).await {
            let Some(events) = next else { return Ok(()) };
            let events = events?;
            backoff.reset();
            self.take(events);
        }
        Ok(())
    }

    fn take(&mut self, events: Vec<Event>) {
        let mut observations = Vec::with_capacity(events.len());
        let mut revision = 0;
        for event in events {
            revision = event.revision;
            match event.kind {
                EventKind::Added(object) | EventKind::Modified(object) => {
                    if let Position::Listing(present) = &mut self.position {
                        present.insert(Key::of(&object));
                    }
                    observations.push(Observation::Present(object));
                }
                EventKind::Deleted(object) => {
                    if let Position::Listing(present) = &mut self.position {
                        present.remove(&Key::of(&object));
                    }
                    observations.push(Observation::Gone(object));
                }
                EventKind::Synced => {
                    // While listing, revisions are those of single objects and say nothing of the whole.
                    self.cache.apply(std::mem::take(&mut observations), 0);
                    if let Position::Listing(present) = &self.position {
                        self.cache.finish_list(present, event.revision);
                    }
                    self.position = Position::At(event.revision);
                }
                EventKind::Bookmark => {}
            }
        }
        match &mut self.position {
            Position::Listing(_) => self.cache.apply(observations, 0),
            Position::At(at) => {
                *at = revision;
                self.cache.apply(observations, revision);
            }
        }
    }
}
