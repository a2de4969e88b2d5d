//! Checkpoints: files that hold every live value at one revision, to rebuild a damaged base engine from.
//!
//! A checkpoint is written in bounded steps between the applier's batches, synced as it grows so that its end
//! does not stall the journal, and takes its name only when it is whole. Until then the previous one and the
//! journal since then are kept. History is not part of it: after a rebuild, history begins at the checkpoint.
//!
//! ```text
//! header: magic, format u32, revision i64, cluster id, CRC-32
//! block:  length u32, count u32, CRC-32 of the body | body: (revision i64, entry) ...
//! end:    a block header of length 0 with the CRC of the trailer | trailer: count u64, digest u64
//! ```

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::base::{Base, BaseError, mix};
use crate::entry::RawEntry;
use crate::fs::{AppendFile, FileSystem, TEMPORARY};
use crate::identity::{ClusterId, FORMAT};
use crate::state::State;
use crate::types::Revision;

const MAGIC: &[u8; 8] = b"CORCKPT\n";
const HEADER_BYTES: usize = 8 + 4 + 8 + 16 + 4;
const BLOCK_HEADER_BYTES: usize = 12;
const TRAILER_BYTES: usize = 16;
const PREFIX: &str = "checkpoint-";
/// Read from the base, and so at most written, in one step.
const STEP_BYTES: usize = 1024 * 1024;
/// Largest block that a reader accepts: a step and one entry over it.
const MAX_BLOCK_BYTES: usize = STEP_BYTES + crate::store::MAX_GROUP_BYTES + 64 * 1024;
/// Keys counted under one lock of the index.
const COUNT_CHUNK: usize = 1_024;

