//! The canonical encoding: an object's JSON, serialized once per write, without `resourceVersion`, and the place
//! where the revision is spliced in once it is known.
//!
//! Store, watch cache and both doors copy these bytes and never serialize again. What makes that work is the order:
//! `apiVersion`, `kind`, `metadata` come first, and the revision stands first inside the metadata.

use bytes::Bytes;

use crate::object::Object;

#[cfg(test)]
mod tests;

const METADATA: &[u8] = b"\"metadata\":{";
const FIELD: &[u8] = b"\"resourceVersion\":\"";

/// How far from the beginning `"metadata":{` may end, in bytes: apiVersion and kind are short.
const HEAD_MAX_BYTES: usize = 1024;

/// The canonical JSON of an object, without its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// The JSON; it has no `resourceVersion`.
    pub json: Bytes,
    /// Offset right behind `"metadata":{`, where [`splice`] puts the revision.
    pub splice_at: u32,
}

impl Canonical {
    /// The JSON with the revision in it.
    pub fn at_revision(&self, revision: i64) -> Bytes {
        splice(&self.json, self.splice_at, revision)
    }
}

/// Encodes an object, dropping its `resourceVersion`.
pub fn encode(object: &mut dyn Object) -> Canonical {
    object.metadata_mut().resource_version = None;
    let json = Bytes::from(object.to_json());
    let Some(splice_at) = splice_point(&json) else {
        unreachable!("a typed object is serialized with its metadata behind apiVersion and kind");
    };
    Canonical { json, splice_at }
}

/// Encodes a JSON value that has `apiVersion`, `kind` and `metadata`, putting these first; `None` where it lacks
/// them. For kinds without a typed struct.
pub fn encode_value(value: &serde_json::Value) -> Option<Canonical> {
    let object = value.as_object()?;
    let mut metadata = object.get("metadata")?.as_object()?.clone();
    metadata.remove("resourceVersion");
    let mut json = Vec::with_capacity(512);
    for (name, value) in [
        ("apiVersion", object.get("apiVersion")?),
        ("kind", object.get("kind")?),
    ] {
        push_field(&mut json, name, value)?;
    }
    push_field(&mut json, "metadata", &serde_json::Value::Object(metadata))?;
    for (name, value) in object {
        if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            push_field(&mut json, name, value)?;
        }
    }
    json.push(b'}');
    let splice_at = splice_point(&json)?;
    Some(Canonical {
        json: Bytes::from(json),
        splice_at,
    })
}

/// `apiVersion` and `kind` of JSON in canonical order; `None` where it is in another.
pub fn head(json: &[u8]) -> Option<(&str, &str)> {
    let rest = json.strip_prefix(b"{\"apiVersion\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let (api_version, rest) = rest.split_at_checked(end)?;
    let rest = rest.strip_prefix(b"\",\"kind\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let kind = rest.get(..end)?;
    Some((
        std::str::from_utf8(api_version).ok()?,
        std::str::from_utf8(kind).ok()?,
    ))
}

fn push_field(json: &mut Vec<u8>, name: &str, value: &serde_json::Value) -> Option<()> {
    json.push(if json.is_empty() { b'{' } else { b',' });
    serde_json::to_writer(&mut *json, name).ok()?;
    json.push(b':');
    serde_json::to_writer(&mut *json, value).ok()
}

/// The offset right behind `"metadata":{` of canonical JSON.
pub fn splice_point(json: &[u8]) -> Option<u32> {
    let head = &json[..json.len().min(HEAD_MAX_BYTES)];
    let at = head
        .windows(METADATA.len())
        .position(|window| window == METADATA)?;
    u32::try_from(at + METADATA.len()).ok()
}

/// Copies `json` with `"resourceVersion":"N"` put in at `splice_at`, in one allocation.
pub fn splice(json: &[u8], splice_at: u32, revision: i64) -> Bytes {
    let at = splice_at as usize;
    assert!(at < json.len(), "the splice point lies inside the JSON");
    let (head, tail) = json.split_at(at);
    let digits = revision.to_string();
    let mut spliced = Vec::with_capacity(json.len() + FIELD.len() + digits.len() + 2);
    spliced.extend_from_slice(head);
    spliced.extend_from_slice(FIELD);
    spliced.extend_from_slice(digits.as_bytes());
    spliced.push(b'"');
    if tail.first() != Some(&b'}') {
        spliced.push(b',');
    }
    spliced.extend_from_slice(tail);
    Bytes::from(spliced)
}

/// Undoes [`splice`]: the canonical JSON and the revision; `None` where the JSON was not made by `splice`.
pub fn strip_resource_version(json: &[u8]) -> Option<(Canonical, i64)> {
    let splice_at = splice_point(json)?;
    let (head, rest) = json.split_at(splice_at as usize);
    let rest = rest.strip_prefix(FIELD)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let revision = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let tail = &rest[end + 1..];
    let tail = tail.strip_prefix(b",").unwrap_or(tail);
    Some((
        Canonical {
            json: Bytes::from([head, tail].concat()),
            splice_at,
        },
        revision,
    ))
}

/// The revision that [`splice`] put in, without a copy.
pub fn revision_of(json: &[u8]) -> Option<i64> {
    let at = splice_point(json)? as usize;
    let rest = json.get(at..)?.strip_prefix(FIELD)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}
