//! Records: what a value looks like on disk. A checked header, the object's JSON compressed with LZ4, and
//! for Secrets sealed with XChaCha20-Poly1305.
//!
//! A sealed record's associated data is its header (which holds the key id) and the object's UID, so that
//! the body of one Secret cannot be passed off as another's. The revision is not part of a record: it is
//! assigned later and framed around it.
//!
//! Layout, integers little-endian:
//! ```text
//! 0 format u8 | 1 flags u8 | 2 key id u32 | 6 splice_at u32 | 10 JSON length u32 | 14 CRC-32 of the rest u32
//! 18 body, or when sealed: UID length u8, UID, nonce (24 bytes), ciphertext and tag
//! ```

use std::sync::Arc;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use parking_lot::RwLock;

use crate::types::Encoded;

/// Fills a buffer with random bytes; injected so that a simulation can own it. Must be a cryptographic
/// source wherever Secrets are real.
pub type RandomSource = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

const RECORD_FORMAT: u8 = 1;
const FLAG_COMPRESSED: u8 = 1;
const FLAG_SEALED: u8 = 2;
const HEADER_BYTES: usize = 18;
const CRC_AT: usize = 14;
const NONCE_BYTES: usize = 24;
/// Largest JSON a record may say it holds: nothing bigger is ever allocated on a record's word.
const MAX_JSON_BYTES: usize = 64 * 1024 * 1024;
/// Bodies below this size are not worth compressing.
const MIN_COMPRESS_BYTES: usize = 128;

/// Whether a record's body is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal<'a> {
    /// Stored as it is.
    None,
    /// Sealed under the active key, bound to the object's UID.
    Aead {
        /// `metadata.uid` of the object.
        uid: &'a str,
    },
}

