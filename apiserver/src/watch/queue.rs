//! What waits to be told to one watcher: bounded, so that a watcher that does not read costs no more than this and
//! slows nobody.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::event::Batch;

/// Changes that may wait for one watcher.
pub const MAX_QUEUED_EVENTS: usize = 10_000;
/// Bytes of changes that may wait for one watcher.
pub const MAX_QUEUED_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    pushed: Notify,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Arc<Batch>>,
    events: usize,
    size_bytes: usize,
    is_cut_off: bool,
}

/// What a watcher finds in its queue.
pub(super) enum Taken {
    Nothing,
    Batches(VecDeque<Arc<Batch>>),
    CutOff,
}

impl Queue {
    /// Adds a batch, or cuts the watcher off where it has too many waiting.
    pub fn push(&self, batch: &Arc<Batch>) {
        let mut waiting = self.waiting.lock();
        if waiting.is_cut_off {
            return;
        }
        waiting.events += batch.changes.len();
        waiting.size_bytes += batch.size_bytes;
        if waiting.events > MAX_QUEUED_EVENTS || waiting.size_bytes > MAX_QUEUED_BYTES {
            *waiting = Waiting {
                is_cut_off: true,
                ..Waiting::default()
            };
        } else {
            waiting.batches.push_back(Arc::clone(batch));
        }
        drop(waiting);
        self.pushed.notify_one();
    }

    pub fn take(&self) -> Taken {
        let mut waiting = self.waiting.lock();
        if waiting.is_cut_off {
            Taken::CutOff
        } else if waiting.batches.is_empty() {
            Taken::Nothing
        } else {
            Taken::Batches(std::mem::take(&mut *waiting).batches)
        }
    }

    pub fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.batches.is_empty() && !waiting.is_cut_off
    }

    /// Waits until something was pushed since the last call.
    pub async fn pushed(&self) {
        self.pushed.notified().await;
    }
}
