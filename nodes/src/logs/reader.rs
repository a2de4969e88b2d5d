//! Reading a container's log: the last lines, those since a time, and what is still to come.
//!
//! A reader reads the files in steps of at most [`CHUNK_BYTES`] and hands out whole lines. Files are read where the
//! caller calls; the server does so off its request workers.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    sync::{Arc, atomic::Ordering},
};

use jiff::Timestamp;

use super::Log;

/// The most that is handed out at a time.
pub const CHUNK_BYTES: usize = 64 << 10;
/// The most lines that [`Selection::tail`] keeps in memory; more are cut to the last ones.
const MAX_TAIL_LINES: usize = 200_000;

/// Which lines of a log to read.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only lines from this time on.
    pub since: Option<Timestamp>,
    /// Only this many of the last lines.
    pub tail: Option<usize>,
    /// With the time before each line.
    pub timestamps: bool,
    /// At most this many bytes in all.
    pub limit_bytes: Option<u64>,
}

/// Reads one log from its beginning on.
pub struct Reader {
    log: Arc<Log>,
    selection: Selection,
    /// What the tail kept and was not handed out yet.
    ready: VecDeque<Vec<u8>>,
    position: Position,
    sent_bytes: u64,
}

/// How far a reader has come.
#[derive(Clone, Copy, Default)]
struct Position {
    /// The rotation in which the file at hand is the newer one; one less for the older file at the start.
    rotation: Option<u64>,
    in_older: bool,
    offset: u64,
}

impl Reader {
    /// A reader at the first line that `selection` chooses.
    ///
    /// # Errors
    /// The system's.
    pub fn open(log: Arc<Log>, selection: Selection) -> io::Result<Self> {
        let position = Position {
            in_older: log.older_path().exists(),
            ..Position::default()
        };
        let tail = selection.tail;
        let mut reader = Self {
            log,
            selection,
            ready: VecDeque::new(),
            position,
            sent_bytes: 0,
        };
        if let Some(tail) = tail {
            let tail = tail.min(MAX_TAIL_LINES);
            let mut kept = VecDeque::new();
            while let Some(lines) = reader.step()? {
                kept.extend(lines);
                kept.drain(..kept.len().saturating_sub(tail));
            }
            reader.ready = kept;
        }
        Ok(reader)
    }

    /// The next lines, or `None` where there are no further ones now.
    ///
    /// # Errors
    /// The system's.
    pub fn next_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.is_exhausted() {
            return Ok(None);
        }
        while self.ready.is_empty() {
            match self.step()? {
                Some(lines) => self.ready.extend(lines),
                None => return Ok(None),
            }
        }
        let mut chunk = Vec::new();
        while let Some(line) = self.ready.front() {
            if !chunk.is_empty() && chunk.len() + line.len() > CHUNK_BYTES {
                break;
            }
            chunk.extend(self.ready.pop_front().unwrap_or_default());
        }
        if let Some(limit) = self.selection.limit_bytes {
            let left = usize::try_from(limit.saturating_sub(self.sent_bytes)).unwrap_or(usize::MAX);
            chunk.truncate(left);
        }
        self.sent_bytes += chunk.len() as u64;
        Ok(Some(chunk))
    }

    /// Whether the byte limit has been reached.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.selection
            .limit_bytes
            .is_some_and(|limit| self.sent_bytes >= limit)
    }

    /// Waits until there may be more to read; false once the container has ended and there will not be.
    ///
    /// Lines may be written between a `None` of [`Reader::next_chunk`] and this call; they end the wait too.
    pub async fn changed(&self) -> bool {
        let changed = self.log.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let (rotations, size_bytes) = {
            let state = self.log.state.lock();
            (state.rotations, state.size_bytes)
        };
        let behind = self.position.in_older
            || self
                .position
                .rotation
                .is_some_and(|rotation| rotation != rotations)
            || self.position.offset < size_bytes;
        if behind {
            return true;
        }
        if self.log.ended.load(Ordering::Acquire) {
            return false;
        }
        changed.await;
        true
    }

    /// Reads on for a chunk; `None` at the end of the newer file.
    fn step(&mut self) -> io::Result<Option<Vec<Vec<u8>>>> {
        loop {
            let rotations = self.log.state.lock().rotations;
            let started = *self.position.rotation.get_or_insert(rotations);
            if !self.position.in_older && started != rotations {
                // What was the newer file is the older one now, or gone altogether.
                let lost = rotations > started + 1;
                let offset = if lost { 0 } else { self.position.offset };
                self.position = Position {
                    rotation: Some(rotations),
                    in_older: true,
                    offset,
                };
            }
            let path = if self.position.in_older {
                self.log.older_path()
            } else {
                self.log.path()
            };
            let lines = match File::open(path) {
                Ok(file) => self.read_lines(file)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            match lines {
                Some(lines) => return Ok(Some(lines)),
                None if self.position.in_older => {
                    self.position = Position {
                        in_older: false,
                        offset: 0,
                        ..self.position
                    };
                }
                None => return Ok(None),
            }
        }
    }

    /// Whole lines from the position on, those that are selected; `None` where there is no further one.
    fn read_lines(&mut self, mut file: File) -> io::Result<Option<Vec<Vec<u8>>>> {
        file.seek(SeekFrom::Start(self.position.offset))?;
        let mut input = BufReader::new(file);
        let (mut lines, mut read_bytes, mut any) = (Vec::new(), 0, false);
        let mut line = Vec::new();
        while read_bytes < CHUNK_BYTES {
            line.clear();
            let length = input.read_until(b'\n', &mut line)?;
            if length == 0 || line.last() != Some(&b'\n') {
                break;
            }
            any = true;
            read_bytes += length;
            self.position.offset += length as u64;
            if let Some(selected) = self.select(&line) {
                lines.push(selected);
            }
        }
        Ok(any.then_some(lines))
    }

    /// The line as the caller wants it, or `None` where it does not.
    fn select(&self, line: &[u8]) -> Option<Vec<u8>> {
        // TIME STREAM TAG TEXT
        let mut parts = line.splitn(4, |&byte| byte == b' ');
        let (time, _, _, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if let Some(since) = self.selection.since {
            let time: Timestamp = std::str::from_utf8(time).ok()?.parse().ok()?;
            if time < since {
                return None;
            }
        }
        Some(if self.selection.timestamps {
            [time, b" ", text].concat()
        } else {
            text.to_vec()
        })
    }
}
