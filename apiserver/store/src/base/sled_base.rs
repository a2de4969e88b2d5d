//! sled as the base engine. The only file that names it; its hazards and what is done about each are in
//! `docs/adr/0002-journal-and-sled.md`.
//!
//! One tree. Key `r`, revision, chunk number (all big-endian, so that scans are in revision order) and key
//! `m` for the books. A value is at most [`CHUNK_BYTES`], because larger ones become blob files that leak.
//! sled panics on some damage where it could return an error, so every call is guarded.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Base, BaseBatch, BaseEngine, BaseError, BaseMeta, Visit};
use crate::types::Revision;

/// Largest value handed to sled.
const CHUNK_BYTES: usize = 4_000;
/// sled's page cache; its own default is 1 GiB.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// What sled says when another handle has its files.
const LOCKED: &str = "could not acquire lock";
/// How often, and after which wait, a locked sled is tried again.
const LOCK_TRIES: u32 = 1_000;
const LOCK_WAIT: Duration = Duration::from_millis(10);
const META_KEY: &[u8] = b"m";
const RECORD_PREFIX: u8 = b'r';
const KEY_BYTES: usize = 11;
/// Before the first chunk's bytes: CRC-32 of revision and entry, and the entry's length.
const VALUE_HEADER_BYTES: usize = 8;

/// Opens sled.
pub(crate) struct SledEngine;

struct SledBase {
    db: sled::Db,
    dir: PathBuf,
}

impl BaseEngine for SledEngine {
    fn open(&self, dir: &Path) -> Result<Arc<dyn Base>, BaseError> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .use_compression(false);
        // Threads inside sled let go of its lock a little after the last handle is dropped. Our own lock on
        // the data directory is held by now, so whoever has this one is on the way out.
        let mut tries = 0;
        let db = loop {
            match guarded(|| config.open()) {
                Err(BaseError::Unusable(error)) if error.contains(LOCKED) && tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_WAIT);
                }
                opened => break opened?,
            }
        };
        Ok(Arc::new(SledBase {
            db,
            dir: dir.to_owned(),
        }))
    }

    fn set_aside(&self, dir: &Path) -> Result<String, BaseError> {
        let aside = dir.with_extension("damaged");
        let moved = match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(dir, &aside),
        };
        match moved {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BaseError::Unusable(format!(
                "move {} away: {error}",
                dir.display()
            ))),
            _ => Ok(aside.display().to_string()),
        }
    }
}

impl Base for SledBase {
    fn meta(&self) -> Result<Option<BaseMeta>, BaseError> {
        let Some(bytes) = guarded(|| self.db.get(META_KEY))? else {
            let empty = guarded(|| self.db.iter().next().transpose())?.is_none();
            return if empty {
                Ok(None)
            } else {
                Err(damaged("its books are missing"))
            };
        };
        BaseMeta::decode(&bytes)
            .map(Some)
            .ok_or_else(|| damaged("its books do not match their checksum"))
    }

    fn apply(&self, batch: BaseBatch) -> Result<(), BaseError> {
        let mut changes = sled::Batch::default();
        for (revision, entry) in batch.puts {
            put_chunks(&mut changes, revision, &entry);
        }
        for revision in batch.removes {
            for chunk in 0..self.chunks(revision)? {
                changes.remove(&record_key(revision, chunk));
            }
        }
        changes.insert(META_KEY, batch.meta.encode());
        guarded(|| self.db.apply_batch(changes))
    }

    fn get(&self, revision: Revision) -> Result<Option<Vec<u8>>, BaseError> {
        let Some(first) = guarded(|| self.db.get(record_key(revision, 0)))? else {
            return Ok(None);
        };
        let mut value = Assembly::begin(revision, &first)?;
        let mut chunk = 1;
        while !value.complete() {
            let next = guarded(|| self.db.get(record_key(revision, chunk)))?;
            value.add(&next.ok_or_else(|| damaged("a chunk of a value is missing"))?);
            chunk += 1;
        }
        value.finish().map(Some)
    }

