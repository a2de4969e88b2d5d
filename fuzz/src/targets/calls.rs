//! Whole calls of the gRPC door of a running apiserver: the method's name, a NUL, and the message.

use super::super::doors::with_doors;

/// `INTERNAL`, which is never the caller's fault.
const INTERNAL: i32 = 13;
/// `UNKNOWN`, which says nothing.
const UNKNOWN: i32 = 2;

/// One call. Every outcome must be a status of gRPC, and none of the server's own making.
pub(super) fn calls(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0);
    let (path, message) = match at {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (&b"/coracle.v1.ObjectService/Create"[..], data),
    };
    let path = String::from_utf8_lossy(path);
    let Some((code, text)) = with_doors(|doors| doors.call(&path, message)) else {
        return;
    };
    assert!((0..=16).contains(&code), "{path} ended with {code}: {text}");
    // What cannot be decoded is told by the library, as INTERNAL.
    let is_library = text.contains("failed to decode Protobuf message");
    let is_untyped = text.contains("failed to create typed patch object");
    assert!(
        !matches!(code, INTERNAL | UNKNOWN) || is_library || is_untyped,
        "{path} ended with {code}: {text}"
    );
}
