//! Replaying the journal: every change above what the base holds, in order, without a gap.
//!
//! Damage is told from an unfinished write by [`crate::journal::frame`]. An unfinished write at the very end
//! was never acknowledged and is dropped. Damage is tolerated where the base holds the changes anyway, and
//! refused where it does not: nothing acknowledged is ever lost quietly.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::applier::Applier;
use crate::errors::OpenError;
use crate::fs::write_atomically;
use crate::journal::ClosedSegment;
use crate::journal::frame::{self, SEGMENT_HEADER_BYTES, Scan};
use crate::recover::SegmentFile;
use crate::state::State;
use crate::types::Revision;

/// What replaying found.
#[derive(Default)]
pub(crate) struct Replayed {
    pub repairs: Vec<String>,
    /// The journal has holes that the base covers: a checkpoint must replace it.
    pub incomplete: bool,
}

/// Replays the segments, oldest first, and enters them into the ledger.
pub(crate) fn replay(
    state: &State,
    applier: &mut Applier,
    mut segments: Vec<SegmentFile>,
) -> Result<Replayed, OpenError> {
    remove_unborn(state, &mut segments)?;
    let applied = state.index.read().latest();
    let mut replay = Replay {
        state,
        applied,
        last: None,
        suspect: None,
        found: Replayed::default(),
    };
    let count = segments.len();
    for (place, segment) in segments.into_iter().enumerate() {
        replay.segment(segment, place + 1 == count)?;
        // A journal as long as its checkpoint is too much to hold in memory at once.
        while state.overlay.read().bytes() > state.config.max_backlog_bytes / 2 {
            applier.step().map_err(|error| OpenError::Base {
                path: state.config.base_dir(),
                detail: error.to_string(),
            })?;
        }
    }
    replay.end()
}

struct Replay<'a> {
    state: &'a State,
    /// What the base holds.
    applied: Revision,
    /// The last revision seen in the journal.
    last: Option<Revision>,
    /// Damage whose extent is not known yet.
    suspect: Option<(PathBuf, u64)>,
    found: Replayed,
}

