//! The recent changes of all kinds, in at most [`MAX_WINDOW_BYTES`]: what a watch that was away for a moment is
//! resumed from without reading history.

use std::{collections::VecDeque, sync::Arc};

use super::event::Change;

/// Bytes of changes kept in memory, of all kinds together.
pub const MAX_WINDOW_BYTES: usize = 64 << 20;

pub(super) struct Window {
    max_bytes: usize,
    size_bytes: usize,
    /// Kind and revision of every kept change, oldest first.
    order: VecDeque<usize>,
    kinds: Vec<Recent>,
}

/// The recent changes of one kind.
struct Recent {
    changes: VecDeque<Arc<Change>>,
    /// Every change of this kind after this revision is in `changes`.
    complete_after: i64,
    /// Whether changes of this kind are kept at all.
    is_kept: bool,
}

impl Window {
    /// An empty window over `kinds` kinds, complete after `revision`. `is_kept` says which kinds it holds.
    pub fn new(kinds: usize, revision: i64, max_bytes: usize, is_kept: impl Fn(usize) -> bool) -> Self {
        let recent = |kind| Recent {
            changes: VecDeque::new(),
            complete_after: revision,
            is_kept: is_kept(kind),
        };
        Self {
            max_bytes,
            size_bytes: 0,
            order: VecDeque::new(),
            kinds: (0..kinds).map(recent).collect(),
        }
    }

    /// Makes room for kinds that are added later; they are complete after `revision`.
    pub fn grow(&mut self, kinds: usize, revision: i64) {
        while self.kinds.len() < kinds {
            self.kinds.push(Recent {
                changes: VecDeque::new(),
                complete_after: revision,
                is_kept: true,
            });
        }
    }

    /// Adds a change and lets the oldest go where there are too many.
    pub fn push(&mut self, change: Arc<Change>) {
        let Some(recent) = self.kinds.get_mut(change.kind) else {
            return;
        };
        if !recent.is_kept {
            recent.complete_after = change.revision;
            return;
        }
        self.size_bytes += change.size_bytes();
        self.order.push_back(change.kind);
        recent.changes.push_back(change);
        while self.size_bytes > self.max_bytes {
            let Some(kind) = self.order.pop_front() else { break };
            let recent = &mut self.kinds[kind];
            if let Some(oldest) = recent.changes.pop_front() {
                recent.complete_after = oldest.revision;
                self.size_bytes -= oldest.size_bytes();
            }
        }
    }

    /// The changes of a kind after a revision, `None` where some of them are gone.
    pub fn after(&self, kind: usize, revision: i64) -> Option<Vec<Arc<Change>>> {
        let recent = self.kinds.get(kind)?;
        if revision < recent.complete_after {
            return None;
        }
        let start = recent
            .changes
            .partition_point(|change| change.revision <= revision);
        Some(recent.changes.range(start..).cloned().collect())
    }
}
