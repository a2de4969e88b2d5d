//! Splicing the revision into an object's JSON: the one place where stored bytes and served bytes differ.

use bytes::Bytes;

use crate::types::Revision;

/// The object's JSON with `"resourceVersion":"N"` as the first field of its metadata, in one allocation of
/// the exact size. `at` is the offset right after `"metadata":{`; one past the end is taken as the end.
pub fn splice(json: &[u8], at: u32, revision: Revision) -> Bytes {
    const FIELD: &[u8] = b"\"resourceVersion\":\"";
    let (head, tail) = json.split_at((at as usize).min(json.len()));
    let digits = revision.to_string();
    let last_field = tail.first() == Some(&b'}');
    let end: &[u8] = if last_field { b"\"" } else { b"\"," };
    let mut out = Vec::with_capacity(json.len() + FIELD.len() + digits.len() + end.len());
    for part in [head, FIELD, digits.as_bytes(), end, tail] {
        out.extend_from_slice(part);
    }
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::splice;

    fn check(json: &str, expected: &str) {
        let at = json.find("\"metadata\":{").unwrap() + "\"metadata\":{".len();
        assert_eq!(splice(json.as_bytes(), at as u32, 42), expected.as_bytes());
    }

    #[test]
    fn the_revision_becomes_the_first_metadata_field() {
        check(
            r#"{"metadata":{"name":"a"}}"#,
            r#"{"metadata":{"resourceVersion":"42","name":"a"}}"#,
        );
        check(r#"{"metadata":{}}"#, r#"{"metadata":{"resourceVersion":"42"}}"#);
    }

    #[test]
    fn an_offset_past_the_end_does_not_panic() {
        assert_eq!(splice(b"{", 9, 1), &b"{\"resourceVersion\":\"1\","[..]);
    }
}
