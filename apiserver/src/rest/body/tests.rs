//! Bodies and their formats.

use super::*;
use http::HeaderValue;

fn headers(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers
}

#[tokio::test]
async fn formats_of_objects() {
    for content_type in ["", "application/json", "application/json; charset=utf-8"] {
        let read = object(&headers(content_type), Body::from("{}")).await;
        assert_eq!(read.unwrap(), "{}", "{content_type}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let error = object(&headers(content_type), Body::from("{}"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), 415, "{content_type}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused_announced_or_not() {
    let body = vec![b' '; MAX_BODY_BYTES + 1];
    let error = object(&headers(""), Body::from(body.clone())).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (413, "Request entity too large: limit is 3145728")
    );
    let mut announced = headers("");
    announced.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    assert_eq!(object(&announced, Body::empty()).await.unwrap_err().code(), 413);
    assert!(
        object(&headers(""), Body::from(vec![b' '; MAX_BODY_BYTES]))
            .await
            .is_ok()
    );
}

/// A ConfigMap `pb` with `k: v`, as client-go sends it.
const CONFIG_MAP: &str =
    "k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0e\x0a\x04\x0a\x02pb\x12\x06\x0a\x01k\x12\x01v";
/// `propagationPolicy: Orphan`.
const ORPHAN: &str = "k8s\0\x0a\x13\x0a\x02v1\x12\x0dDeleteOptions\x12\x08\x22\x06Orphan";

#[tokio::test]
async fn protobuf_becomes_json() {
    let headers = headers(protobuf::MEDIA_TYPE);
    let read = |body: &'static str| object(&headers, Body::from(body));
    let json: serde_json::Value = serde_json::from_slice(&read(CONFIG_MAP).await.unwrap()).unwrap();
    let expected = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "pb" }, "data": { "k": "v" },
    });
    assert_eq!(json, expected);
    for broken in ["", "{}", "k8s\0\x0a", "k8s\0\x0a\x0b\x0a\x02v1\x12\x05Gizmo"] {
        assert_eq!(read(broken).await.unwrap_err().code(), 400, "{broken:?}");
    }
    let query = Query::of(&http::Uri::from_static("/")).unwrap();
    let options = delete_options(&headers, Body::from(ORPHAN), &query).await;
    assert_eq!(options.unwrap().0.propagation, Propagation::Orphan);
}

#[test]
fn formats_of_patches() {
    assert_eq!(
        patch_type(&headers(protobuf::MEDIA_TYPE)).unwrap_err().code(),
        415
    );
    assert!(patch_type(&headers("application/strategic-merge-patch+json")).is_ok());
    assert_eq!(patch_type(&headers("application/json")).unwrap_err().code(), 415);
    assert_eq!(
        patch_type(&headers("application/apply-patch+yaml"))
            .unwrap_err()
            .code(),
        415
    );
}

async fn delete(body: &'static str, query: &str) -> Result<(DeleteOptions, bool), ApiError> {
    let query = Query::of(&format!("/?{query}").parse().unwrap()).unwrap();
    delete_options(&headers("application/json"), Body::from(body), &query).await
}

#[tokio::test]
async fn delete_options_in_the_body_or_in_the_query() {
    let (options, dry_run) = delete("", "gracePeriodSeconds=0&propagationPolicy=Orphan")
        .await
        .unwrap();
    assert_eq!(
        (options.grace, options.propagation, dry_run),
        (Some(0), Propagation::Orphan, false)
    );
    let body = r#"{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":5,"propagationPolicy":"Foreground",
        "preconditions":{"uid":"u","resourceVersion":"7"},"dryRun":["All"]}"#;
    let (options, dry_run) = delete(body, "gracePeriodSeconds=0").await.unwrap();
    assert_eq!(
        (options.grace, options.propagation, dry_run),
        (Some(5), Propagation::Foreground, true)
    );
    assert_eq!((options.uid.as_deref(), options.revision), (Some("u"), Some(7)));
    assert_eq!(delete("", "").await.unwrap(), (DeleteOptions::default(), false));
}

#[tokio::test]
async fn delete_options_that_cannot_be_followed() {
    for (body, code) in [
        (r#"{"propagationPolicy":"Gizmo"}"#, 422),
        (r#"{"propagationPolicy":"Orphan","orphanDependents":true}"#, 422),
        (r#"{"preconditions":{"resourceVersion":"x"}}"#, 422),
        (r#"{"dryRun":["Some"]}"#, 422),
        ("{", 400),
    ] {
        assert_eq!(delete(body, "").await.unwrap_err().code(), code, "{body}");
    }
}