    fn scan(&self, from: Revision, visit: Visit<'_>) -> Result<(), BaseError> {
        let mut records = self
            .db
            .range(record_key(from, 0)..=record_key(Revision::MAX, u16::MAX));
        while let Some((key, first)) = guarded(|| records.next().transpose())? {
            let (revision, chunk) = parse_key(&key)?;
            if chunk != 0 {
                return Err(damaged("the beginning of a value is missing"));
            }
            let mut value = Assembly::begin(revision, &first)?;
            while !value.complete() {
                let next = guarded(|| records.next().transpose())?;
                match next {
                    Some((key, bytes)) if parse_key(&key)?.0 == revision => value.add(&bytes),
                    _ => return Err(damaged("a chunk of a value is missing")),
                }
            }
            if visit(revision, value.finish()?) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), BaseError> {
        guarded(|| self.db.flush())?;
        // sled's flush only starts the writing (sync_file_range); this waits for the disk.
        let synced = File::open(self.dir.join("db"))
            .and_then(|db| db.sync_data())
            .and_then(|()| File::open(&self.dir)?.sync_all());
        synced.map_err(|error| BaseError::Unusable(format!("sync {}: {error}", self.dir.display())))
    }

    fn blob_files(&self) -> u64 {
        fs::read_dir(self.dir.join("blobs")).map_or(0, |files| files.count() as u64)
    }
}

impl SledBase {
    /// How many chunks a stored value has.
    fn chunks(&self, revision: Revision) -> Result<u16, BaseError> {
        let Some(first) = guarded(|| self.db.get(record_key(revision, 0)))? else {
            return Ok(0);
        };
        let total = VALUE_HEADER_BYTES + Assembly::begin(revision, &first)?.length;
        Ok(u16::try_from(total.div_ceil(CHUNK_BYTES)).unwrap_or(u16::MAX))
    }
}

fn put_chunks(changes: &mut sled::Batch, revision: Revision, entry: &[u8]) {
    let mut value = Vec::with_capacity(VALUE_HEADER_BYTES + entry.len());
    value.extend_from_slice(&value_crc(revision, entry).to_le_bytes());
    value.extend_from_slice(&(entry.len() as u32).to_le_bytes());
    value.extend_from_slice(entry);
    for (chunk, bytes) in value.chunks(CHUNK_BYTES).enumerate() {
        changes.insert(&record_key(revision, chunk as u16), bytes);
    }
}

/// A value being put together from its chunks.
struct Assembly {
    revision: Revision,
    crc: u32,
    length: usize,
    entry: Vec<u8>,
}

impl Assembly {
    fn begin(revision: Revision, first: &[u8]) -> Result<Assembly, BaseError> {
        let (header, rest) = first
            .split_at_checked(VALUE_HEADER_BYTES)
            .ok_or_else(|| damaged("a value is shorter than its header"))?;
        let number =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Ok(Assembly {
            revision,
            crc: number(0),
            length: number(4) as usize,
            entry: rest.to_vec(),
        })
    }

    fn complete(&self) -> bool {
        self.entry.len() >= self.length
    }

    fn add(&mut self, chunk: &[u8]) {
        self.entry.extend_from_slice(chunk);
        if chunk.is_empty() {
            // A damaged empty chunk must not keep the reader waiting for more; the checksum tells.
            self.length = self.entry.len();
        }
    }

    fn finish(self) -> Result<Vec<u8>, BaseError> {
        if self.entry.len() != self.length || value_crc(self.revision, &self.entry) != self.crc {
            return Err(damaged("a value does not match its checksum"));
        }
        Ok(self.entry)
    }
}

fn value_crc(revision: Revision, entry: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&revision.to_be_bytes());
    hasher.update(entry);
    hasher.finalize()
}

fn record_key(revision: Revision, chunk: u16) -> [u8; KEY_BYTES] {
    let mut key = [RECORD_PREFIX; KEY_BYTES];
    key[1..9].copy_from_slice(&revision.to_be_bytes());
    key[9..].copy_from_slice(&chunk.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Result<(Revision, u16), BaseError> {
    let key: &[u8; KEY_BYTES] = key
        .try_into()
        .map_err(|_| damaged("a key has the wrong length"))?;
    let [_, r0, r1, r2, r3, r4, r5, r6, r7, c0, c1] = *key;
    Ok((
        Revision::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]),
        u16::from_be_bytes([c0, c1]),
    ))
}

fn damaged(what: &str) -> BaseError {
    BaseError::Damaged(what.to_owned())
}

/// Runs a call into sled, taking a panic for damage.
fn guarded<T>(call: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, BaseError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) if is_environment(&error) => {
            Err(BaseError::Unusable(error.to_string()))
        }
        Ok(Err(error)) => Err(BaseError::Damaged(error.to_string())),
        Err(_) => Err(damaged("the engine panicked")),
    }
}

/// Errors that a rebuild would not cure.
fn is_environment(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, WouldBlock};
    let kinds = [
        PermissionDenied,
        QuotaExceeded,
        ReadOnlyFilesystem,
        StorageFull,
        WouldBlock,
    ];
    kinds.contains(&error.kind()) || error.to_string().contains(LOCKED)
}

#[cfg(test)]
mod tests;
