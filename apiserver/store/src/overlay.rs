//! The overlay: changes that are in the journal and not yet in the base engine.
//!
//! Reads look here first. It holds consecutive revisions, so a lookup is an addition. Its size is the
//! applier's backlog; the writer waits when that reaches its limit.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::entry::RawEntry;
use crate::types::Revision;

/// A change waiting to be applied.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub entry: RawEntry,
    /// The published JSON; absent for what was replayed from the journal.
    pub json: Option<Bytes>,
}

impl Waiting {
    /// Memory this change holds, roughly.
    pub fn size_bytes(&self) -> u64 {
        (self.entry.size_bytes() + self.json.as_ref().map_or(0, Bytes::len)) as u64
    }
}

/// Waiting changes in revision order.
#[derive(Default)]
pub(crate) struct Overlay {
    waiting: VecDeque<Waiting>,
    /// Revision of the first waiting change.
    first: Revision,
    bytes: u64,
}

impl Overlay {
    /// An overlay whose first change will be `first`.
    pub fn starting_at(first: Revision) -> Overlay {
        Overlay {
            first,
            ..Overlay::default()
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn get(&self, revision: Revision) -> Option<&Waiting> {
        self.waiting.get(usize::try_from(revision - self.first).ok()?)
    }

    /// Adds the next change.
    pub fn push(&mut self, revision: Revision, change: Waiting) {
        assert!(
            revision == self.first + self.waiting.len() as Revision,
            "the overlay has no gaps"
        );
        self.bytes += change.size_bytes();
        self.waiting.push_back(change);
    }

    /// The oldest changes, at least one if there is one, up to a number of bytes.
    pub fn oldest(&self, max_bytes: u64) -> Vec<(Revision, RawEntry)> {
        let mut bytes = 0;
        let within = |change: &&Waiting| {
            let fits = bytes < max_bytes;
            bytes += change.entry.size_bytes() as u64;
            fits
        };
        let entries = self.waiting.iter().take_while(within);
        (self.first..)
            .zip(entries.map(|change| change.entry.clone()))
            .collect()
    }

    /// Forgets changes up to a revision: they are in the base now.
    pub fn drop_through(&mut self, upto: Revision) {
        while self.first <= upto {
            let Some(change) = self.waiting.pop_front() else {
                return;
            };
            self.first += 1;
            self.bytes -= change.size_bytes();
        }
    }
}
