//! HTTP/2 by hand: connections that send what no client library would, such as streams that are reset as soon as they
//! are opened. For tests of what a server does about them; headers are written literally, without compression.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use coracle_service::{BoxIo, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::access::Access;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// RST_STREAM's code for a stream that the caller gives up.
const CANCEL: u32 = 8;
/// RST_STREAM's code for a stream beyond the server's limit.
const REFUSED_STREAM: u32 = 7;
/// The largest frame that a server takes without being asked.
const MAX_FRAME_BYTES: usize = 16 << 10;
/// What a server may send before it is read; the most there is.
const WINDOW_BYTES: u32 = (1 << 31) - 1;
/// The window that every connection starts with.
const FIRST_WINDOW_BYTES: u32 = (1 << 16) - 1;

/// What a server sent on one connection.
#[derive(Default, Debug)]
pub struct Received {
    /// Answers that began.
    pub answers: AtomicU64,
    /// Streams refused because there were too many.
    pub refused: AtomicU64,
    /// Whether the server said that it takes no more streams.
    pub farewells: AtomicU64,
}

/// One connection, as the side that sends.
pub struct Frames {
    writer: WriteHalf<BoxIo>,
    authority: String,
    next: u32,
    /// What came back so far.
    pub received: Arc<Received>,
}

impl Frames {
    /// Connects, and reads in the background whatever comes.
    ///
    /// # Errors
    /// Where the connection is refused.
    pub async fn open(access: &Access) -> anyhow::Result<Self> {
        let (host, _) = access
            .server
            .rsplit_once(':')
            .context("read the server's address")?;
        let io = connect::connect(&access.server, host, &access.env, &access.identity())
            .await
            .context("connect")?;
        let (reader, mut writer) = tokio::io::split(io);
        let received = Arc::new(Received::default());
        access
            .env
            .spawn
            .task("read-frames", read(reader, Arc::clone(&received)));
        let mut start = PREFACE.to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE, so that no answer waits for us.
        let mut window = vec![0, 4];
        window.extend(WINDOW_BYTES.to_be_bytes());
        frame(&mut start, SETTINGS, 0, 0, &window);
        let more = WINDOW_BYTES - FIRST_WINDOW_BYTES;
        frame(&mut start, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        writer.write_all(&start).await?;
        Ok(Self {
            writer,
            authority: access.server.clone(),
            next: 1,
            received,
        })
    }

    /// Opens `count` streams in one breath; with `is_reset`, each is given up at once.
    ///
    /// # Errors
    /// Where the server has closed the connection.
    pub async fn open_streams(&mut self, count: u32, path: &str, is_reset: bool) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let stream = self.head(&mut bytes, 0x82, path, END_STREAM, None);
            if is_reset {
                frame(&mut bytes, RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
            }
        }
        self.write(&bytes).await
    }

    /// Posts a body that goes on until the server has had enough; how many bytes it took.
    ///
    /// # Errors
    /// Where the server has closed the connection before the request.
    pub async fn pour(
        &mut self,
        path: &str,
        content_type: &str,
        first: &[u8],
        limit: u64,
    ) -> anyhow::Result<u64> {
        let mut bytes = Vec::new();
        let stream = self.head(&mut bytes, 0x83, path, 0, Some(content_type));
        frame(&mut bytes, DATA, 0, stream, first);
        self.write(&bytes).await?;
        let mut chunk = Vec::new();
        frame(&mut chunk, DATA, 0, stream, &[b' '; MAX_FRAME_BYTES]);
        let mut taken = first.len() as u64;
        // The server's windows are 1 MiB a stream, 16 MiB a connection: whoever sends beyond them is cut off.
        while taken < limit && self.write(&chunk).await.is_ok() {
            taken += MAX_FRAME_BYTES as u64;
        }
        Ok(taken)
    }

    fn head(
        &mut self,
        out: &mut Vec<u8>,
        method: u8,
        path: &str,
        flags: u8,
        content_type: Option<&str>,
    ) -> u32 {
        // :method and :scheme are in HPACK's own table, the other names, too; values are literals that nobody keeps.
        let mut block = vec![method, 0x87];
        literal(&mut block, &[0x04], path);
        literal(&mut block, &[0x01], &self.authority);
        if let Some(content_type) = content_type {
            literal(&mut block, &[0x0f, 0x10], content_type);
        }
        let stream = self.next;
        self.next += 2;
        frame(out, HEADERS, flags | END_HEADERS, stream, &block);
        stream
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.writer.write_all(bytes).await?;
        Ok(self.writer.flush().await?)
    }
}

/// A header whose value is written out; shorter than 127 bytes, which is all that the tests need.
fn literal(block: &mut Vec<u8>, name: &[u8], value: &str) {
    block.extend(name);
    block.push(u8::try_from(value.len()).unwrap_or(0x7e).min(0x7e));
    block.extend(value.bytes().take(0x7e));
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    out.extend(&length[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

async fn read(mut reader: ReadHalf<BoxIo>, received: Arc<Received>) {
    let mut head = [0; 9];
    let mut payload = vec![0; MAX_FRAME_BYTES];
    while reader.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some(payload) = payload.get_mut(..length) else {
            return;
        };
        if reader.read_exact(payload).await.is_err() {
            return;
        }
        let counter = match (head[3], &*payload) {
            (HEADERS, _) => &received.answers,
            (RST_STREAM, code) if *code == REFUSED_STREAM.to_be_bytes() => &received.refused,
            (GO_AWAY, _) => &received.farewells,
            _ => continue,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_its_length_kind_flags_stream_and_payload() {
        let mut out = Vec::new();
        frame(&mut out, RST_STREAM, 0, 5, &CANCEL.to_be_bytes());
        assert_eq!(out, [0, 0, 4, 3, 0, 0, 0, 0, 5, 0, 0, 0, 8]);
    }

    #[test]
    fn a_literal_header_is_name_length_and_value() {
        let mut block = Vec::new();
        literal(&mut block, &[0x04], "/a");
        assert_eq!(block, [0x04, 2, b'/', b'a']);
    }
}
