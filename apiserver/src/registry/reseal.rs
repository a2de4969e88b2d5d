//! Sealing what is sealed anew, after the key that seals was replaced.
//!
//! Which key sealed a value is written in its record, so this can be broken off anywhere and goes on where it was. What
//! is under way while the key is replaced may still be sealed with the former one; [`Seals`] tells when it is through.

use std::{sync::Arc, time::Duration};

use coracle_api::{ApiError, encode, kinds};
use coracle_store::{Condition, Key, Op, Txn, TxnError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Registry, strategy};

/// How often what is still sealed with another key is looked for; each time, only what was written meanwhile is left.
const MAX_ROUNDS: usize = 8;
/// How often, and how long, compaction is waited for.
const COMPACTION_POLL: Duration = Duration::from_millis(20);
const COMPACTION_TIMEOUT: Duration = Duration::from_secs(30);

impl Registry {
    /// Writes every Secret again as it is that is not sealed with the newest key, which seals it with that; answers how
    /// many.
    ///
    /// # Errors
    /// The store's.
    pub async fn reseal(&self) -> Result<usize, ApiError> {
        let mut count = 0;
        for _ in 0..MAX_ROUNDS {
            let due = self.sealed_otherwise().await?;
            if due.is_empty() {
                return Ok(count);
            }
            for key in due {
                count += usize::from(self.reseal_one(key).await?);
            }
        }
        Err(ApiError::unavailable(
            "Secrets are written faster than they are sealed anew",
        ))
    }

    /// Puts other keys in the place of those that seal, and waits until everything that still uses the former is
    /// written.
    pub async fn seal_with(&self, keys: &[coracle_store::SealKey]) {
        self.codec.set_keys(keys);
        self.seals.under_way_is_through().await;
    }

    /// How many keys there are that seal, or once did.
    pub fn seal_keys(&self) -> usize {
        self.codec.key_ids().len()
    }

    /// The Secrets that another key than the newest seals.
    ///
    /// # Errors
    /// The store's.
    pub async fn sealed_otherwise(&self) -> Result<Vec<Key>, ApiError> {
        let Some(newest) = self.codec.key_ids().first().copied() else {
            return Ok(Vec::new());
        };
        let store = Arc::clone(&self.store);
        let look = move || store.sealed(kinds::SECRET.store_prefix);
        let sealed = self.env.spawn.blocking(look).await.map_err(ApiError::internal)?;
        let sealed = sealed.map_err(ApiError::internal)?;
        let others = sealed.into_iter().filter(|(_, id)| *id != newest);
        Ok(others.map(|(key, _)| key).collect())
    }

    /// Forgets all history up to now, on disk too, and with it everything that only an older key opens.
    ///
    /// # Errors
    /// The store's, or where it takes too long.
    pub async fn forget_history(&self) -> Result<(), ApiError> {
        let upto = self.store.revision();
        self.store.compact(upto);
        let clock = &self.env.transport_clock;
        let compacted = async {
            while self.store.compacted_revision() < upto {
                clock.sleep(COMPACTION_POLL).await;
            }
        };
        if clock.timeout(COMPACTION_TIMEOUT, compacted).await.is_err() {
            return Err(ApiError::unavailable(
                "history is not forgotten yet: try again later",
            ));
        }
        let done = self.store.checkpoint().await;
        done.map(drop)
            .map_err(|error| ApiError::unavailable(error.to_string()))
    }

    async fn reseal_one(&self, key: Key) -> Result<bool, ApiError> {
        // One that went meanwhile needs no seal.
        let Some(entry) = self.cache.get(kinds::SECRET, &key) else {
            return Ok(false);
        };
        let Some((canonical, revision)) = encode::strip_resource_version(&entry.json) else {
            return Err(ApiError::internal("read a Secret: it has no resourceVersion"));
        };
        let _using = self.seals.enter();
        let value = self.encode_value(strategy::of(kinds::SECRET), canonical, &entry.attributes)?;
        let txn = Txn {
            conditions: vec![Condition::AtRevision {
                key: Arc::clone(&key),
                revision,
            }],
            ops: vec![Op::Put {
                key,
                value,
                fence: None,
                attachment: entry.attributes,
            }],
        };
        match self.store.commit(txn).await {
            Ok(_) => Ok(true),
            // Somebody wrote it meanwhile, with the newest key.
            Err(TxnError::ConditionFailed { .. } | TxnError::NotFound { .. }) => Ok(false),
            Err(error) => Err(ApiError::unavailable(error.to_string())),
        }
    }
}

