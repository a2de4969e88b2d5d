//! The front end's files, embedded, compressed once at the first request, and answered with an ETag.
//!
//! Files below `/assets/` carry a hash in their name and are cached for good. Any path without a file is a page of the
//! application, which is one document.

use std::{collections::HashMap, io::Write, sync::OnceLock};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// Paths and contents, made by the build script.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));
const INDEX: &str = "/index.html";

struct File {
    plain: &'static [u8],
    gzip: Bytes,
    etag: String,
    kind: &'static str,
    is_forever: bool,
}

fn files() -> &'static HashMap<&'static str, File> {
    static COMPRESSED: OnceLock<HashMap<&'static str, File>> = OnceLock::new();
    COMPRESSED.get_or_init(|| {
        FILES
            .iter()
            .map(|&(path, plain)| (path, compress(path, plain)))
            .collect()
    })
}

fn compress(path: &str, plain: &'static [u8]) -> File {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory cannot fail.
    let gzip = encoder
        .write_all(plain)
        .and_then(|()| encoder.finish())
        .unwrap_or_default();
    File {
        plain,
        gzip: gzip.into(),
        etag: format!("\"{:08x}-{:x}\"", crc32fast::hash(plain), plain.len()),
        kind: media_type(path),
        is_forever: path.starts_with("/assets/"),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Answers with a file, or with the one document for a path that has none.
pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    answer(request.uri().path(), request.headers())
}

fn answer(path: &str, asked: &HeaderMap) -> Response {
    let files = files();
    let file = match files.get(path) {
        Some(file) => file,
        // A file that an older page asks for is gone; a page is not.
        None if path.starts_with("/assets/") || path.starts_with("/api/") => {
            return StatusCode::NOT_FOUND.into_response();
        }
        None => match files.get(INDEX) {
            Some(file) => file,
            None => return (StatusCode::NOT_FOUND, "the front end was not built in").into_response(),
        },
    };
    let contains = |name, text: &str| {
        let value = asked
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.contains(text))
    };
    let cache = if file.is_forever {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let common = [
        (header::ETAG, file.etag.as_str()),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_TYPE, file.kind),
    ];
    if contains(header::IF_NONE_MATCH, &file.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    if contains(header::ACCEPT_ENCODING, "gzip") {
        return (common, [(header::CONTENT_ENCODING, "gzip")], file.gzip.clone()).into_response();
    }
    (common, Bytes::from_static(file.plain)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn pages_are_one_document_and_files_have_etags() {
        let page = answer("/pods/default/web-1", &HeaderMap::new());
        assert_eq!(page.status(), StatusCode::OK);
        assert!(
            page.headers()[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        let etag = page.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = answer("/", &asking(header::IF_NONE_MATCH, &etag));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let packed = answer("/", &asking(header::ACCEPT_ENCODING, "gzip, br"));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(
            answer("/assets/none.js", &HeaderMap::new()).status(),
            StatusCode::NOT_FOUND
        );
    }

    /// Inline scripts would not run under the policy, and would be a hole in it if they did.
    #[test]
    fn the_document_holds_no_inline_script() {
        let (_, html) = FILES.iter().find(|(path, _)| *path == INDEX).unwrap();
        let html = String::from_utf8_lossy(html);
        for script in html.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src="), "{script}");
        }
        assert!(!html.contains("<style") && !html.contains(" style="));
    }
}
