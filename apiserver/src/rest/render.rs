//! Objects, lists and tables on the wire.
//!
//! Objects and lists copy the bytes that the cache shares; only the other forms look into them: a table reads the
//! fields of its cells, and `PartialObjectMetadata` cuts the metadata out. A long list is made while it is sent, a
//! piece at a time, so that its text never stands in memory as a whole.

use axum::body::Body;
use bytes::Bytes;
use coracle_api::{ApiError, Resource};
use futures::stream;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::indent;
use super::negotiate::{Encoding, Form, Representation};
use super::path::Target;
use super::query::Query;
use super::tables::{Cell, Table};
use crate::registry::{Entry, ListResult};

#[cfg(test)]
mod tests;

/// Lists are sent in pieces of at least this size.
const PIECE_BYTES: usize = 64 * 1024;

/// What comes with a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowObject {
    None,
    Metadata,
    Object,
}

/// Writes objects of one resource in the form that a client asked for.
pub(crate) struct Renderer {
    resource: &'static Resource,
    representation: Representation,
    pretty: bool,
    row_object: RowObject,
    table: Table,
    now: Timestamp,
}

impl Renderer {
    /// A renderer for what `target` names; ages are measured against `now`.
    ///
    /// # Errors
    /// Bad request for an `includeObject` that is none.
    pub(crate) fn new(
        target: &Target,
        representation: Representation,
        query: &Query,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let row_object = match query.get("includeObject") {
            None | Some("Metadata") => RowObject::Metadata,
            Some("None") => RowObject::None,
            Some("Object") => RowObject::Object,
            Some(other) => {
                return Err(ApiError::bad_request(format!(
                    "unrecognized includeObject value: \"{other}\""
                )));
            }
        };
        let pretty = query.flag("pretty").unwrap_or(false);
        let table = Table::of(target.resource, target.subresource_name());
        Ok(Self {
            resource: target.resource,
            representation,
            pretty,
            row_object,
            table,
            now,
        })
    }