/// Why a checkpoint was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// The file could not be written; the store is fine without it for now.
    #[error("write checkpoint")]
    Io(#[from] io::Error),
    /// The base engine is not fine.
    #[error("read base engine for a checkpoint")]
    Base(#[from] BaseError),
    /// The base engine has lost values without saying so.
    #[error("check checkpoint: {found} values of {expected} are there")]
    Incomplete { expected: u64, found: u64 },
}

/// A checkpoint being written.
pub(crate) struct CheckpointJob {
    /// The revision it shows.
    pub revision: Revision,
    cursor: Revision,
    file: Box<dyn AppendFile>,
    name: String,
    count: u64,
    digest: u64,
    bytes: u64,
}

/// How a step ended.
pub(crate) enum CheckpointStep {
    /// There is more to do.
    More(CheckpointJob),
    /// The checkpoint is on disk under its name; this is its size.
    Done { bytes: u64 },
}

impl CheckpointJob {
    /// Begins a checkpoint of the state at a revision that the base has already applied. Compaction must not
    /// pass that revision until the job is done.
    pub fn begin(state: &State, revision: Revision) -> Result<CheckpointJob, CheckpointError> {
        let name = format!("{PREFIX}{revision:020}");
        let temporary = state.config.checkpoint_dir().join(format!("{name}{TEMPORARY}"));
        let mut file = state.files.create(&temporary)?;
        file.append(&encode_header(revision, state.cluster))?;
        Ok(CheckpointJob {
            revision,
            cursor: 0,
            file,
            name,
            count: 0,
            digest: 0,
            bytes: HEADER_BYTES as u64,
        })
    }

    /// Writes the next block, or the end.
    pub fn step(mut self, state: &State, base: &dyn Base) -> Result<CheckpointStep, CheckpointError> {
        let candidates = self.read_some(base)?;
        let Some((last, _)) = candidates.last() else {
            return self.finish(state, base);
        };
        self.cursor = last + 1;
        let mut block = vec![0; BLOCK_HEADER_BYTES];
        let mut count: u32 = 0;
        {
            let index = state.index.read();
            for (revision, entry) in &candidates {
                let key = RawEntry::decode(&mut Bytes::copy_from_slice(entry)).map(|raw| raw.key);
                let key = key.ok_or_else(|| BaseError::Damaged("a stored entry is not one".to_owned()))?;
                if index.at(&key, self.revision) == Some(*revision) {
                    block.extend_from_slice(&revision.to_le_bytes());
                    block.extend_from_slice(entry);
                    count += 1;
                    self.digest ^= mix(*revision as u64);
                }
            }
        }
        if count > 0 {
            finish_block(&mut block, count);
            self.count += u64::from(count);
            self.write(&block)?;
            self.file.sync()?;
        }
        Ok(CheckpointStep::More(self))
    }

    fn read_some(&self, base: &dyn Base) -> Result<Vec<(Revision, Vec<u8>)>, BaseError> {
        let mut found = Vec::new();
        let mut bytes = 0;
        base.scan(self.cursor, &mut |revision, entry| {
            if revision > self.revision || bytes >= STEP_BYTES {
                return ControlFlow::Break(());
            }
            bytes += entry.len();
            found.push((revision, entry));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn finish(mut self, state: &State, base: &dyn Base) -> Result<CheckpointStep, CheckpointError> {
        let expected = count_live(state, self.revision);
        if expected != self.count {
            return Err(CheckpointError::Incomplete {
                expected,
                found: self.count,
            });
        }
        let mut trailer = self.count.to_le_bytes().to_vec();
        trailer.extend_from_slice(&self.digest.to_le_bytes());
        let mut end = vec![0; BLOCK_HEADER_BYTES];
        end[8..].copy_from_slice(&crc32fast::hash(&trailer).to_le_bytes());
        end.extend_from_slice(&trailer);
        self.write(&end)?;
        self.file.sync()?;
        // Only now may the journal be dropped up to here: both copies of the state are on disk.
        base.flush()?;
        let dir = state.config.checkpoint_dir();
        let files = state.files.as_ref();
        files.rename(
            &dir.join(format!("{}{TEMPORARY}", self.name)),
            &dir.join(&self.name),
        )?;
        files.sync_dir(&dir)?;
        for (revision, path) in list(files, &dir)? {
            if revision < self.revision {
                files.remove(&path)?;
            }
        }
        Ok(CheckpointStep::Done { bytes: self.bytes })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.append(bytes)
    }
}

fn count_live(state: &State, at: Revision) -> u64 {
    let mut total = 0;
    let mut after = None;
    loop {
        let (count, last) = state.index.read().count_at(after.as_deref(), COUNT_CHUNK, at);
        total += count;
        match last {
            Some(key) => after = Some(key),
            None => return total,
        }
    }
}

fn finish_block(block: &mut [u8], count: u32) {
    let (header, body) = block.split_at_mut(BLOCK_HEADER_BYTES);
    header[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[4..8].copy_from_slice(&count.to_le_bytes());
    header[8..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
}

fn encode_header(revision: Revision, cluster: ClusterId) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&revision.to_le_bytes());
    out.extend_from_slice(&cluster.0);
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    out
}

/// A whole checkpoint on disk.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub path: PathBuf,
    pub revision: Revision,
    pub cluster: ClusterId,
}

/// The newest checkpoint whose header can be read.
pub(crate) fn newest(files: &dyn FileSystem, dir: &Path) -> io::Result<Option<Checkpoint>> {
    for (_, path) in list(files, dir)?.into_iter().rev() {
        let mut header = [0; HEADER_BYTES];
        if files.reader(&path)?.read_exact(&mut header).is_err() {
            continue;
        }
        if let Some((revision, cluster)) = decode_header(&header) {
            return Ok(Some(Checkpoint {
                path,
                revision,
                cluster,
            }));
        }
    }
    Ok(None)
}

/// Checkpoints by revision, oldest first.
fn list(files: &dyn FileSystem, dir: &Path) -> io::Result<Vec<(Revision, PathBuf)>> {
    let names = files.list(dir)?;
    let parse = |name: &String| Some((name.strip_prefix(PREFIX)?.parse().ok()?, dir.join(name)));
    let mut found: Vec<_> = names.iter().filter_map(parse).collect();
    found.sort();
    Ok(found)
}

fn decode_header(header: &[u8; HEADER_BYTES]) -> Option<(Revision, ClusterId)> {
    let (fields, crc) = header.split_at(HEADER_BYTES - 4);
    let whole = crc == crc32fast::hash(fields).to_le_bytes() && fields.starts_with(MAGIC);
    let format = u32::from_le_bytes(fields[8..12].try_into().ok()?);
    if !whole || format > FORMAT {
        return None;
    }
    let revision = Revision::from_le_bytes(fields[12..20].try_into().ok()?);
    Some((revision, ClusterId(fields[20..36].try_into().ok()?)))
}

/// Visits every entry of a checkpoint, in revision order. `Err` with a reason when the file is not whole;
/// what was visited until then must be thrown away.
pub(crate) fn read(
    files: &dyn FileSystem,
    path: &Path,
    visit: &mut dyn FnMut(Revision, Bytes) -> Result<(), String>,
) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let mut file = io::BufReader::new(files.reader(path).map_err(text)?);
    file.read_exact(&mut [0; HEADER_BYTES]).map_err(text)?;
    let (mut total, mut digest) = (0, 0);
    loop {
        let mut header = [0; BLOCK_HEADER_BYTES];
        file.read_exact(&mut header).map_err(text)?;
        let number =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (length, count, crc) = (number(0) as usize, number(4), number(8));
        if length > MAX_BLOCK_BYTES {
            return Err("a block's length is impossible".to_owned());
        }
        let mut body = vec![0; if length == 0 { TRAILER_BYTES } else { length }];
        file.read_exact(&mut body).map_err(text)?;
        if crc32fast::hash(&body) != crc {
            return Err("a block does not match its checksum".to_owned());
        }
        if length == 0 {
            let expected = [u64::to_le_bytes(total), u64::to_le_bytes(digest)].concat();
            return if body == expected {
                Ok(())
            } else {
                Err("it does not match its trailer".to_owned())
            };
        }
        let mut body = Bytes::from(body);
        for _ in 0..count {
            let (revision, entry) = split_entry(&mut body).ok_or("a block does not hold its entries")?;
            total += 1;
            digest ^= mix(revision as u64);
            visit(revision, entry)?;
        }
    }
}

/// Takes a revision and its entry's bytes off the front of a block.
fn split_entry(body: &mut Bytes) -> Option<(Revision, Bytes)> {
    let revision = Revision::from_le_bytes(body.get(..8)?.try_into().ok()?);
    let mut rest = body.slice(8..);
    let whole = rest.clone();
    RawEntry::decode(&mut rest)?;
    let entry = whole.slice(..whole.len() - rest.len());
    *body = rest;
    Some((revision, entry))
}
