//! What the writer, the applier and the readers of a durable store share.
//!
//! The order that makes reads safe: a change is journaled and synced, then enters the overlay, then the
//! index, then the publisher, then it is acknowledged. It leaves the overlay only after the base has it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::oneshot;

use crate::base::Base;
use crate::entry::RawEntry;
use crate::fs::FileSystem;
use crate::hooks::Hooks;
use crate::identity::ClusterId;
use crate::index::{HistoryLimits, Index, NewVersion};
use crate::journal::Ledger;
use crate::judge::Entry;
use crate::overlay::{Overlay, Waiting};
use crate::read::Values;
use crate::record::{self, RecordCodec};
use crate::splice::splice;
use crate::store::Publisher;
use crate::types::{Published, ReadError, Revision, StoreStatus, TxnError};

/// Settings of a [`crate::DurableStore`].
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data directory; created when it does not exist.
    pub dir: PathBuf,
    /// The id of a new cluster; a random one when `None`. An existing directory keeps its own.
    pub cluster_id: Option<ClusterId>,
    /// How much history is kept.
    pub history: HistoryLimits,
    /// Below this much free space writes are not acknowledged, so that the base engine never meets a full
    /// disk (it does not survive one).
    pub min_free_bytes: u64,
    /// A checkpoint is made when the journal has grown to this, or to the size of the last checkpoint if
    /// that is more.
    pub checkpoint_bytes: u64,
    /// A journal segment is closed when it reaches this size; checkpoints free whole segments.
    pub segment_bytes: u64,
    /// Most memory for changes not yet applied to the base engine; then the writer waits.
    pub max_backlog_bytes: u64,
    /// Most bytes applied to the base engine at once.
    pub apply_bytes: u64,
}

impl StoreConfig {
    /// The defaults for a data directory.
    pub fn new(dir: impl Into<PathBuf>) -> StoreConfig {
        StoreConfig {
            dir: dir.into(),
            cluster_id: None,
            history: HistoryLimits::default(),
            min_free_bytes: 64 * 1024 * 1024,
            checkpoint_bytes: 64 * 1024 * 1024,
            segment_bytes: 16 * 1024 * 1024,
            max_backlog_bytes: 256 * 1024 * 1024,
            apply_bytes: 2 * 1024 * 1024,
        }
    }

    pub(crate) fn journal_dir(&self) -> PathBuf {
        self.dir.join("journal")
    }
    pub(crate) fn checkpoint_dir(&self) -> PathBuf {
        self.dir.join("checkpoints")
    }
    pub(crate) fn base_dir(&self) -> PathBuf {
        self.dir.join("sled")
    }
}

/// Why writes are not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub text: String,
    /// Only opening the store again can help.
    pub lasting: bool,
}

/// What the applier is asked to do.
#[derive(Default)]
pub(crate) struct Control {
    pub stop: bool,
    pub compact_to: Revision,
    pub checkpoints: Vec<(Revision, oneshot::Sender<Result<Revision, TxnError>>)>,
}

pub(crate) struct State {
    pub config: StoreConfig,
    pub cluster: ClusterId,
    pub codec: RecordCodec,
    pub hooks: Hooks,
    pub files: Arc<dyn FileSystem>,
    pub ledger: Arc<Ledger>,
    pub repairs: Mutex<Vec<String>>,
    pub index: RwLock<Index>,
    pub overlay: RwLock<Overlay>,
    /// `None` after shutdown.
    pub base: RwLock<Option<Arc<dyn Base>>>,
    pub publisher: Mutex<Option<Arc<dyn Publisher>>>,
    pub published: AtomicI64,
    pub applied: AtomicI64,
    pub checkpoint: AtomicI64,
    pub blob_files: AtomicU64,
    pub problem: Mutex<Option<Problem>>,
    pub has_problem: AtomicBool,
    pub control: Mutex<Control>,
    pub applier_wakes: Condvar,
    pub writer_wakes: Condvar,
}

impl State {
    /// Makes durable entries visible and hands them to the publisher.
    pub fn publish(&self, entries: Vec<Entry>, published: &[Published]) {
        // Held from the first visible change on, so that a subscriber knows which groups it will see.
        let publisher = self.publisher.lock();
        let at_s = self.hooks.now_s();
        let Some(latest) = published.last().map(|last| last.revision) else {
            return;
        };
        let mut overlay = self.overlay.write();
        let was_idle = overlay.bytes() == 0;
        for (entry, published) in entries.iter().zip(published) {
            overlay.push(entry.revision, waiting(entry, published));
        }
        let batch_full = overlay.bytes() >= self.config.apply_bytes;
        drop(overlay);
        let mut index = self.index.write();
        for entry in &entries {
            index.insert(&NewVersion {
                key: &entry.key,
                revision: entry.revision,
                deleted: entry.deleted,
                fence: entry.fence.as_ref(),
                bytes: entry.value.record.len(),
                at_s,
            });
        }
        drop(index);
        self.published.store(latest, Ordering::Release);
        if let Some(publisher) = publisher.as_ref() {
            publisher.publish(published);
        }
        drop(publisher);
        if was_idle || batch_full {
            self.applier_wakes.notify_one();
        }
    }

