//! Removes Events that are too old or too many. Nothing else expires.

use std::sync::Arc;

use coracle_api::{ApiError, MetaView, kinds};
use coracle_service::{Env, Shutdown};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    config::EventRetention,
    registry::{Context, DeleteOptions, Entry, ListRequest, Registry, Target, Write},
};

/// Events removed in one commit.
const SWEEP_BATCH: usize = 500;

/// Sweeps until shutdown.
pub async fn run(registry: Arc<Registry>, retention: EventRetention, env: Env, shutdown: Shutdown) {
    while shutdown
        .guard(env.transport_clock.sleep(retention.interval))
        .await
        .is_some()
    {
        if let Err(error) = sweep(&registry, retention, env.cluster_clock.now()).await {
            tracing::warn!(%error, "sweep events");
        }
    }
}

/// Removes what is too old or too many at `now`; says how many that were.
///
/// # Errors
/// [`ApiError`] where the registry does not answer; events that others removed first are no error.
pub async fn sweep(
    registry: &Registry,
    retention: EventRetention,
    now: Timestamp,
) -> Result<usize, ApiError> {
    let mut entries = registry.list(&ListRequest::all(kinds::EVENT)).await?.entries;
    // The last change tells how old an Event is: one that is counted up goes on living.
    entries.sort_by_key(|entry| entry.revision);
    let too_many = entries.len().saturating_sub(retention.count);
    let age = SignedDuration::try_from(retention.age).unwrap_or(SignedDuration::MAX);
    let oldest = now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let is_old = |entry: &Entry| last_seen(entry).is_some_and(|seen| seen < oldest);
    let gone = entries
        .iter()
        .enumerate()
        .filter(|(place, entry)| *place < too_many || is_old(entry));
    let gone: Vec<Write> = gone.map(|(_, entry)| delete(entry)).collect();
    for batch in gone.chunks(SWEEP_BATCH) {
        for outcome in registry
            .batch(&Context::internal(), batch.to_vec(), false)
            .await?
        {
            if let Err(error) = outcome
                && !error.is_not_found()
            {
                return Err(error);
            }
        }
    }
    Ok(gone.len())
}

fn delete(entry: &Entry) -> Write {
    let target = Target::new(
        kinds::EVENT,
        &*entry.attributes.namespace,
        &*entry.attributes.name,
    );
    Write::Delete {
        target,
        options: DeleteOptions::default(),
    }
}

/// When the Event was last told.
fn last_seen(entry: &Entry) -> Option<Timestamp> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Times {
        metadata: MetaView,
        last_timestamp: Option<Timestamp>,
    }
    let times: Times = serde_json::from_slice(&entry.json).ok()?;
    times.last_timestamp.max(times.metadata.creation_timestamp)
}
