//! [`MemoryStore`]: the store for tests and simulation. No threads, no clock of its own, deterministic.
//!
//! It keeps the same promises as the durable store within one process, and it can die: [`MemoryStore::crash`]
//! forgets whatever was not synced. What "synced" takes is a hook, so a simulation can put a crash between
//! append and sync, and a test of tests can leave the sync out and watch its checker go red.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::index::{HistoryLimits, Index, NewVersion};
use crate::judge::{Entry, judge};
use crate::publish::{acknowledge, published};
use crate::read::{self, Values};
use crate::record;
use crate::store::{MAX_GROUP_TXNS, Publisher, Store};
use crate::types::{
    BoxFuture, Change, Committed, Fence, Key, Published, ReadError, Revision, StoreStatus, Stored, Txn,
    TxnError,
};

/// History is dropped at most this many revisions at a time, behind each group.
const COMPACT_STEP: usize = 1_024;

/// Awaited between append and sync: the simulation's disk.
pub type SyncHook = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How a [`MemoryStore`] behaves.
#[derive(Clone, Default)]
pub struct MemoryConfig {
    /// Reported in the status.
    pub cluster_id: String,
    /// How much history is kept. Its age counts from [`MemoryConfig::now_s`].
    pub history: HistoryLimits,
    /// Seconds on any clock that only goes forward; without it history does not age.
    pub now_s: Option<Arc<dyn Fn() -> u32 + Send + Sync>>,
    /// What a sync takes; without it, nothing.
    pub sync: Option<SyncHook>,
    /// A planted bug: acknowledge without syncing, so that a crash loses acknowledged writes. For showing
    /// that a durability checker notices.
    pub skip_sync: bool,
}

/// The store in memory. Clones share one store.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    config: MemoryConfig,
    /// One group at a time, across the sync hook.
    writer: tokio::sync::Mutex<()>,
    index: RwLock<Index>,
    values: RwLock<Kept>,
    publisher: Mutex<Option<Arc<dyn Publisher>>>,
    /// Counts crashes: a commit that a crash interrupted must not come back to life.
    epoch: AtomicU64,
    closed: AtomicBool,
}

/// Values by revision, and what a crash would leave of them.
#[derive(Default)]
struct Kept {
    values: BTreeMap<Revision, KeptValue>,
    synced: Revision,
}

#[derive(Clone)]
struct KeptValue {
    key: Key,
    deleted: bool,
    fence: Option<Fence>,
    bytes: usize,
    sealed_by: Option<u32>,
    json: Bytes,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new(MemoryConfig::default())
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new(config: MemoryConfig) -> MemoryStore {
        MemoryStore {
            shared: Arc::new(Shared {
                config,
                writer: tokio::sync::Mutex::default(),
                index: RwLock::default(),
                values: RwLock::default(),
                publisher: Mutex::default(),
                epoch: AtomicU64::default(),
                closed: AtomicBool::default(),
            }),
        }
    }

    /// The process dies and starts again: what was not synced is gone, commits in flight fail, the publisher
    /// is forgotten. History before the crash survives as far as it was synced and not compacted.
    pub fn crash(&self) {
        let shared = &self.shared;
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        *shared.publisher.lock() = None;
        let mut index = shared.index.write();
        let mut kept = shared.values.write();
        let synced = kept.synced;
        kept.values.split_off(&(synced + 1));
        let compacted = index.compacted().min(synced);
        let mut rebuilt = Index::starting_at(compacted);
        for (revision, value) in &kept.values {
            if *revision <= compacted {
                rebuilt.load(&value.key, *revision, value.fence.as_ref());
            } else {
                rebuilt.insert(&value.version(*revision, shared.now_s()));
            }
        }
        *index = rebuilt;
        shared.closed.store(false, Ordering::SeqCst);
    }
}

impl KeptValue {
    fn version(&self, revision: Revision, at_s: u32) -> NewVersion<'_> {
        let KeptValue {
            key,
            deleted,
            fence,
            bytes,
            sealed_by: _,
            json: _,
        } = self;
        NewVersion {
            key,
            revision,
            deleted: *deleted,
            fence: fence.as_ref(),
            bytes: *bytes,
            at_s,
        }
    }
}

impl Shared {
    fn now_s(&self) -> u32 {
        self.config.now_s.as_ref().map_or(0, |now| now())
    }

