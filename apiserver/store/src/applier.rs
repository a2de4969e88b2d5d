//! The applier: moves changes from the overlay to the base engine in large batches, compacts history on the
//! way, and makes checkpoints. Never in the writer's way; bounded by the writer waiting for room.
//!
//! [`Applier::step`] is synchronous and free of threads, so tests step through it; [`Applier::run`] is the
//! loop on the applier's own thread.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::{Base, BaseBatch, BaseError, BaseMeta};
use crate::checkpoint::{CheckpointError, CheckpointJob, CheckpointStep};
use crate::state::State;
use crate::types::{Revision, TxnError};

/// History dropped in a step when there is nothing to apply. With something to apply it is twice that
/// number of changes, so compaction always outruns writing.
const COMPACT_STEP: usize = 2_048;
/// History dropped under one lock of the index.
const COMPACT_CHUNK: usize = 256;
/// A partly filled batch waits this long for more.
const GATHER_TIME: Duration = Duration::from_millis(100);
/// With nothing to do, history is looked at this often.
const IDLE_TIME: Duration = Duration::from_secs(1);
/// After a checkpoint that could not be written, the next try waits for this much more journal.
const CHECKPOINT_RETRY_BYTES: u64 = 32 * 1024 * 1024;

pub(crate) struct Applier {
    state: Arc<State>,
    base: Arc<dyn Base>,
    meta: BaseMeta,
    job: Option<CheckpointJob>,
    /// Journal size at which the next checkpoint begins.
    checkpoint_at_bytes: u64,
}

impl Applier {
    pub fn new(state: Arc<State>, base: Arc<dyn Base>, meta: BaseMeta) -> Applier {
        let checkpoint_at_bytes = state.config.checkpoint_bytes;
        Applier {
            state,
            base,
            meta,
            job: None,
            checkpoint_at_bytes,
        }
    }

    /// Applies until told to stop and nothing is left, then flushes.
    pub fn run(mut self) {
        loop {
            match self.step() {
                Ok(worked) => {
                    if !self.wait_for_work(worked) {
                        break;
                    }
                }
                Err(error) => return self.give_up(&error.to_string()),
            }
        }
        if let Err(error) = self.base.flush() {
            self.give_up(&error.to_string());
        }
        self.refuse_checkpoints("the store is shut down");
    }

    /// Does one bounded piece of work. `false` when there was nothing to do.
    pub fn step(&mut self) -> Result<bool, CheckpointError> {
        let applied = self.apply_some()?;
        let checkpointed = self.checkpoint_some()?;
        Ok(applied || checkpointed)
    }

    /// Applies everything and makes a checkpoint of it, at once.
    pub fn checkpoint_now(&mut self) -> Result<(), CheckpointError> {
        while self.apply_some()? {}
        let mut job = CheckpointJob::begin(&self.state, self.meta.applied)?;
        let revision = job.revision;
        loop {
            match job.step(&self.state, self.base.as_ref())? {
                CheckpointStep::More(next) => job = next,
                CheckpointStep::Done { bytes } => return Ok(self.checkpoint_done(revision, bytes)?),
            }
        }
    }

    /// Makes everything applied durable.
    #[cfg(test)]
    pub fn flush(&self) -> Result<(), BaseError> {
        self.base.flush()
    }

    fn apply_some(&mut self) -> Result<bool, BaseError> {
        let entries = self.state.overlay.read().oldest(self.state.config.apply_bytes);
        let applied = entries
            .last()
            .map_or(self.meta.applied, |(revision, _)| *revision);
        let steps = COMPACT_STEP.max(2 * entries.len());
        let limit = self.job.as_ref().map_or(applied, |job| job.revision.min(applied));
        let (dropped, compacted) = self.compact(limit, steps);
        if entries.is_empty() && compacted == self.meta.compacted {
            return Ok(false);
        }
        let mut meta = BaseMeta {
            applied,
            compacted,
            ..self.meta
        };
        let dropped: HashSet<Revision> = dropped.into_iter().collect();
        let mut puts = Vec::with_capacity(entries.len());
        for (revision, entry) in entries {
            if !dropped.contains(&revision) {
                let mut bytes = Vec::with_capacity(entry.size_bytes() + 32);
                entry.encode(&mut bytes);
                puts.push((revision, bytes));
                meta.add(revision);
            }
        }
        let mut removes: Vec<_> = dropped.into_iter().filter(|r| *r <= self.meta.applied).collect();
        removes.sort_unstable();
        removes.iter().for_each(|revision| meta.remove(*revision));
        self.base.apply(BaseBatch { puts, removes, meta })?;
        self.meta = meta;
        self.state.applied.store(applied, Ordering::Release);
        self.state.overlay.write().drop_through(applied);
        self.state.writer_wakes.notify_all();
        Ok(true)
    }

