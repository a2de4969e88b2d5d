//! Frames: what is written is read, and every cut and flip is noticed and placed.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const SALT: u32 = 77;

fn entry(n: u8) -> RawEntry {
    let record = Bytes::from(vec![n; 20 + usize::from(n)]);
    RawEntry {
        key: format!("/k/{n}").as_str().into(),
        deleted: n.is_multiple_of(3),
        fence: None,
        record,
    }
}

/// Three groups of two entries, and where each ends.
fn segment(mark: bool) -> (Vec<u8>, Vec<usize>) {
    let mut out = SegmentHeader::new(SALT, 3, 10, ClusterId([9; 16])).encode();
    let mut ends = vec![out.len()];
    for group in 0..3u8 {
        encode_group(&mut out, SALT, 11 + 2 * i64::from(group), 2, |out| {
            entry(2 * group).encode(out);
            entry(2 * group + 1).encode(out);
        });
        ends.push(out.len());
    }
    if mark {
        encode_mark(&mut out, SALT, 16);
    }
    (out, ends)
}

fn revisions(scan: &Scan) -> Vec<Revision> {
    scan.groups
        .iter()
        .flat_map(|group| group.first..=group.last())
        .collect()
}

#[test]
fn a_segment_gives_back_what_went_in() {
    let (bytes, _) = segment(true);
    let header = SegmentHeader::decode(&bytes).unwrap();
    assert_eq!((header.sequence, header.base, header.salt), (3, 10, SALT));
    let scan = scan(&Bytes::from(bytes), SALT);
    assert_eq!(revisions(&scan), (11..=16).collect::<Vec<_>>());
    assert_eq!(scan.groups[1].entries().unwrap(), vec![entry(2), entry(3)]);
    assert!(scan.damaged.is_empty() && scan.torn.is_none());
}

#[test]
fn either_copy_of_the_header_is_enough() {
    let (bytes, _) = segment(false);
    for broken in [0, HEADER_BYTES] {
        let mut copy = bytes.clone();
        copy[broken + 20] ^= 1;
        assert!(SegmentHeader::decode(&copy).is_some());
    }
    assert_eq!(SegmentHeader::decode(&bytes[..40]), None);
}

#[test]
fn damage_to_the_last_group_is_torn_only_without_a_mark() {
    for mark in [false, true] {
        let (mut bytes, ends) = segment(mark);
        bytes[ends[2] + 40] ^= 1;
        let scan = scan(&Bytes::from(bytes), SALT);
        assert_eq!(scan.torn.is_some(), !mark);
        assert_eq!(scan.damaged.len(), usize::from(mark));
    }
}

#[test]
fn a_frame_inside_a_users_value_is_not_taken_for_one() {
    let (bytes, ends) = segment(false);
    let mut forged = bytes[..ends[2]].to_vec();
    encode_group(&mut forged, SALT + 1, 15, 1, |out| entry(1).encode(out));
    let scan = scan(&Bytes::from(forged), SALT);
    assert_eq!(scan.torn, Some(ends[2]));
}

proptest! {
    #[test]
    fn a_cut_keeps_exactly_the_whole_groups(cut in any::<prop::sample::Index>()) {
        let (bytes, ends) = segment(false);
        let cut = ends[0] + cut.index(bytes.len() - ends[0]);
        let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
        let scan = scan(&Bytes::from(bytes[..cut].to_vec()), SALT);
        prop_assert_eq!(revisions(&scan).len(), whole * 2);
        prop_assert_eq!(scan.torn, (!ends.contains(&cut)).then_some(ends[whole]));
    }

    #[test]
    fn a_flip_costs_one_group_and_is_placed(bit in any::<prop::sample::Index>()) {
        let (mut bytes, ends) = segment(true);
        let bit = bit.index((ends[3] - ends[0]) * 8) + ends[0] * 8;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let scan = scan(&Bytes::from(bytes), SALT);
        prop_assert_eq!(revisions(&scan).len(), 4);
        prop_assert_eq!(scan.damaged.len(), 1);
        prop_assert!(scan.damaged[0].contains(&(bit / 8)));
    }
}
