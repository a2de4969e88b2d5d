//! What commands read from and write to: pipes, files, captures, the container's log, a terminal.
//!
//! A pipe holds at most [`PIPE_CHUNKS`] pieces; who writes faster than is read waits, and who writes where nobody reads
//! any more gets a broken pipe. Several commands may share a source: what one leaves, the next finds.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use coracle_service::Random;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::{runtime::console::Console, volumes::Files};

/// Pieces that wait in a pipe.
pub const PIPE_CHUNKS: usize = 16;
/// The largest piece.
pub const CHUNK_BYTES: usize = 32 << 10;
/// The most that is captured of a command's output, as in `$(...)`.
pub const MAX_CAPTURE_BYTES: usize = 4 << 20;
/// The most that a command which needs all of its input at once takes.
pub const MAX_WHOLE_BYTES: usize = 64 << 20;

/// Where output goes.
#[derive(Clone)]
pub enum Sink {
    /// Nowhere.
    Null,
    /// To whoever reads the other end.
    Pipe(mpsc::Sender<Bytes>),
    /// Into memory.
    Capture(Arc<Mutex<Vec<u8>>>),
    /// To the end of a file.
    File(Arc<Files>, Arc<str>),
    /// To the container's log and whoever is attached.
    Console(Arc<Console>),
    /// To a person's terminal, where a new line begins at the left.
    Terminal(mpsc::Sender<Bytes>),
}

impl Sink {
    /// Writes all of `data`.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] where nobody reads; the file's.
    pub async fn write(&self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Null => Ok(()),
            Self::Pipe(pipe) => send(pipe, data).await,
            Self::Capture(captured) => {
                let mut captured = captured.lock();
                if captured.len() + data.len() > MAX_CAPTURE_BYTES {
                    return Err(io::Error::new(
                        io::ErrorKind::OutOfMemory,
                        "the captured output is too long",
                    ));
                }
                captured.extend_from_slice(data);
                Ok(())
            }
            Self::File(files, path) => files.append(path, data.to_vec()).await,
            Self::Console(console) => {
                console.write(data);
                Ok(())
            }
            Self::Terminal(pipe) => send(pipe, &with_returns(data)).await,
        }
    }
}

async fn send(pipe: &mpsc::Sender<Bytes>, data: &[u8]) -> io::Result<()> {
    for chunk in data.chunks(CHUNK_BYTES) {
        pipe.send(Bytes::copy_from_slice(chunk))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    }
    Ok(())
}

/// A terminal's new line needs a return.
#[must_use]
pub fn with_returns(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 8);
    for &byte in data {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Where input comes from. Clones share it.
#[derive(Clone)]
pub struct Source(Arc<tokio::sync::Mutex<Reading>>);

struct Reading {
    buffer: BytesMut,
    origin: Origin,
}

enum Origin {
    Empty,
    /// An empty piece is an end that may be followed by more, as on a terminal.
    Pipe(mpsc::Receiver<Bytes>),
    File(Arc<Files>, String, u64),
    Zeros,
    Noise(Random),
}

impl Source {
    fn new(origin: Origin, buffer: &[u8]) -> Self {
        Self(Arc::new(tokio::sync::Mutex::new(Reading {
            buffer: BytesMut::from(buffer),
            origin,
        })))
    }

    /// Nothing to read.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Origin::Empty, b"")
    }

    /// These bytes.
    #[must_use]
    pub fn bytes(data: &[u8]) -> Self {
        Self::new(Origin::Empty, data)
    }

    /// The end of a pipe.
    #[must_use]
    pub fn pipe(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self::new(Origin::Pipe(receiver), b"")
    }

    /// A file, from its beginning.
    #[must_use]
    pub fn file(files: Arc<Files>, path: String) -> Self {
        Self::new(Origin::File(files, path, 0), b"")
    }

    /// Zeros without end.
    #[must_use]
    pub fn zeros() -> Self {
        Self::new(Origin::Zeros, b"")
    }

    /// Random bytes without end.
    #[must_use]
    pub fn noise(random: Random) -> Self {
        Self::new(Origin::Noise(random), b"")
    }

    /// The next piece of at most `limit` bytes; empty at the end.
    ///
    /// # Errors
    /// The file's.
    pub async fn read(&self, limit: usize) -> io::Result<Bytes> {
        let mut reading = self.0.lock().await;
        if reading.buffer.is_empty() {
            reading.fill().await?;
        }
        let length = reading.buffer.len().min(limit);
        Ok(reading.buffer.split_to(length).freeze())
    }

    /// The next line with its end; the last one may have none. `None` at the end.
    ///
    /// # Errors
    /// The file's.
    pub async fn line(&self) -> io::Result<Option<Vec<u8>>> {
        let mut reading = self.0.lock().await;
        let mut line = Vec::new();
        loop {
            if let Some(end) = reading.buffer.iter().position(|&byte| byte == b'\n') {
                line.extend_from_slice(&reading.buffer.split_to(end + 1));
                return Ok(Some(line));
            }
            line.extend_from_slice(&reading.buffer.split());
            if line.len() > MAX_WHOLE_BYTES || !reading.fill().await? {
                return Ok((!line.is_empty()).then_some(line));
            }
        }
    }

    /// Everything up to the end.
    ///
    /// # Errors
    /// The file's, and [`io::ErrorKind::OutOfMemory`] for more than [`MAX_WHOLE_BYTES`].
    pub async fn all(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let piece = self.read(CHUNK_BYTES).await?;
            if piece.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&piece);
            if all.len() > MAX_WHOLE_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::OutOfMemory,
                    "the input is larger than 64 MiB",
                ));
            }
        }
    }
}

impl Reading {
    /// Adds a piece to the buffer; false at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        let piece = match &mut self.origin {
            Origin::Empty => return Ok(false),
            Origin::Pipe(receiver) => receiver.recv().await.unwrap_or_default(),
            Origin::File(files, path, offset) => {
                let piece = files.read_at(path, *offset, CHUNK_BYTES).await?;
                *offset += piece.len() as u64;
                piece.into()
            }
            Origin::Zeros => vec![0; CHUNK_BYTES].into(),
            Origin::Noise(random) => {
                let mut noise = Vec::with_capacity(1024);
                while noise.len() < 1024 {
                    noise.extend_from_slice(&random.next_u64().to_le_bytes());
                }
                noise.into()
            }
        };
        self.buffer.extend_from_slice(&piece);
        Ok(!piece.is_empty())
    }
}

/// A pipe.
#[must_use]
pub fn pipe() -> (Sink, Source) {
    let (sender, receiver) = mpsc::channel(PIPE_CHUNKS);
    (Sink::Pipe(sender), Source::pipe(receiver))
}

/// The three streams of a command.
#[derive(Clone)]
pub struct Streams {
    /// Standard input.
    pub input: Source,
    /// Standard output.
    pub output: Sink,
    /// Standard error.
    pub errors: Sink,
}