    /// The media type of what this writes.
    pub(crate) fn content_type(&self) -> &'static str {
        self.representation.encoding.content_type()
    }

    /// Writes a stream of lines, which indentation would break.
    pub(crate) fn set_stream(&mut self) {
        self.representation.encoding = Encoding::Json;
        self.pretty = false;
    }

    /// Moves the time that ages are measured against, for streams that live long.
    pub(crate) fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// One object, whose JSON is `json`.
    pub(crate) fn object(&self, json: &Bytes) -> Bytes {
        let mut out = Vec::new();
        match self.representation.form {
            Form::Object if self.is_plain() => return json.clone(),
            Form::Object => out.extend_from_slice(json),
            Form::Metadata(version) => partial(&mut out, json, version),
            Form::Table(_) => self.table_of(&mut out, json, true),
        }
        self.finish(out)
    }

    /// The object of a watch event; a table tells its columns with the `first` one only.
    pub(crate) fn event_object(&self, out: &mut Vec<u8>, json: &[u8], first: bool) {
        match self.representation.form {
            Form::Object => out.extend_from_slice(json),
            Form::Metadata(version) => partial(out, json, version),
            Form::Table(_) => self.table_of(out, json, first),
        }
    }

    /// The object of a BOOKMARK event: nothing but a revision, and whether the present state has been told.
    pub(crate) fn bookmark(&self, out: &mut Vec<u8>, revision: i64, initial_events_end: bool) {
        let (kind, api_version) = match self.representation.form {
            Form::Object => (self.resource.kind, self.resource.api_version.to_owned()),
            Form::Metadata(version) => ("PartialObjectMetadata", meta(version)),
            Form::Table(version) => ("Table", meta(version)),
        };
        let annotations = if initial_events_end {
            r#","annotations":{"k8s.io/initial-events-end":"true"}"#
        } else {
            ""
        };
        let rows = if kind == "Table" {
            r#","columnDefinitions":[],"rows":[]"#
        } else {
            ""
        };
        let text = format!(
            r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{revision}"{annotations}}}{rows}}}"#
        );
        out.extend_from_slice(text.as_bytes());
    }

    /// A list, as a body that is made while it is sent.
    pub(crate) fn list(self, list: ListResult) -> Body {
        let size: usize = list.entries.iter().map(|entry| entry.json.len()).sum();
        let plain = self.is_plain();
        if plain && size > PIECE_BYTES {
            let pieces = Pieces {
                renderer: self,
                list: Some(list),
                entries: Vec::new().into_iter(),
                empty: true,
            };
            return Body::from_stream(stream::iter(pieces.map(Ok::<_, std::convert::Infallible>)));
        }
        let mut out = Vec::with_capacity(size + 256);
        self.open_list(&mut out, &list);
        for (index, entry) in list.entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.item(&mut out, entry);
        }
        out.extend_from_slice(b"]}\n");
        Body::from(self.finish(out))
    }

    fn is_plain(&self) -> bool {
        self.representation.encoding == Encoding::Json && !self.pretty
    }

    fn finish(&self, out: Vec<u8>) -> Bytes {
        if self.is_plain() {
            out.into()
        } else {
            indent::indent(&out).into()
        }
    }

    /// Everything up to the first item.
    fn open_list(&self, out: &mut Vec<u8>, list: &ListResult) {
        let (kind, api_version) = match self.representation.form {
            Form::Object => (self.resource.list_kind(), self.resource.api_version.to_owned()),
            Form::Metadata(version) => ("PartialObjectMetadataList".to_owned(), meta(version)),
            Form::Table(version) => ("Table".to_owned(), meta(version)),
        };
        let mut head = format!(
            r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{}""#,
            list.revision
        );
        if let Some(token) = &list.continue_token {
            // Tokens are made here, of characters that JSON need not escape.
            head.push_str(&format!(r#","continue":"{token}""#));
        }
        if let Some(remaining) = list.remaining {
            head.push_str(&format!(r#","remainingItemCount":{remaining}"#));
        }
        out.extend_from_slice(head.as_bytes());
        match self.representation.form {
            Form::Object | Form::Metadata(_) => out.extend_from_slice(br#"},"items":["#),
            Form::Table(_) => {
                out.extend_from_slice(br#"},"columnDefinitions":"#);
                append(out, &self.table.columns());
                out.extend_from_slice(br#","rows":["#);
            }
        }
    }

    fn item(&self, out: &mut Vec<u8>, entry: &Entry) {
        match self.representation.form {
            Form::Object => out.extend_from_slice(&entry.json),
            Form::Metadata(version) => partial(out, &entry.json, version),
            Form::Table(version) => self.row(out, &entry.json, version),
        }
    }

    /// A table of one row.
    fn table_of(&self, out: &mut Vec<u8>, json: &[u8], columns: bool) {
        let Form::Table(version) = self.representation.form else {
            unreachable!("only the form of a table leads here");
        };
        let revision = coracle_api::encode::revision_of(json).unwrap_or_default();
        let head = format!(
            r#"{{"kind":"Table","apiVersion":"{}","metadata":{{"resourceVersion":"{revision}"}},"columnDefinitions":"#,
            meta(version)
        );
        out.extend_from_slice(head.as_bytes());
        if columns {
            append(out, &self.table.columns());
        } else {
            out.extend_from_slice(b"[]");
        }
        out.extend_from_slice(br#","rows":["#);
        self.row(out, json, version);
        out.extend_from_slice(b"]}");
    }

    fn row(&self, out: &mut Vec<u8>, json: &[u8], version: &str) {
        let cells = self.table.cells(json, self.now).unwrap_or_else(|error| {
            // Our own objects always fit; a list with a poor row is better than none.
            tracing::error!(%error, resource = %self.resource, "read object for a table");
            vec![Cell::from("<error>"); self.table.width()]
        });
        out.extend_from_slice(br#"{"cells":"#);
        append(out, &cells);
        match self.row_object {
            RowObject::None => {}
            RowObject::Metadata => {
                out.extend_from_slice(br#","object":"#);
                partial(out, json, version);
            }
            RowObject::Object => {
                out.extend_from_slice(br#","object":"#);
                out.extend_from_slice(json);
            }
        }
        out.push(b'}');
    }
}

/// The text of a long list, piece by piece.
struct Pieces {
    renderer: Renderer,
    /// Until its head is written.
    list: Option<ListResult>,
    entries: std::vec::IntoIter<Entry>,
    empty: bool,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        if let Some(mut list) = self.list.take() {
            self.renderer.open_list(&mut out, &list);
            self.entries = std::mem::take(&mut list.entries).into_iter();
            // The end is written where there is no entry left, so there is one now.
            assert!(self.entries.len() > 0, "a long list has entries");
        } else if self.entries.len() == 0 {
            return None;
        }
        while out.len() < PIECE_BYTES {
            let Some(entry) = self.entries.next() else { break };
            if !self.empty {
                out.push(b',');
            }
            self.empty = false;
            self.renderer.item(&mut out, &entry);
        }
        if self.entries.len() == 0 {
            out.extend_from_slice(b"]}\n");
        }
        Some(out.into())
    }
}

/// `PartialObjectMetadata` of an object: its metadata, cut out as it stands.
fn partial(out: &mut Vec<u8>, json: &[u8], version: &str) {
    #[derive(Deserialize)]
    struct View<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let head = format!(
        r#"{{"kind":"PartialObjectMetadata","apiVersion":"{}","metadata":"#,
        meta(version)
    );
    out.extend_from_slice(head.as_bytes());
    let metadata = serde_json::from_slice::<View<'_>>(json).map_or("{}", |view| view.metadata.get());
    out.extend_from_slice(metadata.as_bytes());
    out.push(b'}');
}

fn meta(version: &str) -> String {
    format!("meta.k8s.io/{version}")
}

fn append(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    if let Err(error) = serde_json::to_writer(out, value) {
        unreachable!("strings and numbers are written to memory: {error}");
    }
}
