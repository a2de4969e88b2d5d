//! Frames: what the journal's bytes mean, and how damage in them is told from an unfinished write.
//!
//! A segment begins with its header, twice, and goes on with frames. A group frame holds all entries of one
//! group, so a group is there as a whole or not at all. A mark is a group of no entries: it is written when
//! the writer falls idle and proves that what stands before it was durable. Any valid frame after bytes that are
//! none is such a proof too; only bytes with no valid frame after them can be an unfinished write.
//!
//! All checksums start from the segment's random salt, so no value that a user stores can look like a frame.

use std::ops::Range;

use bytes::Bytes;

use crate::entry::RawEntry;
use crate::identity::{ClusterId, FORMAT};
use crate::types::Revision;

const SEGMENT_MAGIC: &[u8; 8] = b"CORJRNL\n";
const FRAME_MAGIC: &[u8; 4] = b"CFRM";
const HEADER_BYTES: usize = 52;
const FRAME_HEADER_BYTES: usize = 32;
/// Both copies of a segment's header.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 2 * HEADER_BYTES;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub format: u32,
    pub salt: u32,
    pub sequence: u64,
    /// The last revision before this segment.
    pub base: Revision,
    pub cluster: ClusterId,
}

impl SegmentHeader {
    pub fn new(salt: u32, sequence: u64, base: Revision, cluster: ClusterId) -> SegmentHeader {
        SegmentHeader {
            format: FORMAT,
            salt,
            sequence,
            base,
            cluster,
        }
    }

    /// Both copies.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&self.format.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.base.to_le_bytes());
        out.extend_from_slice(&self.cluster.0);
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        assert!(out.len() == HEADER_BYTES, "the header's layout is fixed");
        out.extend_from_within(..);
        out
    }

    /// The first copy that is whole, `None` when neither is.
    pub fn decode(segment: &[u8]) -> Option<SegmentHeader> {
        segment.chunks_exact(HEADER_BYTES).take(2).find_map(decode_copy)
    }
}

fn decode_copy(copy: &[u8]) -> Option<SegmentHeader> {
    let (fields, crc) = copy.split_at_checked(HEADER_BYTES - 4)?;
    if crc32fast::hash(fields) != u32_at(crc, 0)? || !fields.starts_with(SEGMENT_MAGIC) {
        return None;
    }
    Some(SegmentHeader {
        format: u32_at(fields, 8)?,
        salt: u32_at(fields, 12)?,
        sequence: u64_at(fields, 16)?,
        base: u64_at(fields, 24)? as Revision,
        cluster: ClusterId(fields.get(32..48)?.try_into().ok()?),
    })
}

/// Appends a group frame whose body `fill` writes; `count` entries beginning at `first`.
pub(crate) fn encode_group(
    out: &mut Vec<u8>,
    salt: u32,
    first: Revision,
    count: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.resize(start + FRAME_HEADER_BYTES, 0);
    fill(out);
    finish(out, start, salt, first, count);
}

/// Appends a mark: everything up to `latest` is durable.
pub(crate) fn encode_mark(out: &mut Vec<u8>, salt: u32, latest: Revision) {
    let start = out.len();
    out.resize(start + FRAME_HEADER_BYTES, 0);
    finish(out, start, salt, latest + 1, 0);
}

fn finish(out: &mut [u8], start: usize, salt: u32, first: Revision, count: u32) {
    let (header, body) = out[start..].split_at_mut(FRAME_HEADER_BYTES);
    header[..4].copy_from_slice(FRAME_MAGIC);
    header[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[12..20].copy_from_slice(&first.to_le_bytes());
    header[20..24].copy_from_slice(&count.to_le_bytes());
    header[24..28].copy_from_slice(&salted_crc(salt, body).to_le_bytes());
    let crc = salted_crc(salt, &header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
}

/// One group as it was read.
#[derive(Debug)]
pub(crate) struct Group {
    pub offset: usize,
    pub first: Revision,
    pub count: u32,
    body: Bytes,
}

impl Group {
    /// The last revision in the group.
    pub fn last(&self) -> Revision {
        self.first + Revision::from(self.count) - 1
    }

    /// The entries; `None` when the body does not hold what the header says, checksum or not.
    pub fn entries(&self) -> Option<Vec<RawEntry>> {
        let mut body = self.body.clone();
        let entries: Option<Vec<_>> = (0..self.count).map(|_| RawEntry::decode(&mut body)).collect();
        entries.filter(|_| body.is_empty())
    }
}

/// What a segment holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Groups and marks, in order.
    pub groups: Vec<Group>,
    /// Bytes that are no frames, with valid frames after them.
    pub damaged: Vec<Range<usize>>,
    /// Where bytes begin that are no frames, up to the end of the file.
    pub torn: Option<usize>,
    /// The last frame is a mark: all groups were durable when it was written.
    pub marked: bool,
}

/// Reads the frames behind a segment's header.
pub(crate) fn scan(segment: &Bytes, salt: u32) -> Scan {
    let mut scan = Scan::default();
    let mut at = SEGMENT_HEADER_BYTES.min(segment.len());
    while at < segment.len() {
        if let Some((group, next)) = decode_frame(segment, at, salt) {
            scan.marked = group.count == 0;
            scan.groups.push(group);
            at = next;
        } else if let Some(next) = next_frame(segment, at + 1, salt) {
            scan.damaged.push(at..next);
            at = next;
        } else {
            scan.torn = Some(at);
            return scan;
        }
    }
    scan
}

fn next_frame(segment: &Bytes, from: usize, salt: u32) -> Option<usize> {
    let candidates = segment.get(from..)?.windows(FRAME_MAGIC.len()).enumerate();
    let mut starts = candidates
        .filter(|(_, window)| window == FRAME_MAGIC)
        .map(|(place, _)| from + place);
    starts.find(|start| decode_frame(segment, *start, salt).is_some())
}

/// The frame at an offset and where it ends. A mark is a group of no entries.
fn decode_frame(segment: &Bytes, at: usize, salt: u32) -> Option<(Group, usize)> {
    let header = segment.get(at..at + FRAME_HEADER_BYTES)?;
    if !header.starts_with(FRAME_MAGIC) || salted_crc(salt, &header[..28]) != u32_at(header, 28)? {
        return None;
    }
    let start = at + FRAME_HEADER_BYTES;
    let end = start.checked_add(u32_at(header, 8)? as usize)?;
    let body = segment.get(start..end)?;
    if salted_crc(salt, body) != u32_at(header, 24)? {
        return None;
    }
    let (first, count) = (u64_at(header, 12)? as Revision, u32_at(header, 20)?);
    Some((
        Group {
            offset: at,
            first,
            count,
            body: segment.slice(start..end),
        },
        end,
    ))
}

fn salted_crc(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