impl Replay<'_> {
    fn segment(&mut self, segment: SegmentFile, is_last: bool) -> Result<(), OpenError> {
        let SegmentFile { path, header, .. } = segment;
        let files = self.state.files.as_ref();
        let bytes = Bytes::from(
            files
                .read(&path)
                .map_err(|source| OpenError::io("read", &path, source))?,
        );
        let Some(header) = header else {
            self.suspect.get_or_insert((path.clone(), 0));
            // If this is tolerated at all, then because the base holds what was in it.
            self.close(path, bytes.len(), self.applied);
            return Ok(());
        };
        self.reach(header.base, &path, 0)?;
        let scan = frame::scan(&bytes, header.salt);
        self.groups(&path, &scan)?;
        let mut length = bytes.len();
        if let Some(torn) = scan.torn {
            if is_last {
                self.found.repairs.push(format!(
                    "dropped {} bytes of an unfinished write at byte {torn} of {}",
                    length - torn,
                    path.display()
                ));
                length = torn;
            } else {
                self.suspect.get_or_insert((path.clone(), torn as u64));
            }
        }
        if is_last && scan.groups.is_empty() && scan.damaged.is_empty() {
            return remove(self.state, &path);
        }
        if is_last && (scan.torn.is_some() || !scan.marked) {
            self.rewrite(&path, &bytes[..length])?;
        }
        let last = self.last.unwrap_or(header.base);
        self.close(path, length, last);
        Ok(())
    }

    /// The last segment may be there only in the kernel's memory, which forgets it at a power cut, and after
    /// a failed sync it cannot be told whether syncing again would help. So it is written again.
    fn rewrite(&self, path: &Path, bytes: &[u8]) -> Result<(), OpenError> {
        let dir = self.state.config.journal_dir();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        write_atomically(self.state.files.as_ref(), &dir, &name, bytes)
            .map_err(|source| OpenError::io("write", path, source))
    }

    fn groups(&mut self, path: &Path, scan: &Scan) -> Result<(), OpenError> {
        let mut damaged = scan.damaged.iter().peekable();
        for group in &scan.groups {
            while let Some(range) = damaged.next_if(|range| range.start < group.offset) {
                self.suspect.get_or_insert((path.to_owned(), range.start as u64));
            }
            self.reach(group.first - 1, path, group.offset as u64)?;
            if group.last() <= self.applied {
                self.last = Some(group.last());
                continue;
            }
            let Some(entries) = group.entries() else {
                self.suspect.get_or_insert((path.to_owned(), group.offset as u64));
                continue;
            };
            for (revision, entry) in (group.first..).zip(entries) {
                if revision > self.applied {
                    self.state.replay(revision, entry);
                }
            }
            self.last = Some(group.last());
        }
        if let Some(range) = damaged.next() {
            self.suspect.get_or_insert((path.to_owned(), range.start as u64));
        }
        Ok(())
    }

    /// The journal goes on after `base`. Whatever is missing until there must be in the base engine.
    fn reach(&mut self, base: Revision, path: &Path, offset: u64) -> Result<(), OpenError> {
        let suspect = self.suspect.take();
        let expected = match (self.last, &suspect) {
            (None, None) => base,
            (None, Some(_)) => 0,
            (Some(last), _) => last,
        };
        let at = suspect.clone().unwrap_or((path.to_owned(), offset));
        if base == expected {
            // Nothing is missing: what was damaged held no change, like a mark that was never synced.
            self.last = Some(base);
            return Ok(());
        }
        if base < expected || base > self.applied {
            return Err(damaged(at, expected + 1, base.max(expected + 1)));
        }
        self.found.incomplete = true;
        self.found.repairs.push(format!(
            "passed over damage at byte {} of {}: the base engine holds the changes up to {base}",
            at.1,
            at.0.display()
        ));
        self.last = Some(base);
        Ok(())
    }

    /// After the last segment: damage at the end has no later frame that tells how far it reaches.
    fn end(mut self) -> Result<Replayed, OpenError> {
        if let Some(at) = self.suspect.take() {
            let first = self.last.unwrap_or(0) + 1;
            return Err(damaged(at, first, first));
        }
        // The base is only ever fed from the journal, so it can be ahead only of a journal that lost its end.
        if let Some(last) = self.last.filter(|last| *last < self.applied) {
            self.found.incomplete = true;
            self.found.repairs.push(format!(
                "the journal ends at revision {last} and the base engine at {}: went on from there",
                self.applied
            ));
        }
        Ok(self.found)
    }

    fn close(&self, path: PathBuf, bytes: usize, last: Revision) {
        self.state.ledger.close(ClosedSegment {
            path,
            bytes: bytes as u64,
            last,
        });
    }
}

/// Removes segments at the end whose creation was cut short: nothing is written behind a header before the
/// header is on disk.
fn remove_unborn(state: &State, segments: &mut Vec<SegmentFile>) -> Result<(), OpenError> {
    while let Some(SegmentFile {
        path, header: None, ..
    }) = segments.last()
    {
        let bytes = state
            .files
            .read(path)
            .map_err(|source| OpenError::io("read", path, source))?;
        if bytes.len() > SEGMENT_HEADER_BYTES {
            return Ok(());
        }
        remove(state, path)?;
        segments.pop();
    }
    Ok(())
}

fn remove(state: &State, path: &Path) -> Result<(), OpenError> {
    let removed = state
        .files
        .remove(path)
        .and_then(|()| state.files.sync_dir(&state.config.journal_dir()));
    removed.map_err(|source| OpenError::io("remove", path, source))
}

fn damaged((path, offset): (PathBuf, u64), first: Revision, last: Revision) -> OpenError {
    OpenError::JournalDamaged {
        path,
        offset,
        first,
        last,
    }
}