    /// Enters a change read back from the journal.
    pub fn replay(&self, revision: Revision, entry: RawEntry) {
        let at_s = self.hooks.now_s();
        self.index.write().insert(&NewVersion {
            key: &entry.key,
            revision,
            deleted: entry.deleted,
            fence: entry.fence.as_ref(),
            bytes: entry.record.len(),
            at_s,
        });
        self.overlay.write().push(revision, Waiting { entry, json: None });
        self.published.store(revision, Ordering::Release);
    }

    /// Waits while the backlog is at its limit. Only the writer's own thread may wait here.
    pub fn wait_for_room(&self) {
        let mut control = self.control.lock();
        while self.overlay.read().bytes() >= self.config.max_backlog_bytes && !self.lasting_problem() {
            self.applier_wakes.notify_one();
            self.writer_wakes
                .wait_for(&mut control, Duration::from_millis(100));
        }
    }

    /// Stops acknowledging: `lasting` for good, otherwise until [`State::recovered`].
    pub fn stop_acknowledging(&self, text: String, lasting: bool) {
        let mut problem = self.problem.lock();
        if problem.as_ref().is_some_and(|known| known.lasting) {
            return;
        }
        if problem.is_none() || lasting {
            tracing::error!(problem = %text, lasting, "stop acknowledging writes");
        }
        *problem = Some(Problem { text, lasting });
        self.has_problem.store(true, Ordering::Release);
    }

    /// Space is back.
    pub fn recovered(&self) {
        if !self.has_problem.load(Ordering::Acquire) {
            return;
        }
        let mut problem = self.problem.lock();
        if problem.as_ref().is_some_and(|known| !known.lasting) {
            tracing::info!("acknowledge writes again");
            *problem = None;
            self.has_problem.store(false, Ordering::Release);
        }
    }

    pub fn lasting_problem(&self) -> bool {
        self.has_problem.load(Ordering::Acquire)
            && self.problem.lock().as_ref().is_some_and(|known| known.lasting)
    }

    pub fn problem_text(&self) -> Option<String> {
        self.problem.lock().as_ref().map(|known| known.text.clone())
    }

    pub fn open_base(&self) -> Option<Arc<dyn Base>> {
        self.base.read().clone()
    }

    pub fn status(&self) -> StoreStatus {
        let backlog_bytes = self.overlay.read().bytes();
        let index = self.index.read();
        StoreStatus {
            cluster_id: self.cluster.to_string(),
            revision: index.latest(),
            compacted_revision: index.compacted(),
            problem: self.problem_text(),
            repairs: self.repairs.lock().clone(),
            keys: index.live(),
            history_bytes: index.history_bytes(),
            applied_revision: self.applied.load(Ordering::Acquire),
            backlog_bytes,
            journal_bytes: self.ledger.bytes(),
            checkpoint_revision: self.checkpoint.load(Ordering::Acquire),
            blob_files: self.blob_files.load(Ordering::Relaxed),
        }
    }

    fn decode(&self, revision: Revision, record: &[u8]) -> Result<Bytes, ReadError> {
        let decoded = self.codec.decode(record);
        let (json, at) = decoded.map_err(|error| ReadError::Damaged {
            revision,
            detail: error.to_string(),
        })?;
        Ok(splice(&json, at, revision))
    }
}

fn waiting(entry: &Entry, published: &Published) -> Waiting {
    let Entry {
        key,
        deleted,
        fence,
        value,
        ..
    } = entry;
    let record = value.record.clone();
    let entry = RawEntry {
        key: key.clone(),
        deleted: *deleted,
        fence: fence.clone(),
        record,
    };
    Waiting {
        entry,
        json: Some(published.json.clone()),
    }
}

impl State {
    /// The entry of a revision that is not in the backlog any more.
    fn applied_entry(&self, revision: Revision) -> Result<Option<RawEntry>, ReadError> {
        let damaged = |detail: String| ReadError::Damaged { revision, detail };
        let base = self
            .open_base()
            .ok_or_else(|| damaged("the store is shut down".to_owned()))?;
        let Some(bytes) = base.get(revision).map_err(|error| damaged(error.to_string()))? else {
            return Ok(None);
        };
        let entry = RawEntry::decode(&mut Bytes::from(bytes));
        entry
            .map(Some)
            .ok_or_else(|| damaged("the stored entry is not one".to_owned()))
    }
}

impl Values for State {
    fn json(&self, revision: Revision) -> Result<Option<Bytes>, ReadError> {
        let waiting = self.overlay.read().get(revision).cloned();
        if let Some(waiting) = waiting {
            return match waiting.json {
                Some(json) => Ok(Some(json)),
                None => self.decode(revision, &waiting.entry.record).map(Some),
            };
        }
        let entry = self.applied_entry(revision)?;
        entry
            .map(|entry| self.decode(revision, &entry.record))
            .transpose()
    }

    fn sealed_by(&self, revision: Revision) -> Result<Option<u32>, ReadError> {
        let waiting = self.overlay.read().get(revision).cloned();
        let entry = match waiting {
            Some(waiting) => Some(waiting.entry),
            None => self.applied_entry(revision)?,
        };
        Ok(entry.and_then(|entry| record::sealed_by(&entry.record)))
    }
}
