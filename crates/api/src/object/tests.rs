//! Tests of `object`.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};

use super::*;
use crate::kinds::{CONFIG_MAP, DEPLOYMENT, POD, RESOURCES};

fn decode_text(resource: &Resource, text: &str) -> Result<Decoded, DecodeError> {
    decode(resource, text.as_bytes(), Duplicates::Find)
}

#[test]
fn every_kind_decodes_and_encodes_with_its_own_type() {
    for resource in RESOURCES {
        let text = format!(
            r#"{{"apiVersion":"{}","kind":"{}","metadata":{{"name":"x"}}}}"#,
            resource.api_version, resource.kind
        );
        let decoded = decode_text(resource, &text).unwrap();
        assert_eq!(decoded.object.resource(), *resource);
        assert_eq!(decoded.object.name(), "x");
        let again = String::from_utf8(decoded.object.to_json()).unwrap();
        assert!(again.starts_with(text.trim_end_matches('}')), "{again}");
    }
}

#[test]
fn kind_and_version_may_be_missing() {
    let decoded = decode_text(CONFIG_MAP, r#"{"metadata":{"name":"s3"},"data":{"a":"b"}}"#).unwrap();
    let map = decoded.object.downcast_ref::<ConfigMap>().unwrap();
    assert_eq!(map.data.as_ref().unwrap()["a"], "b");
    assert!(decoded.object.downcast_ref::<Pod>().is_none());
}

#[test]
fn unknown_and_duplicate_fields_are_found() {
    let decoded = decode_text(
        DEPLOYMENT,
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"a","imag":"x"}]}},"x":{"y":1}},"metadata":{"labels":{"a":"1","a":"2"}},"bogus":1}"#,
    )
    .unwrap();
    assert_eq!(
        decoded.unknown_fields,
        ["spec.template.spec.containers[0].imag", "spec.x", "bogus"]
    );
    assert_eq!(decoded.duplicate_fields, ["metadata.labels.a"]);
    assert_eq!(
        decoded.strict_error().unwrap(),
        "strict decoding error: duplicate field \"metadata.labels.a\", \
         unknown field \"spec.template.spec.containers[0].imag\", unknown field \"spec.x\", unknown field \"bogus\""
    );
}

#[test]
fn failures_become_the_status_that_upstream_answers() {
    let check = |resource: &Resource, text: &str, expected: &str| {
        let error = decode_text(resource, text).unwrap_err().into_api_error(resource);
        assert_eq!(error.code(), 400);
        assert_eq!(error.message(), expected);
    };
    check(
        CONFIG_MAP,
        r#"{"apiVersion":"v1","kind":"Secret"}"#,
        "Secret in version \"v1\" cannot be handled as a ConfigMap: \
         converting (v1.Secret) to (core.ConfigMap): unknown conversion",
    );
    check(
        DEPLOYMENT,
        r#"{"apiVersion":"extensions/v1beta1","kind":"Deployment"}"#,
        "the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)",
    );
    check(
        POD,
        r#"{"spec":{"containers":"x"}}"#,
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal field spec.containers: \
         invalid type: string \"x\", expected a sequence",
    );
    check(
        POD,
        "{bad",
        "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; \
         json parse error: key must be a string at line 1 column 2 ({bad)",
    );
}

#[test]
fn bytes_behind_the_object_are_refused() {
    assert!(matches!(
        decode_text(POD, "{} {}"),
        Err(DecodeError::Syntax { .. })
    ));
    assert!(matches!(decode_text(POD, ""), Err(DecodeError::Syntax { .. })));
    assert!(matches!(decode_text(POD, "[]"), Err(DecodeError::Field { .. })));
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let text = format!("{{\"metadata\":{}", "[".repeat(100_000));
    assert!(decode_text(POD, &text).is_err());
}

#[test]
fn metadata_comes_right_behind_the_kind() {
    let check = |resource: &Resource, text: &str, expected: &str| {
        let decoded = decode_text(resource, text).unwrap();
        assert_eq!(String::from_utf8(decoded.object.to_json()).unwrap(), expected);
    };
    check(
        CONFIG_MAP,
        r#"{"data":{"a":"\\\"metadata\":{,","metadata":"x"},"immutable":true,"metadata":{"name":"m"}}"#,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"\\\"metadata\":{,","metadata":"x"},"immutable":true}"#,
    );
    check(
        kinds::SECRET,
        r#"{"metadata":{"name":"m"},"type":"Opaque","data":{}}"#,
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"m"},"data":{},"type":"Opaque"}"#,
    );
    check(POD, "{}", r#"{"apiVersion":"v1","kind":"Pod","metadata":{}}"#);
}
