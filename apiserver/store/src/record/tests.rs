//! Records: round trips, seals that cannot be moved, and damage that is always noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use proptest::prelude::*;

use super::{RecordCodec, RecordError, Seal, SealKey};

fn codec(ids: &[u32]) -> RecordCodec {
    let counter = AtomicU8::new(1);
    let keys: Vec<_> = ids
        .iter()
        .map(|id| SealKey {
            id: *id,
            bytes: [*id as u8; 32],
        })
        .collect();
    RecordCodec::new(
        &keys,
        Arc::new(move |buf| buf.fill(counter.fetch_add(1, Ordering::Relaxed))),
    )
}

fn object(padding: usize) -> (Bytes, u32) {
    let json = format!(
        r#"{{"kind":"Secret","metadata":{{"name":"a"}},"data":"{}"}}"#,
        "hunter2".repeat(padding)
    );
    let at = json.find("\"metadata\":{").unwrap() + "\"metadata\":{".len();
    (Bytes::from(json), at as u32)
}

#[test]
fn a_record_gives_back_what_went_in() {
    for padding in [0, 3, 500] {
        for seal in [Seal::None, Seal::Aead { uid: "uid-1" }] {
            let (json, at) = object(padding);
            let encoded = codec(&[7]).encode(json.clone(), at, seal).unwrap();
            assert_eq!(codec(&[7]).decode(&encoded.record).unwrap(), (json.to_vec(), at));
        }
    }
}

#[test]
fn a_sealed_record_shows_nothing_of_the_secret() {
    let (json, at) = object(3);
    let plain = codec(&[7]).encode(json.clone(), at, Seal::None).unwrap();
    let sealed = codec(&[7]).encode(json, at, Seal::Aead { uid: "uid-1" }).unwrap();
    let shows = |record: &[u8]| record.windows(7).any(|w| w == b"hunter2");
    assert!(shows(&plain.record), "the check must be able to fail");
    assert!(!shows(&sealed.record));
}

#[test]
fn keys_rotate_and_unknown_keys_are_named() {
    let (json, at) = object(3);
    let old = codec(&[7])
        .encode(json.clone(), at, Seal::Aead { uid: "u" })
        .unwrap();
    assert_eq!(codec(&[8, 7]).decode(&old.record).unwrap().0, json);
    assert_eq!(codec(&[8]).decode(&old.record), Err(RecordError::UnknownKey(7)));
    assert_eq!(
        RecordCodec::unsealed()
            .encode(json, at, Seal::Aead { uid: "u" })
            .unwrap_err(),
        RecordError::NoKey
    );
}

#[test]
fn a_seal_is_bound_to_the_uid() {
    let (json, at) = object(3);
    let record = codec(&[7])
        .encode(json, at, Seal::Aead { uid: "uid-1" })
        .unwrap()
        .record;
    let mut forged = record.to_vec();
    forged[super::HEADER_BYTES + 1 + 4] = b'2';
    let crc = super::record_crc(&forged);
    forged[super::CRC_AT..super::HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(codec(&[7]).decode(&forged), Err(RecordError::BrokenSeal));
}

#[test]
fn an_offset_outside_the_object_is_refused() {
    let (json, _) = object(0);
    for at in [0, 5, json.len() as u32, u32::MAX] {
        assert!(matches!(
            codec(&[]).encode(json.clone(), at, Seal::None),
            Err(RecordError::Invalid(_))
        ));
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_or_a_cut_is_always_noticed(padding in 0usize..100, bit in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let (json, at) = object(padding);
        let record = codec(&[7]).encode(json, at, Seal::None).unwrap().record;
        let mut flipped = record.to_vec();
        let bit = bit.index(record.len() * 8);
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(codec(&[7]).decode(&flipped).is_err());
        prop_assert!(codec(&[7]).decode(&record[..cut.index(record.len())]).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = codec(&[7]).decode(&bytes);
    }
}
