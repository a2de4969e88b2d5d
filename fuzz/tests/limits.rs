//! Every limit of a request holds at one more than it says, and at what it says everything is as usual.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use coracle_api::selector::{LabelSelector, SELECTOR_MAX_BYTES, SelectorError};
use coracle_custom::cel::{Environment, MAX_EXPRESSION, Program, Wanted};
use coracle_fuzz::doors::{Answer, with_doors};
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const MIB: usize = 1 << 20;

fn send(method: &str, target: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
    let headers = [("content-type", content_type)];
    let answer = with_doors(|doors| doors.rest(method, target, &headers, body)).unwrap();
    let Answer { code, body, .. } = answer;
    (code, serde_json::from_slice(&body).unwrap_or_default())
}

fn post(target: &str, object: &Value) -> (u16, Value) {
    send("POST", target, "application/json", object.to_string().as_bytes())
}

/// Checks that an object is taken at the limit and refused with `code` beyond it; both are dry runs.
fn check(what: &str, target: &str, code: u16, object: impl Fn(usize) -> Value, limit: usize) {
    let target = format!("{target}?dryRun=All");
    let (at, status) = post(&target, &object(limit));
    assert_eq!(at, 201, "{what} at {limit}: {}", status["message"]);
    let (beyond, status) = post(&target, &object(limit + 1));
    assert_eq!(beyond, code, "{what} at {}: {}", limit + 1, status["message"]);
    assert_eq!(status["kind"], "Status", "{what}");
}

fn map(metadata: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
}

#[test]
fn names_labels_and_annotations() {
    check(
        "a name",
        MAPS,
        422,
        |size| map(json!({"name": "n".repeat(size)})),
        253,
    );
    let service =
        |size: usize| json!({"metadata": {"name": "n".repeat(size)}, "spec": {"ports": [{"port": 80}]}});
    check(
        "a Service's name",
        "/api/v1/namespaces/default/services",
        422,
        service,
        63,
    );
    let label = |size: usize| map(json!({"name": "l", "labels": {"a": "v".repeat(size)}}));
    check("a label's value", MAPS, 422, label, 63);
    let key = |size: usize| map(json!({"name": "l", "labels": {"k".repeat(size): "v"}}));
    check("a label's key", MAPS, 422, key, 63);
    // Keys and values of all annotations count.
    let annotations = |size: usize| map(json!({"name": "a", "annotations": {"a": "v".repeat(size - 1)}}));
    check("annotations", MAPS, 422, annotations, 256 << 10);
}

#[test]
fn data_of_config_maps_and_secrets() {
    let data = |size: usize| json!({"metadata": {"name": "d"}, "data": {"k": "v".repeat(size)}});
    let (at, status) = post(&format!("{MAPS}?dryRun=All"), &data(MIB));
    assert_eq!(at, 201, "{}", status["message"]);
    let (beyond, _) = post(&format!("{MAPS}?dryRun=All"), &data(MIB + 1));
    assert_eq!(beyond, 422);
    let secret = |size: usize| json!({"metadata": {"name": "d"}, "stringData": {"k": "v".repeat(size)}});
    let (at, status) = post(&format!("{SECRETS}?dryRun=All"), &secret(MIB));
    assert_eq!(at, 201, "{}", status["message"]);
    let (beyond, _) = post(&format!("{SECRETS}?dryRun=All"), &secret(MIB + 1));
    assert_eq!(beyond, 422);
}

#[test]
fn bodies_and_objects() {
    let padded = |size: usize| {
        let mut body = map(json!({"name": "b"})).to_string().into_bytes();
        body.resize(size, b' ');
        body
    };
    let target = format!("{MAPS}?dryRun=All");
    let (at, status) = send("POST", &target, "application/json", &padded(3 * MIB));
    assert_eq!(at, 201, "{}", status["message"]);
    let (beyond, status) = send("POST", &target, "application/json", &padded(3 * MIB + 1));
    assert_eq!(
        (beyond, &status["reason"]),
        (413, &json!("RequestEntityTooLarge"))
    );
    // An object of 1.5 MiB whose fields have no limits of their own.
    let list = |count: usize| {
        let args: Vec<String> = (0..count).map(|_| "x".repeat(1 << 16)).collect();
        json!({"metadata": {"name": "big"}, "spec": {"containers": [{"name": "c", "image": "i", "args": args}]}})
    };
    let pods = "/api/v1/namespaces/default/pods?dryRun=All";
    assert_eq!(post(pods, &list(22)).0, 201);
    let (code, _) = post("/api/v1/namespaces/default/pods", &list(24));
    assert_eq!(code, 413);
}

#[test]
fn expressions_selectors_and_depth() {
    let selector = |size: usize| LabelSelector::parse(&"a".repeat(size)).map(drop);
    let too_long = |outcome: Result<(), SelectorError>| {
        outcome.is_err_and(|error| error.to_string().contains("selector has more than"))
    };
    assert!(!too_long(selector(SELECTOR_MAX_BYTES)));
    assert!(too_long(selector(SELECTOR_MAX_BYTES + 1)));
    let expression = |size: usize| {
        let text = format!("true{}", " ".repeat(size - 4));
        Program::compile(&text, &Environment::new(), Wanted::Bool).map(drop)
    };
    assert!(expression(MAX_EXPRESSION).is_ok());
    assert!(expression(MAX_EXPRESSION + 1).is_err());
    for (content_type, nested) in [
        (
            "application/json",
            format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
        ),
        (
            "application/yaml",
            format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        ),
        ("application/yaml", "&a [*a, *a]".to_owned()),
    ] {
        let (code, status) = send("POST", MAPS, content_type, nested.as_bytes());
        assert_eq!((code, &status["kind"]), (400, &json!("Status")), "{content_type}");
    }
}
