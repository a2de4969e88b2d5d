//! How one change is written wherever it is written: in a journal frame, in the base engine, in a checkpoint.
//!
//! ```text
//! flags u8 | key length u16 | key | fence, if flagged: transitions i64, holder length u16, holder
//! | record length u32 | record
//! ```
//! Integers are little-endian. Checksums are the business of whatever frames the entry.

use bytes::Bytes;

use crate::types::{Fence, Key};

const FLAG_DELETED: u8 = 1;
const FLAG_FENCE: u8 = 2;

/// One change without its revision, which whatever frames it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawEntry {
    pub key: Key,
    pub deleted: bool,
    pub fence: Option<Fence>,
    pub record: Bytes,
}

impl RawEntry {
    pub fn size_bytes(&self) -> usize {
        self.key.len() + self.record.len()
    }

    /// Appends the entry. Keys and holders are within `u16` by the limits of the store.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(out, &self.key, self.deleted, self.fence.as_ref(), &self.record);
    }

    /// Takes one entry off the front of `input`; `None` when the bytes are not an entry.
    pub fn decode(input: &mut Bytes) -> Option<RawEntry> {
        let flags = take(input, 1)?[0];
        let key = take_text(input)?;
        let key = str::from_utf8(&key).ok()?.into();
        let fence = if flags & FLAG_FENCE == 0 {
            None
        } else {
            let transitions = i64::from_le_bytes(take(input, 8)?.as_ref().try_into().ok()?);
            Some(Fence {
                holder: String::from_utf8(take_text(input)?.into()).ok()?,
                transitions,
            })
        };
        let length = u32::from_le_bytes(take(input, 4)?.as_ref().try_into().ok()?);
        let record = take(input, usize::try_from(length).ok()?)?;
        Some(RawEntry {
            key,
            deleted: flags & FLAG_DELETED != 0,
            fence,
            record,
        })
    }
}

/// Appends an entry made of its parts.
pub(crate) fn encode(out: &mut Vec<u8>, key: &str, deleted: bool, fence: Option<&Fence>, record: &[u8]) {
    let fenced = fence.is_some();
    out.push(u8::from(deleted) * FLAG_DELETED + u8::from(fenced) * FLAG_FENCE);
    put_text(out, key);
    if let Some(fence) = fence {
        out.extend_from_slice(&fence.transitions.to_le_bytes());
        put_text(out, &fence.holder);
    }
    out.extend_from_slice(&(record.len() as u32).to_le_bytes());
    out.extend_from_slice(record);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    assert!(
        text.len() <= usize::from(u16::MAX),
        "keys and holders are checked before they are accepted"
    );
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take(input: &mut Bytes, length: usize) -> Option<Bytes> {
    (input.len() >= length).then(|| input.split_to(length))
}

fn take_text(input: &mut Bytes) -> Option<Bytes> {
    let length = u16::from_le_bytes(take(input, 2)?.as_ref().try_into().ok()?);
    take(input, usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_gives_back_what_went_in(key in "/[a-z/]{0,40}", deleted: bool, fence in prop::option::of(("[a-z]{0,9}", any::<i64>())), record in prop::collection::vec(any::<u8>(), 0..50)) {
            let fence = fence.map(|(holder, transitions)| Fence { holder, transitions });
            let entry = RawEntry { key: key.as_str().into(), deleted, fence, record: record.into() };
            let mut out = Vec::new();
            entry.encode(&mut out);
            out.push(9);
            let mut input = Bytes::from(out.clone());
            prop_assert_eq!(RawEntry::decode(&mut input), Some(entry));
            prop_assert_eq!(input.as_ref(), &[9][..]);
            let cut = out.len() - 2;
            prop_assert_eq!(RawEntry::decode(&mut Bytes::copy_from_slice(&out[..cut])), None);
        }
    }
}
