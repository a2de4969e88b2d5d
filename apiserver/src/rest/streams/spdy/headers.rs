//! Header blocks: name and value pairs, compressed with zlib over one window for the whole connection, which begins
//! with a dictionary that the protocol fixes.
//!
//! What is written is stored without compression: every inflater reads that, and header blocks here are a few bytes. An
//! empty block follows, as a sync flush writes one: Go's inflater holds back what it has until it sees it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use miniz_oxide::inflate::{
    TINFLStatus,
    core::{DecompressorOxide, decompress, inflate_flags},
};

/// The window of deflate, and the size of the buffer that output goes round in.
const WINDOW: usize = 32 << 10;
/// The largest block, inflated.
const MAX_BLOCK_BYTES: usize = 64 << 10;
/// The most pairs of a block.
const MAX_PAIRS: u32 = 64;
/// The longest block that is stored in one piece.
const MAX_STORED_BYTES: usize = 0xffff;

/// An empty stored block.
const FLUSH: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// The words of the dictionary, each with its length before it.
const WORDS: &[&str] = &[
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];
/// What follows them.
const TAIL: &str = concat!(
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505",
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized",
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable",
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT",
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,",
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.",
);

/// Pairs of names, in lower case, and values.
pub(crate) type Headers = Vec<(String, String)>;

fn dictionary() -> Vec<u8> {
    let mut dictionary = Vec::new();
    for word in WORDS {
        dictionary.put_u32(u32::try_from(word.len()).unwrap_or_default());
        dictionary.extend_from_slice(word.as_bytes());
    }
    dictionary.extend_from_slice(TAIL.as_bytes());
    dictionary
}

/// Reads the header blocks of a connection, in their order.
pub(crate) struct Reader {
    inflater: Box<DecompressorOxide>,
    window: Vec<u8>,
    position: usize,
    has_begun: bool,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let mut window = dictionary();
        let position = window.len();
        window.resize(WINDOW, 0);
        Self {
            inflater: Box::default(),
            window,
            position,
            has_begun: false,
        }
    }

    /// The pairs of a block; `None` for what is none.
    pub(crate) fn read(&mut self, mut block: Bytes) -> Option<Headers> {
        if !std::mem::replace(&mut self.has_begun, true) {
            // The head of zlib, and the checksum of the dictionary where the flags say that there is one.
            let flags = *block.get(1)?;
            let head = if flags & 0x20 != 0 { 6 } else { 2 };
            if block.len() < head {
                return None;
            }
            block.advance(head);
        }
        pairs(self.inflate(&block)?.into())
    }

    fn inflate(&mut self, mut input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
        loop {
            let start = self.position;
            let (status, read, written) =
                decompress(&mut self.inflater, input, &mut self.window, start, flags);
            out.extend_from_slice(self.window.get(start..start + written)?);
            self.position = (start + written) % WINDOW;
            input = input.get(read..)?;
            if out.len() > MAX_BLOCK_BYTES {
                return None;
            }
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if input.is_empty() => return Some(out),
                _ => return None,
            }
        }
    }
}

fn pairs(mut block: Bytes) -> Option<Headers> {
    let text = |block: &mut Bytes| {
        let length = usize::try_from(number(block)?).ok()?;
        let text = (block.len() >= length).then(|| block.split_to(length))?;
        String::from_utf8(text.to_vec()).ok()
    };
    let count = number(&mut block).filter(|count| *count <= MAX_PAIRS)?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let (name, value) = (text(&mut block)?, text(&mut block)?);
        pairs.push((name.to_ascii_lowercase(), value));
    }
    Some(pairs)
}

fn number(block: &mut Bytes) -> Option<u32> {
    (block.len() >= 4).then(|| block.get_u32())
}

/// Writes the header blocks of a connection, in their order.
#[derive(Default)]
pub(crate) struct Writer {
    has_begun: bool,
}

impl Writer {
    /// A block of pairs, which together must not be longer than 64 KiB.
    pub(crate) fn write(&mut self, pairs: &[(&str, &str)]) -> Bytes {
        let mut plain = BytesMut::new();
        let size = |length: usize| u32::try_from(length).unwrap_or_default();
        plain.put_u32(size(pairs.len()));
        for (name, value) in pairs {
            for text in [name, value] {
                plain.put_u32(size(text.len()));
                plain.put_slice(text.as_bytes());
            }
        }
        plain.truncate(MAX_STORED_BYTES);
        let mut block = BytesMut::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            block.put_slice(&[0x78, 0x01]);
        }
        let length = u16::try_from(plain.len()).unwrap_or(u16::MAX);
        block.put_u8(0);
        block.put_u16_le(length);
        block.put_u16_le(!length);
        block.put_slice(&plain);
        block.put_slice(&FLUSH);
        block.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1950's checksum.
    fn adler(data: &[u8]) -> u32 {
        let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
            let a = (a + u32::from(byte)) % 65_521;
            (a, (b + a) % 65_521)
        });
        b << 16 | a
    }

    #[test]
    fn the_dictionary_is_the_protocols() {
        // The checksum that every client names in its first block.
        assert_eq!(adler(&dictionary()), 0xe3c6_a7c2);
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut writer, mut reader) = (Writer::default(), Reader::new());
        for value in ["error", "data"] {
            let block = writer.write(&[("streamtype", value), ("port", "80")]);
            let expected = [("streamtype", value), ("port", "80")];
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(reader.read(block), Some(expected.to_vec()));
        }
    }

    #[test]
    fn every_block_ends_with_a_flush() {
        let mut writer = Writer::default();
        for _ in 0..2 {
            let block = writer.write(&[("streamtype", "error")]);
            assert!(block.ends_with(&FLUSH), "{block:?}");
        }
    }

    #[test]
    fn blocks_that_are_none_are_refused() {
        let read = |block: &'static [u8]| Reader::new().read(Bytes::from_static(block));
        assert_eq!(read(b""), None);
        assert_eq!(read(b"\x78\xbb\xe3"), None);
        assert_eq!(read(b"\x78\x01\xff\xff\xff"), None);
        assert_eq!(read(b"\x78\x01\x00\x04\x00\xfb\xff\xff\xff\xff\xff"), None);
    }
}
