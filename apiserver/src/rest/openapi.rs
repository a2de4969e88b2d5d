//! OpenAPI as it is served: documents made when they are first asked for, kept compressed, with ETags and hashed URLs.
//!
//! What a document says is `coracle_openapi`'s work. A document depends on the program and on the kinds it describes
//! and on nothing else, so its hash is made of these: the index of version 3 is answered without making a single
//! document. Version 2 in protobuf, which `kubectl` wants for manifests of `kind: List`, is a document without paths;
//! in JSON it is whole.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use coracle_api::schema::table;
use coracle_api::{ApiError, kinds::RESOURCES};
use coracle_openapi::Kind;
use coracle_service::Spawn;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde_json::{Map, json};

use super::discovery::{Document, digest};
use super::error;
use super::version::GIT_VERSION;
use crate::registry::Registry;

#[cfg(test)]
mod tests;

/// The media type of version 2 in protobuf; with an `@` in it, as it was once written, clients refuse it.
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `openapi.v2.Document` with swagger "2.0", an info of title "Kubernetes" and version "v1.33.0", no paths and no
/// definitions.
const V2_BODY: &[u8] = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.33.0\x42\x00\x4a\x00";

/// Most documents that are kept, each some ten kilobytes compressed; past it the one that is used least recently goes.
const MAX_DOCUMENTS: usize = 128;

/// What changes when the program changes.
static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    let facts = [
        env!("CARGO_PKG_VERSION"),
        GIT_VERSION,
        coracle_openapi::FORM,
        table::TEXT,
    ];
    digest(facts.join("\n").as_bytes())
});

/// A version of a group; the group is empty for the core group.
type GroupVersion = (String, String);

/// All documents of OpenAPI, for both doors.
pub struct OpenApi {
    /// The kinds that are described, by the catalog's generation.
    described: AtomicU64,
    spawn: Spawn,
    v2_protobuf: Document,
    catalog: Mutex<Arc<Catalog>>,
    kept: Mutex<Kept>,
    /// Held while a document is made, so that one is made at a time and once.
    making: tokio::sync::Mutex<()>,
}

/// The kinds that are described.
struct Catalog {
    groups: BTreeMap<GroupVersion, Group>,
    /// Of all groups, for version 2.
    hash: String,
}

/// A version of a group.
struct Group {
    kinds: Vec<Kind>,
    hash: String,
}

/// The documents that were made, by hash, with the time of their last use.
#[derive(Default)]
struct Kept {
    documents: BTreeMap<String, (u64, Bytes)>,
    uses: u64,
}

impl Catalog {
    fn new(custom: Vec<Kind>) -> Self {
        let built_in = RESOURCES.iter().map(|resource| Kind::from(*resource));
        let mut kinds: BTreeMap<GroupVersion, Vec<Kind>> = BTreeMap::new();
        for kind in built_in.chain(custom) {
            let place = (kind.group.clone(), kind.version.clone());
            kinds.entry(place).or_default().push(kind);
        }
        let groups: BTreeMap<GroupVersion, Group> = kinds
            .into_iter()
            .map(|(place, mut kinds)| {
                kinds.sort_by(|one, other| one.plural.cmp(&other.plural));
                let hash = digest(format!("{}{kinds:?}", *PROGRAM).as_bytes());
                (place, Group { kinds, hash })
            })
            .collect();
        let hashes: Vec<&str> = groups.values().map(|group| group.hash.as_str()).collect();
        let hash = digest(hashes.concat().as_bytes());
        Self { groups, hash }
    }
}

impl Kept {
    fn get(&mut self, hash: &str) -> Option<Bytes> {
        self.uses += 1;
        let (used, document) = self.documents.get_mut(hash)?;
        *used = self.uses;
        Some(document.clone())
    }

    fn insert(&mut self, hash: &str, document: Bytes) {
        if self.documents.len() >= MAX_DOCUMENTS {
            let oldest = self.documents.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(hash) = oldest.map(|(hash, _)| hash.clone()) {
                self.documents.remove(&hash);
            }
        }
        self.documents.insert(hash.to_owned(), (self.uses, document));
    }
}

