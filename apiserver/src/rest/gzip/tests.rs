//! What is compressed, and that it can be read again.

use std::io::Read;

use http_body_util::BodyExt;

use super::*;

fn check(header: &str, expected: bool) {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(header).unwrap());
    assert_eq!(is_accepted(&headers), expected, "{header}");
}

#[test]
fn gzip_has_to_be_asked_for() {
    check("gzip", true);
    check("deflate, GZIP;q=0.5", true);
    check("gzip;q=0", false);
    check("identity", false);
    check("xgzip", false);
    assert!(!is_accepted(&HeaderMap::new()));
}

#[tokio::test]
async fn pieces_are_read_again_as_they_were() {
    let pieces: Vec<Bytes> = (0..40)
        .map(|n| Bytes::from(format!("{n},").repeat(9_000)))
        .collect();
    let whole = pieces.concat();
    let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, axum::Error>)));
    let response = compress(Response::new(body));
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    let compressed = response.into_body().collect().await.unwrap().to_bytes();
    assert!(compressed.len() < whole.len() / 10);
    let mut read = Vec::new();
    flate2::read::GzDecoder::new(&*compressed)
        .read_to_end(&mut read)
        .unwrap();
    assert_eq!(read, whole);
}
