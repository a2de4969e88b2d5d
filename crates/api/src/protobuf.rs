//! Request bodies in Kubernetes' protobuf, turned into the JSON that they mean.
//!
//! One transcoder serves every built-in kind: it walks the bytes along the committed table of types. It answers JSON
//! as Go's encoder would write the same object: what Go holds as a plain zero is left out, what it holds behind a
//! pointer stays. Numbers that the table does not know are passed over, as protobuf wants it. Nothing is validated
//! beyond the form: the JSON goes the way of every other body.

use serde_json::{Map, Value};

use self::messages::{MESSAGES, Message};
use self::wire::Reader;

mod messages;
#[cfg(test)]
mod tests;
mod value;
mod wire;

/// What every body begins with.
pub const MAGIC: &[u8] = b"k8s\0";
/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// Deepest nesting of messages.
pub const MAX_DEPTH: usize = 100;
/// Most values in one body: an empty message takes two bytes and becomes an object.
pub const MAX_VALUES: usize = 500_000;

/// Why a body is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body does not begin with [`MAGIC`].
    #[error("provided data does not appear to be a protobuf message, expected prefix {MAGIC:?}")]
    NoPrefix,
    /// The bytes end inside a field.
    #[error("unexpected EOF")]
    Truncated,
    /// A field's bytes are of another form than its type has.
    #[error("proto: wrong wireType for field {0}")]
    WrongWireType(u32),
    /// The bytes are no protobuf.
    #[error("proto: illegal tag")]
    IllegalTag,
    /// Text that is not UTF-8, a time outside of the calendar, a number that JSON does not have, broken JSON.
    #[error("proto: field {0} has an illegal value")]
    IllegalValue(u32),
    /// Deeper than [`MAX_DEPTH`].
    #[error("proto: the message is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_VALUES`].
    #[error("proto: the message has more than {MAX_VALUES} values")]
    TooLarge,
    /// No built-in kind is called so.
    #[error("no kind \"{kind}\" is registered for version \"{api_version}\"")]
    UnknownKind {
        /// The body's `apiVersion`.
        api_version: String,
        /// The body's `kind`.
        kind: String,
    },
}

/// The JSON of an object in protobuf. `expected` are the `apiVersion` and `kind` of a body that does not say what it is.
///
/// # Errors
/// Where the bytes are not what they should be, the kind is unknown or a limit is passed.
pub fn to_json(body: &[u8], expected: Option<(&str, &str)>) -> Result<Vec<u8>, Error> {
    let mut transcoder = Transcoder {
        values_left: MAX_VALUES,
    };
    let value = transcoder.envelope(body, expected, 0)?;
    let mut json = Vec::with_capacity(body.len() * 2);
    // A value in memory is always written.
    let _ = serde_json::to_writer(&mut json, &value);
    Ok(json)
}

/// What is counted while one body is read.
struct Transcoder {
    values_left: usize,
}

impl Transcoder {
    /// `k8s\0` and `runtime.Unknown`.
    fn envelope(
        &mut self,
        body: &[u8],
        expected: Option<(&str, &str)>,
        depth: usize,
    ) -> Result<Value, Error> {
        let rest = body.strip_prefix(MAGIC).ok_or(Error::NoPrefix)?;
        let mut reader = Reader::new(rest);
        let (mut api_version, mut kind, mut raw) = ("", "", &[][..]);
        while let Some((number, wire)) = reader.tag()? {
            match number {
                1 => (api_version, kind) = type_meta(reader.bytes(number, wire)?)?,
                2 => raw = reader.bytes(number, wire)?,
                _ => reader.skip(wire)?,
            }
        }
        let (expected_version, expected_kind) = expected.unwrap_or_default();
        if api_version.is_empty() {
            api_version = expected_version;
        }
        if kind.is_empty() {
            kind = expected_kind;
        }
        let message = MESSAGES
            .of_kind(api_version, kind)
            .ok_or_else(|| Error::UnknownKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            })?;
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), api_version.into());
        object.insert("kind".to_owned(), kind.into());
        self.message(message, raw, &mut object, depth)?;
        Ok(Value::Object(object))
    }

    /// Adds the fields of a message to `object`.
    fn message(
        &mut self,
        message: &Message,
        bytes: &[u8],
        object: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        if depth >= MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.tag()? {
            match message.field(number) {
                Some(field) => self.field(field, wire, &mut reader, object, depth)?,
                None => reader.skip(wire)?,
            }
        }
        Ok(())
    }

    /// Counts a value.
    fn count(&mut self) -> Result<(), Error> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Error::TooLarge)?;
        Ok(())
    }
}

fn type_meta(bytes: &[u8]) -> Result<(&str, &str), Error> {
    let mut reader = Reader::new(bytes);
    let (mut api_version, mut kind) = ("", "");
    while let Some((number, wire)) = reader.tag()? {
        match number {
            1 => api_version = reader.text(number, wire)?,
            2 => kind = reader.text(number, wire)?,
            _ => reader.skip(wire)?,
        }
    }
    Ok((api_version, kind))
}
