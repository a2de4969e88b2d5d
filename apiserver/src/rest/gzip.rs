//! Compressed answers: large lists, for clients that accept gzip.
//!
//! As upstream, only what is larger than 128 KiB is compressed, at the fastest level: below that a round trip costs more
//! than the bytes. Watches and logs never are: their clients wait for each line.

use std::io::Write;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::{StreamExt, stream};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue};

/// Answers up to this size stay as they are, in bytes.
pub(crate) const MIN_BYTES: usize = 128 * 1024;

#[cfg(test)]
mod tests;

/// Whether the client accepts gzip, explicitly and not with weight zero.
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let mut clauses = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    clauses.any(|clause| {
        let mut parts = clause.split(';').map(str::trim);
        let is_gzip = parts
            .next()
            .is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let is_refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").and_then(|weight| weight.parse().ok());
            weight.is_some_and(|weight: f32| weight <= 0.0)
        });
        is_gzip && !is_refused
    })
}

/// Compresses an answer's body, piece by piece as it is sent.
pub(crate) fn compress(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    head.headers
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers
        .append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let pieces = stream::unfold(
        (body.into_data_stream(), Some(encoder)),
        |(pieces, encoder)| async {
            let (piece, pieces, encoder) = next_piece(pieces, encoder?).await;
            Some((piece, (pieces, encoder)))
        },
    );
    Response::from_parts(head, Body::from_stream(pieces))
}

type Encoder = GzEncoder<Vec<u8>>;

/// The next compressed piece; the encoder is gone after the last.
async fn next_piece(
    mut pieces: BodyDataStream,
    mut encoder: Encoder,
) -> (Result<Bytes, axum::Error>, BodyDataStream, Option<Encoder>) {
    while let Some(piece) = pieces.next().await {
        let written = piece.and_then(|piece| encoder.write_all(&piece).map_err(axum::Error::new));
        if let Err(error) = written {
            return (Err(error), pieces, None);
        }
        let ready = std::mem::take(encoder.get_mut());
        if !ready.is_empty() {
            return (Ok(ready.into()), pieces, Some(encoder));
        }
    }
    let rest = encoder.finish().map(Bytes::from).map_err(axum::Error::new);
    (rest, pieces, None)
}
