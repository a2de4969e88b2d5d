//! The journal: the commit point. Append-only segments in the directory `journal`, one sync a group.
//!
//! What it promises: when [`Journal::append`] returns, the group is on disk. When it fails for want of space
//! the journal is as it was before, and may be tried again. When a sync fails it is [`JournalError::Failed`]
//! from then on, because nothing can be known about the bytes any more (trying again proves nothing).

pub(crate) mod frame;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::{AppendFile, FileSystem, is_full};
use crate::identity::ClusterId;
use crate::judge::Entry;
use crate::record::RandomSource;
use crate::types::Revision;
use frame::{SEGMENT_HEADER_BYTES, SegmentHeader};

const SUFFIX: &str = ".journal";

/// Why a group is not in the journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// There is no space. Nothing was appended.
    #[error("append to the journal: no space left")]
    Full(#[source] io::Error),
    /// The journal cannot be trusted with more until the store is opened again.
    #[error("{what}: {source}")]
    Failed { what: &'static str, source: io::Error },
}

/// What of the journal is kept on disk; shared with whoever drops what a checkpoint has made unnecessary.
#[derive(Default)]
pub(crate) struct Ledger {
    closed: Mutex<Vec<ClosedSegment>>,
    open_bytes: AtomicU64,
}

/// A segment that is not written any more.
#[derive(Clone, Debug)]
pub(crate) struct ClosedSegment {
    pub path: PathBuf,
    pub bytes: u64,
    /// Its last revision.
    pub last: Revision,
}

impl Ledger {
    pub fn bytes(&self) -> u64 {
        let closed: u64 = self.closed.lock().iter().map(|segment| segment.bytes).sum();
        closed + self.open_bytes.load(Ordering::Relaxed)
    }

    pub fn close(&self, segment: ClosedSegment) {
        self.closed.lock().push(segment);
    }

    /// Removes the segments that hold nothing above a revision.
    pub fn drop_through(&self, files: &dyn FileSystem, dir: &Path, upto: Revision) -> io::Result<()> {
        let mut closed = self.closed.lock();
        let mut dropped = 0;
        for segment in closed.iter().take_while(|segment| segment.last <= upto) {
            match files.remove(&segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => dropped += 1,
            }
        }
        closed.drain(..dropped);
        if dropped > 0 { files.sync_dir(dir) } else { Ok(()) }
    }
}

/// The journal, open for appending.
pub(crate) struct Journal {
    files: Arc<dyn FileSystem>,
    dir: PathBuf,
    cluster: ClusterId,
    random: RandomSource,
    ledger: Arc<Ledger>,
    segment: Option<Segment>,
    next_sequence: u64,
    segment_bytes: u64,
    latest: Revision,
    failed: Option<(&'static str, String)>,
    buffer: Vec<u8>,
}

struct Segment {
    file: Box<dyn AppendFile>,
    path: PathBuf,
    salt: u32,
    len: u64,
}

/// What a [`Journal`] is made from.
pub(crate) struct JournalStart {
    pub files: Arc<dyn FileSystem>,
    pub dir: PathBuf,
    pub cluster: ClusterId,
    pub random: RandomSource,
    pub ledger: Arc<Ledger>,
    pub next_sequence: u64,
    /// A segment is closed when it reaches this size.
    pub segment_bytes: u64,
    pub latest: Revision,
}

impl Journal {
    /// A journal that goes on after `latest` in a new segment, made at the first append.
    pub fn new(start: JournalStart) -> Journal {
        let JournalStart {
            files,
            dir,
            cluster,
            random,
            ledger,
            next_sequence,
            segment_bytes,
            latest,
        } = start;
        Journal {
            files,
            dir,
            cluster,
            random,
            ledger,
            segment: None,
            next_sequence,
            segment_bytes,
            latest,
            failed: None,
            buffer: Vec::new(),
        }
    }

    /// Makes a group durable.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        assert!(first.revision == self.latest + 1, "the journal has no gaps");
        let mut segment = self.writable_segment()?;
        self.buffer.clear();
        frame::encode_group(
            &mut self.buffer,
            segment.salt,
            first.revision,
            entries.len() as u32,
            |out| {
                for entry in entries {
                    let fence = entry.fence.as_ref();
                    crate::entry::encode(out, &entry.key, entry.deleted, fence, &entry.value.record);
                }
            },
        );
        let appended = self.append_buffer(&mut segment);
        let synced = appended.and_then(|()| {
            segment
                .file
                .sync()
                .map_err(|source| self.fail("sync the journal", source))
        });
        self.segment = Some(segment);
        synced?;
        self.latest = last.revision;
        Ok(())
    }

    /// Writes that everything so far is durable. Not synced, and no loss when it does not arrive.
    pub fn mark(&mut self) {
        let Some(mut segment) = self.segment.take_if(|_| self.failed.is_none()) else {
            return;
        };
        self.buffer.clear();
        frame::encode_mark(&mut self.buffer, segment.salt, self.latest);
        // The group before it is acknowledged already; if there is no space, the file is as before.
        let _ = self.append_buffer(&mut segment);
        self.segment = Some(segment);
    }

    /// Appends the buffer, or leaves the segment as it was.
    fn append_buffer(&mut self, segment: &mut Segment) -> Result<(), JournalError> {
        match segment.file.append(&self.buffer) {
            Ok(()) => {
                segment.len += self.buffer.len() as u64;
                self.ledger.open_bytes.store(segment.len, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                // Half a frame with later ones behind it would look like damage.
                if let Err(source) = segment.file.truncate(segment.len) {
                    return Err(self.fail("take back an unfinished write to the journal", source));
                }
                if is_full(&error) {
                    return Err(JournalError::Full(error));
                }
                Err(self.fail("append to the journal", error))
            }
        }
    }

    fn writable_segment(&mut self) -> Result<Segment, JournalError> {
        if let Some((what, why)) = &self.failed {
            return Err(JournalError::Failed {
                what,
                source: io::Error::other(why.clone()),
            });
        }
        match self.segment.take() {
            Some(segment) if segment.len < self.segment_bytes => Ok(segment),
            full => {
                let new = self.create_segment();
                match (full, &new) {
                    (Some(full), Ok(_)) => {
                        let Segment { path, len, .. } = full;
                        self.ledger.close(ClosedSegment {
                            path,
                            bytes: len,
                            last: self.latest,
                        });
                    }
                    (full, _) => self.segment = full,
                }
                new
            }
        }
    }

    fn create_segment(&mut self) -> Result<Segment, JournalError> {
        let path = segment_path(&self.dir, self.next_sequence);
        let mut salt = [0; 4];
        (self.random)(&mut salt);
        let salt = u32::from_le_bytes(salt);
        let header = SegmentHeader::new(salt, self.next_sequence, self.latest, self.cluster).encode();
        let written = self.files.create(&path).and_then(|mut file| {
            file.append(&header)?;
            Ok(file)
        });
        let mut file = match written {
            Err(error) if is_full(&error) => return Err(JournalError::Full(error)),
            other => other.map_err(|source| self.fail("create a journal segment", source))?,
        };
        let synced = file.sync().and_then(|()| self.files.sync_dir(&self.dir));
        synced.map_err(|source| self.fail("sync a new journal segment", source))?;
        self.next_sequence += 1;
        Ok(Segment {
            file,
            path,
            salt,
            len: SEGMENT_HEADER_BYTES as u64,
        })
    }

    fn fail(&mut self, what: &'static str, source: io::Error) -> JournalError {
        self.failed = Some((what, source.to_string()));
        JournalError::Failed { what, source }
    }
}

/// The journal's segments on disk, oldest first, with their sequence numbers.
pub(crate) fn segments(files: &dyn FileSystem, dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let names = files.list(dir)?;
    let mut found: Vec<_> = names
        .iter()
        .filter_map(|name| Some((name.strip_suffix(SUFFIX)?.parse().ok()?, dir.join(name))))
        .collect();
    found.sort();
    Ok(found)
}

fn segment_path(dir: &Path, sequence: u64) -> PathBuf {
    dir.join(format!("{sequence:016}{SUFFIX}"))
}