    async fn commit_group(&self, txns: Vec<Txn>) -> Vec<Result<Committed, TxnError>> {
        let refused = txns.len();
        let refuse = |why: &str| {
            (0..refused)
                .map(|_| Err(TxnError::Unavailable(why.to_owned())))
                .collect()
        };
        let epoch = self.epoch.load(Ordering::SeqCst);
        let _writer = self.writer.lock().await;
        if self.closed.load(Ordering::SeqCst) {
            return refuse("the store is shut down");
        }
        // Nothing is changed before the sync, so a commit dropped or crashed here never happened.
        let judged = judge(&self.index.read(), txns);
        if let Some(sync) = &self.config.sync {
            sync().await;
        }
        if self.epoch.load(Ordering::SeqCst) != epoch {
            return refuse("the store crashed");
        }
        let published = published(&judged.entries);
        {
            // Held from the first visible change on, so that a subscriber knows which groups it will see.
            let publisher = self.publisher.lock();
            self.keep(&judged.entries, &published);
            if let Some(publisher) = publisher.as_ref()
                && !published.is_empty()
            {
                publisher.publish(&published);
            }
        }
        self.compact_step();
        acknowledge(judged.verdicts, &published)
    }

    fn keep(&self, entries: &[Entry], published: &[Published]) {
        let at_s = self.now_s();
        let mut index = self.index.write();
        let mut kept = self.values.write();
        for (entry, published) in entries.iter().zip(published) {
            let value = KeptValue {
                key: entry.key.clone(),
                deleted: entry.deleted,
                fence: entry.fence.clone(),
                bytes: entry.value.record.len(),
                sealed_by: record::sealed_by(&entry.value.record),
                json: published.json.clone(),
            };
            index.insert(&value.version(entry.revision, at_s));
            kept.values.insert(entry.revision, value);
        }
        if !self.config.skip_sync {
            kept.synced = index.latest();
        }
    }

    fn compact_step(&self) {
        let mut index = self.index.write();
        let target = index.compaction_target(&self.config.history, self.now_s(), COMPACT_STEP);
        self.compact_to(&mut index, target, COMPACT_STEP);
    }

    fn compact_to(&self, index: &mut Index, upto: Revision, max_steps: usize) {
        let mut dropped = Vec::new();
        index.compact(upto, max_steps, &mut dropped);
        let mut kept = self.values.write();
        for revision in dropped {
            kept.values.remove(&revision);
        }
    }
}

impl Values for RwLock<Kept> {
    fn json(&self, revision: Revision) -> Result<Option<Bytes>, ReadError> {
        Ok(self.read().values.get(&revision).map(|value| value.json.clone()))
    }

    fn sealed_by(&self, revision: Revision) -> Result<Option<u32>, ReadError> {
        Ok(self
            .read()
            .values
            .get(&revision)
            .and_then(|value| value.sealed_by))
    }
}

impl Store for MemoryStore {
    fn commit(&self, txn: Txn) -> BoxFuture<'static, Result<Committed, TxnError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let mut results = shared.commit_group(vec![txn]).await;
            results
                .pop()
                .unwrap_or_else(|| unreachable!("one transaction has one result"))
        })
    }

    fn commit_many(&self, txns: Vec<Txn>) -> BoxFuture<'static, Vec<Result<Committed, TxnError>>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let mut results = Vec::with_capacity(txns.len());
            let mut txns = txns.into_iter();
            loop {
                let group: Vec<Txn> = txns.by_ref().take(MAX_GROUP_TXNS).collect();
                if group.is_empty() {
                    return results;
                }
                results.extend(shared.commit_group(group).await);
            }
        })
    }

    fn revision(&self) -> Revision {
        self.shared.index.read().latest()
    }

    fn compacted_revision(&self) -> Revision {
        self.shared.index.read().compacted()
    }

    fn get(&self, key: &str, at: Option<Revision>) -> Result<Option<Stored>, ReadError> {
        read::get(&self.shared.index, &self.shared.values, key, at)
    }

    fn range(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<Stored>, ReadError> {
        read::range(
            &self.shared.index,
            &self.shared.values,
            prefix,
            start_after,
            limit,
            at,
        )
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, ReadError> {
        read::changes(&self.shared.index, &self.shared.values, after, limit)
    }

    fn sealed(&self, prefix: &str) -> Result<Vec<(Key, u32)>, ReadError> {
        read::sealed(&self.shared.index, &self.shared.values, prefix)
    }

    fn subscribe(&self, publisher: Arc<dyn Publisher>) -> Revision {
        let mut slot = self.shared.publisher.lock();
        *slot = Some(publisher);
        self.shared.index.read().latest()
    }

    fn compact(&self, upto: Revision) {
        let mut index = self.shared.index.write();
        self.shared.compact_to(&mut index, upto, usize::MAX);
    }

    fn checkpoint(&self) -> BoxFuture<'static, Result<Revision, TxnError>> {
        let revision = self.revision();
        Box::pin(async move { Ok(revision) })
    }

    fn status(&self) -> StoreStatus {
        let index = self.shared.index.read();
        StoreStatus {
            cluster_id: self.shared.config.cluster_id.clone(),
            revision: index.latest(),
            compacted_revision: index.compacted(),
            keys: index.live(),
            history_bytes: index.history_bytes(),
            applied_revision: index.latest(),
            ..StoreStatus::default()
        }
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let _writer = shared.writer.lock().await;
            shared.closed.store(true, Ordering::SeqCst);
        })
    }
}