/// A key that seals records, and the id under which records name it.
#[derive(Clone)]
pub struct SealKey {
    /// Named in every record sealed with this key. Never reused for another key.
    pub id: u32,
    /// The key itself.
    pub bytes: [u8; 32],
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a record could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There is no key to seal with.
    #[error("seal record: no key is configured")]
    NoKey,
    /// The record names a key that is not configured.
    #[error("open sealed record: key {0} is not configured")]
    UnknownKey(u32),
    /// Sealing failed, or the seal is broken: wrong key, or changed bytes.
    #[error("check seal of record: it is broken")]
    BrokenSeal,
    /// The record was written by a newer version.
    #[error("read record: format {0} is newer than this version knows")]
    NewerFormat(u8),
    /// The record's bytes are not what was written.
    #[error("read record: {0}")]
    Damaged(&'static str),
    /// The JSON is too large or its splice offset is not inside an object.
    #[error("make record: {0}")]
    Invalid(&'static str),
}

/// Makes records from objects and objects from records. Cheap to clone.
#[derive(Clone)]
pub struct RecordCodec {
    inner: Arc<Inner>,
}

struct Inner {
    ciphers: RwLock<Vec<(u32, XChaCha20Poly1305)>>,
    random: RandomSource,
}

impl RecordCodec {
    /// A codec that seals with the first of `keys` and opens with any of them.
    pub fn new(keys: &[SealKey], random: RandomSource) -> RecordCodec {
        RecordCodec {
            inner: Arc::new(Inner {
                ciphers: RwLock::new(ciphers(keys)),
                random,
            }),
        }
    }

    /// From now on seals with the first of `keys` and opens with any of them, in all clones.
    pub fn set_keys(&self, keys: &[SealKey]) {
        *self.inner.ciphers.write() = ciphers(keys);
    }

    /// The ids of the keys, the one that seals first.
    pub fn key_ids(&self) -> Vec<u32> {
        self.inner.ciphers.read().iter().map(|(id, _)| *id).collect()
    }

    /// A codec without keys: it refuses to seal.
    pub fn unsealed() -> RecordCodec {
        RecordCodec::new(&[], Arc::new(|_| {}))
    }

    /// Makes the record of an object. `json` is the object without its resourceVersion; `splice_at` is the
    /// offset right after `"metadata":{`.
    pub fn encode(&self, json: Bytes, splice_at: u32, seal: Seal<'_>) -> Result<Encoded, RecordError> {
        if json.len() > MAX_JSON_BYTES {
            return Err(RecordError::Invalid("the object is too large"));
        }
        let at = splice_at as usize;
        if at == 0 || at >= json.len() || json[at - 1] != b'{' {
            return Err(RecordError::Invalid(
                "the splice offset is not at the start of an object",
            ));
        }
        let compressed = if json.len() >= MIN_COMPRESS_BYTES {
            lz4_flex::block::compress(&json)
        } else {
            vec![]
        };
        let shrunk = !compressed.is_empty() && compressed.len() < json.len();
        let body: &[u8] = if shrunk { &compressed } else { &json };
        let (key_id, cipher) = match seal {
            Seal::None => (0, None),
            Seal::Aead { .. } => {
                let (id, cipher) = self.sealing_key().ok_or(RecordError::NoKey)?;
                (id, Some(cipher))
            }
        };
        let flags = u8::from(shrunk) * FLAG_COMPRESSED + u8::from(cipher.is_some()) * FLAG_SEALED;
        let mut record = Vec::with_capacity(HEADER_BYTES + body.len() + 128);
        record.extend_from_slice(&[RECORD_FORMAT, flags]);
        record.extend_from_slice(&key_id.to_le_bytes());
        record.extend_from_slice(&splice_at.to_le_bytes());
        record.extend_from_slice(&(json.len() as u32).to_le_bytes());
        record.extend_from_slice(&[0; 4]);
        match (seal, cipher) {
            (Seal::Aead { uid }, Some(cipher)) => self.seal_body(&mut record, &cipher, uid, body)?,
            _ => record.extend_from_slice(body),
        }
        let crc = record_crc(&record);
        record[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        Ok(Encoded {
            json,
            splice_at,
            record: record.into(),
        })
    }

    fn sealing_key(&self) -> Option<(u32, XChaCha20Poly1305)> {
        self.inner.ciphers.read().first().cloned()
    }

    fn seal_body(
        &self,
        record: &mut Vec<u8>,
        cipher: &XChaCha20Poly1305,
        uid: &str,
        body: &[u8],
    ) -> Result<(), RecordError> {
        let uid_len = u8::try_from(uid.len()).map_err(|_| RecordError::Invalid("the UID is too long"))?;
        let mut nonce = [0; NONCE_BYTES];
        (self.inner.random)(&mut nonce);
        let aad = associated_data(&record[..CRC_AT], uid.as_bytes());
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: body, aad: &aad })
            .map_err(|_| RecordError::BrokenSeal)?;
        record.push(uid_len);
        record.extend_from_slice(uid.as_bytes());
        record.extend_from_slice(&nonce);
        record.extend_from_slice(&sealed);
        Ok(())
    }

    /// Reads a record back into the object's JSON and its splice offset.
    pub fn decode(&self, record: &[u8]) -> Result<(Vec<u8>, u32), RecordError> {
        check(record)?;
        let flags = record[1];
        let splice_at = u32_at(record, 6);
        let json_len = u32_at(record, 10) as usize;
        if json_len > MAX_JSON_BYTES {
            return Err(RecordError::Damaged("its length is impossible"));
        }
        let body = &record[HEADER_BYTES..];
        let opened;
        let body = if flags & FLAG_SEALED == 0 {
            body
        } else {
            opened = self.open_body(&record[..CRC_AT], u32_at(record, 2), body)?;
            &opened
        };
        let json = if flags & FLAG_COMPRESSED == 0 {
            body.to_vec()
        } else {
            lz4_flex::block::decompress(body, json_len)
                .map_err(|_| RecordError::Damaged("its body does not decompress"))?
        };
        if json.len() != json_len {
            return Err(RecordError::Damaged("its length is not the one in its header"));
        }
        Ok((json, splice_at))
    }

    fn open_body(&self, header: &[u8], key_id: u32, body: &[u8]) -> Result<Vec<u8>, RecordError> {
        let cut = || RecordError::Damaged("its seal is cut short");
        let cipher = {
            let ciphers = self.inner.ciphers.read();
            let found = ciphers.iter().find(|(id, _)| *id == key_id);
            found.cloned().ok_or(RecordError::UnknownKey(key_id))?
        };
        let (uid_len, rest) = body.split_first().ok_or_else(cut)?;
        let (uid, rest) = rest.split_at_checked(usize::from(*uid_len)).ok_or_else(cut)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or_else(cut)?;
        let aad = associated_data(header, uid);
        cipher
            .1
            .decrypt(
                XNonce::from_slice(nonce),
                Payload {
                    msg: sealed,
                    aad: &aad,
                },
            )
            .map_err(|_| RecordError::BrokenSeal)
    }
}

fn ciphers(keys: &[SealKey]) -> Vec<(u32, XChaCha20Poly1305)> {
    keys.iter()
        .map(|key| (key.id, XChaCha20Poly1305::new(&key.bytes.into())))
        .collect()
}

/// The id of the key that sealed a record; `None` where it is not sealed.
pub(crate) fn sealed_by(record: &[u8]) -> Option<u32> {
    let is_sealed = record.len() >= HEADER_BYTES && record[1] & FLAG_SEALED != 0;
    is_sealed.then(|| u32_at(record, 2))
}

/// Checks a record's format and CRC without opening it: what the audit at open does.
pub(crate) fn check(record: &[u8]) -> Result<(), RecordError> {
    if record.len() < HEADER_BYTES {
        return Err(RecordError::Damaged("it is shorter than its header"));
    }
    if record[0] > RECORD_FORMAT {
        return Err(RecordError::NewerFormat(record[0]));
    }
    if record_crc(record) != u32_at(record, CRC_AT) {
        return Err(RecordError::Damaged("its checksum does not match"));
    }
    Ok(())
}

fn record_crc(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..CRC_AT]);
    hasher.update(&record[HEADER_BYTES..]);
    hasher.finalize()
}

fn associated_data(header: &[u8], uid: &[u8]) -> Vec<u8> {
    [header, uid].concat()
}

/// The caller has checked that the header is whole.
fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
}

#[cfg(test)]
mod tests;
