//! OpenAPI at the door: caching, compression and links that stand for ever.

use http_body_util::BodyExt;
use serde_json::Value;

use super::*;

fn openapi() -> OpenApi {
    OpenApi::new(Spawn::threads())
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

async fn body(response: Response) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn group(openapi: &OpenApi, hash: Option<&str>, pairs: &[(HeaderName, &str)]) -> Response {
    let response = openapi.v3_group("apps", "v1", hash, &headers(pairs)).await;
    response.unwrap().unwrap()
}

#[test]
fn version_2_in_protobuf_is_the_smallest_document() {
    assert_eq!(V2_BODY.len(), 32);
}

#[tokio::test]
async fn the_index_leads_to_documents_that_may_be_kept_for_ever() {
    let openapi = openapi();
    let index: Value = serde_json::from_slice(&body(openapi.v3(&HeaderMap::new())).await).unwrap();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let hash = url.strip_prefix("/openapi/v3/apis/apps/v1?hash=").unwrap();

    let response = group(&openapi, Some(hash), &[]).await;
    assert_eq!(response.status(), 200);
    assert!(
        response.headers()[CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let etag = response.headers()[ETAG].to_str().unwrap().to_owned();
    let document: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!(document["openapi"], "3.0.0");

    let unchanged = group(&openapi, None, &[(IF_NONE_MATCH, &etag)]).await;
    assert_eq!(unchanged.status(), 304);
    let moved = group(&openapi, Some("old"), &[]).await;
    assert_eq!(moved.status(), 301);
    assert_eq!(moved.headers()[LOCATION], url);
    let missing = openapi.v3_group("apps", "v9", None, &HeaderMap::new()).await;
    assert!(missing.unwrap().is_none());
}

#[tokio::test]
async fn documents_are_sent_compressed_to_who_takes_them_so() {
    let openapi = openapi();
    let compressed = group(&openapi, None, &[(ACCEPT_ENCODING, "br, gzip;q=0.5")]).await;
    assert_eq!(compressed.headers()[CONTENT_ENCODING], "gzip");
    let compressed = body(compressed).await;
    let plain = body(group(&openapi, None, &[]).await).await;
    assert!(compressed.len() * 4 < plain.len());
    assert_eq!(decompress(&compressed).unwrap(), plain);
}

#[tokio::test]
async fn custom_kinds_come_and_go() {
    let openapi = openapi();
    let before = openapi.catalog.lock().hash.clone();
    let kind = Kind {
        group: "example.com".into(),
        version: "v1".into(),
        kind: "Tree".into(),
        plural: "trees".into(),
        namespaced: false,
        verbs: vec!["get".into()],
        parts: Vec::new(),
        schema: Some(json!({ "type": "object" })),
    };
    openapi.set_custom(vec![kind]);
    let response = openapi
        .v3_group("example.com", "v1", None, &HeaderMap::new())
        .await;
    let document: Value = serde_json::from_slice(&body(response.unwrap().unwrap()).await).unwrap();
    assert!(document["components"]["schemas"]["com.example.v1.Tree"].is_object());
    openapi.set_custom(Vec::new());
    assert_eq!(openapi.catalog.lock().hash, before);
    let gone = openapi
        .v3_group("example.com", "v1", None, &HeaderMap::new())
        .await;
    assert!(gone.unwrap().is_none());
}

#[tokio::test]
async fn version_2_is_whole_in_json() {
    let openapi = openapi();
    let response = openapi
        .v2(&headers(&[(ACCEPT, "application/json")]))
        .await
        .unwrap();
    let document: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!(document["swagger"], "2.0");
    assert!(document["definitions"]["io.k8s.api.core.v1.Pod"].is_object());
    let small = openapi.v2(&HeaderMap::new()).await.unwrap();
    assert_eq!(body(small).await.len(), 32);
}

#[test]
fn what_is_not_used_goes_first() {
    let mut kept = Kept::default();
    for number in 0..MAX_DOCUMENTS {
        kept.get("");
        kept.insert(&number.to_string(), Bytes::new());
    }
    kept.get("0");
    kept.insert("new", Bytes::new());
    assert!(kept.get("0").is_some() && kept.get("new").is_some() && kept.get("1").is_none());
}