/// Who is between sealing a value and having it stored.
#[derive(Debug, Default)]
pub(super) struct Seals {
    under_way: Mutex<UnderWay>,
    ended: Notify,
}

/// Those who began before and after the keys were last replaced take turns in the two places.
#[derive(Debug, Default)]
struct UnderWay {
    present: usize,
    counts: [usize; 2],
}

/// Held from before a value is sealed until it is stored, or will never be.
#[derive(Debug)]
pub(super) struct Using {
    seals: Arc<Seals>,
    place: usize,
}

impl Seals {
    pub fn enter(self: &Arc<Self>) -> Using {
        let mut under_way = self.under_way.lock();
        let place = under_way.present;
        if let Some(count) = under_way.counts.get_mut(place) {
            *count += 1;
        }
        Using {
            seals: Arc::clone(self),
            place,
        }
    }

    /// Waits for those who are under way now. One caller at a time.
    async fn under_way_is_through(&self) {
        let before = {
            let mut under_way = self.under_way.lock();
            let before = under_way.present;
            under_way.present = 1 - before;
            before
        };
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self
                .under_way
                .lock()
                .counts
                .get(before)
                .is_none_or(|count| *count == 0)
            {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        if let Some(count) = self.seals.under_way.lock().counts.get_mut(self.place) {
            *count = count.saturating_sub(1);
        }
        self.seals.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use coracle_store::SealKey;
    use futures::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    fn key(id: u32) -> SealKey {
        SealKey {
            id,
            bytes: [u8::try_from(id).unwrap(); 32],
        }
    }

    async fn secret(bench: &Bench, name: &str) {
        let secret = json!({"metadata": {"name": name}, "stringData": {"a": "b"}});
        bench.create(kinds::SECRET, secret).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_sealed_anew_stays_what_it_is() {
        let bench = Bench::new().await;
        bench.codec.set_keys(&[key(1)]);
        secret(&bench, "s").await;
        let mut before = bench.get(kinds::SECRET, "s").await.unwrap();
        assert_eq!(bench.registry.reseal().await.unwrap(), 0, "there is but one key");
        bench.registry.seal_with(&[key(2), key(1)]).await;
        secret(&bench, "t").await;
        assert_eq!(bench.registry.sealed_otherwise().await.unwrap().len(), 1);
        assert_eq!(bench.registry.reseal().await.unwrap(), 1);
        assert_eq!(bench.registry.sealed_otherwise().await.unwrap().len(), 0);
        assert_eq!(bench.registry.reseal().await.unwrap(), 0);
        let mut after = bench.get(kinds::SECRET, "s").await.unwrap();
        assert_ne!(
            before["metadata"]["resourceVersion"].take(),
            after["metadata"]["resourceVersion"].take(),
            "it was written"
        );
        assert_eq!(before, after);
    }

    #[tokio::test]
    async fn what_is_under_way_is_waited_for_and_nothing_else() {
        let seals = Arc::new(Seals::default());
        let before = seals.enter();
        let mut through = Box::pin(seals.under_way_is_through());
        assert!(through.as_mut().now_or_never().is_none());
        let after = seals.enter();
        drop(before);
        assert!(
            through.as_mut().now_or_never().is_some(),
            "who came later is not waited for"
        );
        let mut through = Box::pin(seals.under_way_is_through());
        assert!(through.as_mut().now_or_never().is_none());
        drop(after);
        assert!(through.as_mut().now_or_never().is_some());
    }
}
