//! What changed, as the cache keeps it and as a watcher is told it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Entry;

/// One change of one object, shared by the window and all watchers.
pub(super) struct Change {
    /// Place of the kind in the table of kinds.
    pub kind: usize,
    pub revision: i64,
    /// The object is gone; `entry` is its last state.
    pub deleted: bool,
    pub entry: Entry,
    /// The state before, which selectors need to see an object come and go.
    pub previous: Option<Entry>,
    /// The previous state at this change's revision, made when the first watcher needs it.
    pub left: OnceLock<Bytes>,
}

impl Change {
    /// What the change weighs against limits, in bytes.
    pub fn size_bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 256;
        self.entry.json.len() + OVERHEAD_BYTES
    }
}

/// Changes of one published group that one set of watchers is interested in.
pub(super) struct Batch {
    pub changes: Vec<Arc<Change>>,
    pub size_bytes: usize,
}

/// What happened to an object, as a watch's selectors see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It came to be, or came to match.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or no longer matches; the entry is its last (matching) state.
    Deleted,
    /// The present objects have all been told.
    Synced,
    /// Everything up to the revision has been told.
    Bookmark,
}

/// One thing that a watch tells.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Resume after it with [`crate::registry::Start::After`].
    pub revision: i64,
    /// The object; `None` for [`EventKind::Synced`] and [`EventKind::Bookmark`].
    pub entry: Option<Entry>,
}

impl Event {
    pub(super) fn mark(kind: EventKind, revision: i64) -> Self {
        Self {
            kind,
            revision,
            entry: None,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.entry.as_ref().map_or(0, |entry| entry.json.len())
    }
}
