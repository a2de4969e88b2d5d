//! The streams of one connection: accepted as the client opens them, read and written each for itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use coracle_service::{BoxIo, Env};
use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    sync::mpsc,
};

use super::{
    frame::Frame,
    headers::{self, Headers},
};

/// Streams of one connection at a time.
const MAX_STREAMS: usize = 1_024;
/// Pieces that wait in one stream; then the whole connection waits.
const MAX_WAITING: usize = 64;
/// Streams that wait to be accepted.
const MAX_UNACCEPTED: usize = 64;
/// Frames that wait to be written.
const MAX_UNWRITTEN: usize = 32;
/// The largest piece of data that is written as one frame.
const CHUNK_BYTES: usize = 32 << 10;
/// The status of a stream that is refused.
const REFUSED: u32 = 3;

/// A stream that the client opened.
pub(crate) struct Stream {
    /// Its headers.
    pub(crate) headers: Headers,
    /// What the client sends on it, until it ends it.
    pub(crate) data: mpsc::Receiver<Bytes>,
    /// What the client gets on it.
    pub(crate) writer: Writer,
}

/// Writes one stream.
#[derive(Clone)]
pub(crate) struct Writer {
    id: u32,
    frames: mpsc::Sender<Frame>,
}

impl Writer {
    /// Sends data; false where the connection is gone.
    pub(crate) async fn send(&self, data: Bytes) -> bool {
        for chunk in data.chunks(CHUNK_BYTES) {
            let frame = Frame::Data {
                id: self.id,
                fin: false,
                data: data.slice_ref(chunk),
            };
            if self.frames.send(frame).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Says that nothing follows.
    pub(crate) async fn close(&self) {
        let frame = Frame::Data {
            id: self.id,
            fin: true,
            data: Bytes::new(),
        };
        // The connection may be gone.
        let _ = self.frames.send(frame).await;
    }

    /// Ends the stream at once.
    pub(crate) async fn reset(&self) {
        let (id, status) = (self.id, REFUSED);
        let _ = self.frames.send(Frame::Reset { id, status }).await;
    }
}

/// One connection.
pub(crate) struct Session {
    streams: mpsc::Receiver<Stream>,
}

impl Session {
    /// Starts to read and to write.
    pub(crate) fn start(io: BoxIo, env: &Env) -> Self {
        let (accepted, streams) = mpsc::channel(MAX_UNACCEPTED);
        let (frames, mut unwritten) = mpsc::channel::<Frame>(MAX_UNWRITTEN);
        let (reader, mut writer) = tokio::io::split(io);
        env.spawn.task("write frames", async move {
            while let Some(frame) = unwritten.recv().await {
                if writer.write_all(&frame.to_bytes()).await.is_err() {
                    return;
                }
            }
            // Everything that could write is gone, and so is the connection.
            let _ = writer.shutdown().await;
        });
        let mut reading = Reading {
            blocks: headers::Reader::new(),
            replies: headers::Writer::default(),
            open: BTreeMap::new(),
            accepted,
            frames,
        };
        env.spawn.task("read frames", async move {
            let closed = reading.accepted.clone();
            tokio::select! {
                biased;
                () = closed.closed() => {}
                () = reading.run(reader) => {}
            }
        });
        Self { streams }
    }

    /// The next stream that the client opens; `None` once the connection has ended.
    pub(crate) async fn accept(&mut self) -> Option<Stream> {
        self.streams.recv().await
    }

    /// Waits for the client's end of the connection.
    pub(crate) async fn finish(&mut self) {
        while self.streams.recv().await.is_some() {}
    }
}

struct Reading {
    blocks: headers::Reader,
    replies: headers::Writer,
    open: BTreeMap<u32, mpsc::Sender<Bytes>>,
    accepted: mpsc::Sender<Stream>,
    frames: mpsc::Sender<Frame>,
}

impl Reading {
    async fn run(&mut self, mut io: impl AsyncRead + Unpin) {
        loop {
            let frame = match Frame::read(&mut io).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "read frame"),
            };
            if !self.take(frame).await {
                return;
            }
        }
    }

    /// Does what a frame says; false where the connection is to end.
    async fn take(&mut self, frame: Frame) -> bool {
        match frame {
            Frame::SynStream { id, fin, headers } => return self.opened(id, fin, headers).await,
            Frame::Data { id, fin, data } => {
                if let Some(stream) = self.open.get(&id)
                    && !data.is_empty()
                {
                    // Who reads it no more may write on.
                    let _ = stream.send(data).await;
                }
                if fin {
                    self.open.remove(&id);
                }
            }
            Frame::Reset { id, .. } => {
                self.open.remove(&id);
            }
            Frame::Ping { id } => return self.frames.send(Frame::Ping { id }).await.is_ok(),
            Frame::GoAway => return false,
            Frame::SynReply { .. } | Frame::Other => {}
        }
        true
    }

    async fn opened(&mut self, id: u32, fin: bool, block: Bytes) -> bool {
        // A block that is passed over would spoil all that follow it.
        let Some(headers) = self.blocks.read(block) else {
            return false;
        };
        if self.open.len() >= MAX_STREAMS {
            let status = REFUSED;
            return self.frames.send(Frame::Reset { id, status }).await.is_ok();
        }
        let headers_of_reply = self.replies.write(&[]);
        let reply = Frame::SynReply {
            id,
            headers: headers_of_reply,
        };
        if self.frames.send(reply).await.is_err() {
            return false;
        }
        let (sender, data) = mpsc::channel(MAX_WAITING);
        if !fin {
            self.open.insert(id, sender);
        }
        let writer = Writer {
            id,
            frames: self.frames.clone(),
        };
        let stream = Stream {
            headers,
            data,
            writer,
        };
        self.accepted.send(stream).await.is_ok()
    }
}
