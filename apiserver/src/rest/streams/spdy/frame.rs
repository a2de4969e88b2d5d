//! Frames of SPDY/3.1: what they are on the wire, and no more. Header blocks stay compressed here.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest frame that is read.
const MAX_FRAME_BYTES: usize = 1 << 20;
/// The version in control frames.
const VERSION: u16 = 3;
/// The flag of the last frame of a stream's direction.
const FIN: u8 = 1;

/// A frame, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A new stream, with its headers.
    SynStream { id: u32, fin: bool, headers: Bytes },
    /// A new stream is accepted.
    SynReply { id: u32, headers: Bytes },
    /// A stream's data.
    Data { id: u32, fin: bool, data: Bytes },
    /// A stream ends at once.
    Reset { id: u32, status: u32 },
    /// To be answered with the same.
    Ping { id: u32 },
    /// The connection ends.
    GoAway,
    /// Settings, more headers, windows: nothing here depends on them.
    Other,
}

impl Frame {
    /// Reads the next frame; `None` at the end.
    ///
    /// # Errors
    /// The connection's; [`io::ErrorKind::InvalidData`] for what is no frame or too large.
    pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut head = [0; 8];
        match io.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            outcome => outcome?,
        };
        let (mut head, bad) = (&head[..], || io::Error::from(io::ErrorKind::InvalidData));
        let (first, flags_and_length) = (head.get_u32(), head.get_u32());
        let length = usize::try_from(flags_and_length & 0x00ff_ffff).map_err(|_| bad())?;
        let fin = flags_and_length.to_be_bytes()[0] & FIN != 0;
        if length > MAX_FRAME_BYTES {
            return Err(bad());
        }
        let mut payload = vec![0; length];
        io.read_exact(&mut payload).await?;
        let mut payload = Bytes::from(payload);
        if first & 0x8000_0000 == 0 {
            let (id, data) = (first, payload);
            return Ok(Some(Self::Data { id, fin, data }));
        }
        let [version, kind] = [(first >> 16) & 0x7fff, first & 0xffff];
        let least = match kind {
            1 => 10,
            3 => 8,
            2 | 6 => 4,
            _ => 0,
        };
        if version != u32::from(VERSION) || payload.len() < least {
            return Err(bad());
        }
        Ok(Some(match kind {
            1 => {
                let id = payload.get_u32() & 0x7fff_ffff;
                // The stream that it belongs to, its priority and its slot.
                payload.advance(6);
                let headers = payload;
                Self::SynStream { id, fin, headers }
            }
            2 => {
                let id = payload.get_u32() & 0x7fff_ffff;
                let headers = payload;
                Self::SynReply { id, headers }
            }
            3 => {
                let id = payload.get_u32() & 0x7fff_ffff;
                let status = payload.get_u32();
                Self::Reset { id, status }
            }
            6 => Self::Ping {
                id: payload.get_u32(),
            },
            7 => Self::GoAway,
            _ => Self::Other,
        }))
    }

    /// The frame as bytes.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut payload = BytesMut::new();
        let (kind, fin) = match self {
            Self::Data { id, fin, data } => {
                let mut frame = BytesMut::with_capacity(8 + data.len());
                frame.put_u32(*id);
                frame.put_u32(flags_and_length(*fin, data.len()));
                frame.put_slice(data);
                return frame.freeze();
            }
            Self::SynStream { id, fin, headers } => {
                payload.put_u32(*id);
                payload.put_slice(&[0; 6]);
                payload.put_slice(headers);
                (1, *fin)
            }
            Self::SynReply { id, headers } => {
                payload.put_u32(*id);
                payload.put_slice(headers);
                (2, false)
            }
            Self::Reset { id, status } => {
                payload.put_u32(*id);
                payload.put_u32(*status);
                (3, false)
            }
            Self::Ping { id } => {
                payload.put_u32(*id);
                (6, false)
            }
            Self::GoAway => {
                payload.put_slice(&[0; 8]);
                (7, false)
            }
            Self::Other => return Bytes::new(),
        };
        let mut frame = BytesMut::with_capacity(8 + payload.len());
        frame.put_u16(0x8000 | VERSION);
        frame.put_u16(kind);
        frame.put_u32(flags_and_length(fin, payload.len()));
        frame.put_slice(&payload);
        frame.freeze()
    }
}

fn flags_and_length(fin: bool, length: usize) -> u32 {
    let length = u32::try_from(length).unwrap_or(0x00ff_ffff) & 0x00ff_ffff;
    u32::from(fin) << 24 | length
}