    /// Drops history from the index; the revisions whose values nobody can reach any more, and how far
    /// history is compacted now.
    fn compact(&self, limit: Revision, max_steps: usize) -> (Vec<Revision>, Revision) {
        let state = &self.state;
        let asked = state.control.lock().compact_to;
        let now_s = state.hooks.now_s();
        let mut dropped = Vec::new();
        let mut compacted = self.meta.compacted;
        for _ in 0..max_steps.div_ceil(COMPACT_CHUNK) {
            let mut index = state.index.write();
            let aged = index.compaction_target(&state.config.history, now_s, COMPACT_CHUNK);
            let target = aged.max(asked).min(limit);
            if target <= index.compacted() {
                break;
            }
            index.compact(target, COMPACT_CHUNK, &mut dropped);
            compacted = index.compacted();
        }
        (dropped, compacted)
    }

    fn checkpoint_some(&mut self) -> Result<bool, CheckpointError> {
        let Some(job) = self.job.take().or_else(|| self.begin_checkpoint()) else {
            return Ok(false);
        };
        let revision = job.revision;
        let stepped = job.step(&self.state, self.base.as_ref());
        let done = stepped.and_then(|step| match step {
            CheckpointStep::More(job) => {
                self.job = Some(job);
                Ok(())
            }
            CheckpointStep::Done { bytes } => {
                self.checkpoint_done(revision, bytes)?;
                self.answer_checkpoints(revision);
                Ok(())
            }
        });
        match done {
            Err(CheckpointError::Io(error)) => self.checkpoint_failed(&error),
            other => other?,
        }
        Ok(true)
    }

    fn begin_checkpoint(&mut self) -> Option<CheckpointJob> {
        let applied = self.meta.applied;
        self.answer_checkpoints(self.state.checkpoint.load(Ordering::Acquire));
        let asked = self
            .state
            .control
            .lock()
            .checkpoints
            .iter()
            .any(|(revision, _)| *revision <= applied);
        let due = self.state.ledger.bytes() >= self.checkpoint_at_bytes;
        if !asked && !due {
            return None;
        }
        match CheckpointJob::begin(&self.state, applied) {
            Ok(job) => Some(job),
            Err(error) => {
                self.checkpoint_failed(&error);
                None
            }
        }
    }

    fn checkpoint_done(&mut self, revision: Revision, bytes: u64) -> std::io::Result<()> {
        let state = &self.state;
        state.checkpoint.store(revision, Ordering::Release);
        state.blob_files.store(self.base.blob_files(), Ordering::Relaxed);
        state
            .ledger
            .drop_through(state.files.as_ref(), &state.config.journal_dir(), revision)?;
        // What stays in the open segment has not been checkpointed away yet, so it counts on top.
        self.checkpoint_at_bytes = state.ledger.bytes() + state.config.checkpoint_bytes.max(bytes);
        tracing::info!(revision, bytes, "made a checkpoint");
        Ok(())
    }

    fn checkpoint_failed(&mut self, error: &(dyn std::error::Error + 'static)) {
        tracing::warn!(error, "cannot write a checkpoint; the journal is kept and grows");
        self.checkpoint_at_bytes = self.state.ledger.bytes() + CHECKPOINT_RETRY_BYTES;
        self.refuse_checkpoints("the checkpoint could not be written");
    }

    /// Answers those who asked for a checkpoint at or below a revision.
    fn answer_checkpoints(&self, made: Revision) {
        let mut control = self.state.control.lock();
        let waiting = std::mem::take(&mut control.checkpoints);
        for (revision, reply) in waiting {
            if revision <= made {
                let _ = reply.send(Ok(made));
            } else {
                control.checkpoints.push((revision, reply));
            }
        }
    }

    fn refuse_checkpoints(&self, why: &str) {
        for (_, reply) in std::mem::take(&mut self.state.control.lock().checkpoints) {
            let _ = reply.send(Err(TxnError::Unavailable(why.to_owned())));
        }
    }

    /// The base engine does not work: without it the backlog would grow until memory ends. Opening the store
    /// again rebuilds the engine.
    fn give_up(&self, error: &str) {
        let text = format!("the base engine failed: {error}; restart to have it rebuilt");
        self.state.stop_acknowledging(text, true);
        self.state.writer_wakes.notify_all();
        self.refuse_checkpoints("the base engine failed");
    }

    /// Waits until there is enough to do. `false` when it is time to stop and everything is applied.
    fn wait_for_work(&self, worked: bool) -> bool {
        let state = &self.state;
        let mut control = state.control.lock();
        let backlog = state.overlay.read().bytes();
        if control.stop {
            return backlog > 0;
        }
        let urgent = backlog >= state.config.apply_bytes || self.job.is_some();
        if urgent || !control.checkpoints.is_empty() {
            return true;
        }
        let time = if worked || backlog > 0 {
            GATHER_TIME
        } else {
            IDLE_TIME
        };
        state.applier_wakes.wait_for(&mut control, time);
        true
    }
}