impl OpenApi {
    /// Describes the built-in kinds.
    #[must_use]
    pub fn new(spawn: Spawn) -> Self {
        Self {
            described: AtomicU64::new(0),
            spawn,
            v2_protobuf: Document::new(V2_BODY, V2_PROTOBUF),
            catalog: Mutex::new(Arc::new(Catalog::new(Vec::new()))),
            kept: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    /// Describes the custom kinds that are served now, where they have changed since somebody asked.
    pub(crate) fn follow(&self, registry: &Registry) {
        let generation = registry.catalog().now().generation();
        if self.described.swap(generation, Ordering::AcqRel) != generation {
            let schemas = registry.custom_schemas();
            let kinds = schemas.into_iter().map(|(row, schema)| Kind {
                schema: Some(schema),
                ..Kind::from(row)
            });
            self.set_custom(kinds.collect());
        }
    }

    /// The document of a version of a group, as text; `None` where there is no such version.
    ///
    /// # Errors
    /// An internal error, where the document cannot be made.
    pub(crate) async fn group(&self, group: &str, version: &str) -> Result<Option<Vec<u8>>, ApiError> {
        let catalog = Arc::clone(&self.catalog.lock());
        let place = (group.to_owned(), version.to_owned());
        let Some(hash) = catalog.groups.get(&place).map(|group| group.hash.clone()) else {
            return Ok(None);
        };
        let document = self
            .document(&hash, move || group_document(&catalog, &place))
            .await?;
        decompress(&document).map(Some).map_err(ApiError::internal)
    }

    /// Describes these custom kinds beside the built-in ones, in the place of those before.
    pub(crate) fn set_custom(&self, kinds: Vec<Kind>) {
        *self.catalog.lock() = Arc::new(Catalog::new(kinds));
    }

    /// `/openapi/v2`: protobuf unless the client names JSON first.
    ///
    /// # Errors
    /// An internal error, where the document cannot be made.
    pub(crate) async fn v2(&self, headers: &HeaderMap) -> Result<Response, ApiError> {
        let accept = headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !accept.starts_with("application/json") {
            return Ok(self.v2_protobuf.answer(headers));
        }
        let catalog = Arc::clone(&self.catalog.lock());
        let hash = catalog.hash.clone();
        let make = move || {
            let groups: Vec<_> = catalog
                .groups
                .iter()
                .map(|((group, version), of)| (group.clone(), version.clone(), of.kinds.clone()))
                .collect();
            coracle_openapi::v2(&groups, GIT_VERSION)
        };
        self.answer(&hash, headers, make).await
    }

    /// `/openapi/v3`: where the documents are.
    pub(crate) fn v3(&self, headers: &HeaderMap) -> Response {
        let catalog = Arc::clone(&self.catalog.lock());
        let paths: Map<_, _> = catalog
            .groups
            .iter()
            .map(|((group, version), of)| {
                let path = group_path(group, version);
                let url = format!("/openapi/v3/{path}?hash={}", of.hash);
                (path, json!({ "serverRelativeURL": url }))
            })
            .collect();
        Document::new(json!({ "paths": paths }).to_string(), "application/json").answer(headers)
    }

    /// `/openapi/v3/apis/GROUP/VERSION`; `hash` is what the client expects, where it came from the index. `None` where
    /// there is no such version of a group.
    ///
    /// # Errors
    /// An internal error, where the document cannot be made.
    pub(crate) async fn v3_group(
        &self,
        group: &str,
        version: &str,
        hash: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Option<Response>, ApiError> {
        let catalog = Arc::clone(&self.catalog.lock());
        let place = (group.to_owned(), version.to_owned());
        let Some(present) = catalog.groups.get(&place).map(|group| group.hash.clone()) else {
            return Ok(None);
        };
        let path = group_path(group, version);
        if hash.is_some_and(|hash| hash != present) {
            let mut response = error::respond(StatusCode::MOVED_PERMANENTLY, "text/plain", Body::empty());
            insert(
                &mut response,
                LOCATION,
                &format!("/openapi/v3/{path}?hash={present}"),
            );
            return Ok(Some(response));
        }
        let make = move || group_document(&catalog, &place);
        let mut response = self.answer(&present, headers, make).await?;
        if hash.is_some() {
            // The URL changes whenever the document does.
            insert(
                &mut response,
                CACHE_CONTROL,
                "public, immutable, max-age=31536000",
            );
        }
        Ok(Some(response))
    }

    /// Answers the document of this hash, which `make` makes where it is not there yet.
    async fn answer(
        &self,
        hash: &str,
        headers: &HeaderMap,
        make: impl FnOnce() -> String + Send + 'static,
    ) -> Result<Response, ApiError> {
        let etag = format!("\"{hash}\"");
        let mut response = if has(headers, IF_NONE_MATCH, &etag) {
            error::respond(StatusCode::NOT_MODIFIED, "application/json", Body::empty())
        } else {
            let document = self.document(hash, make).await?;
            if has(headers, ACCEPT_ENCODING, "gzip") {
                let mut response = error::respond(StatusCode::OK, "application/json", Body::from(document));
                insert(&mut response, CONTENT_ENCODING, "gzip");
                response
            } else {
                let plain = decompress(&document).map_err(ApiError::internal)?;
                error::respond(StatusCode::OK, "application/json", Body::from(plain))
            }
        };
        insert(&mut response, ETAG, &etag);
        insert(&mut response, VARY, "Accept-Encoding, Accept");
        Ok(response)
    }

    async fn document(
        &self,
        hash: &str,
        make: impl FnOnce() -> String + Send + 'static,
    ) -> Result<Bytes, ApiError> {
        if let Some(document) = self.kept.lock().get(hash) {
            return Ok(document);
        }
        let _making = self.making.lock().await;
        // Somebody else may have made it in the meantime.
        if let Some(document) = self.kept.lock().get(hash) {
            return Ok(document);
        }
        let made = self.spawn.blocking(move || compress(&make())).await;
        let document = made.and_then(|document| document).map_err(ApiError::internal)?;
        self.kept.lock().insert(hash, document.clone());
        Ok(document)
    }
}

fn group_document(catalog: &Catalog, place: &GroupVersion) -> String {
    let kinds = catalog.groups.get(place).map_or(&[][..], |group| &group.kinds);
    coracle_openapi::v3(&place.0, &place.1, kinds, GIT_VERSION)
}

/// `api/v1`, or `apis/apps/v1`.
fn group_path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn compress(document: &str) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(document.as_bytes())?;
    Ok(Bytes::from(encoder.finish()?))
}

/// Undoes [`compress`]; the bytes are our own, so their size is no surprise.
fn decompress(document: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(document.len() * 16);
    GzDecoder::new(document).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Whether a header that is a list names `wanted`, parameters aside.
fn has(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.split(';').next().unwrap_or_default().trim() == wanted)
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
