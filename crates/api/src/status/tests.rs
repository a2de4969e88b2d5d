//! Tests of `status`.

use serde_json::{Value, json};

use super::*;
use crate::field_error::Path;
use crate::kinds::{CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD};
use crate::names;

fn check(error: ApiError, expected: Value) {
    let json: Value = serde_json::from_slice(&error.to_json()).unwrap();
    assert_eq!(json, expected);
    let again = ApiError::from_json(&error.to_json()).unwrap();
    assert_eq!(again, error);
}

// The expectations below are what a real apiserver answered.

#[test]
fn a_name_that_exists_does_not_exist_or_has_changed() {
    check(
        ApiError::already_exists(CONFIG_MAP, "s3"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "configmaps \"s3\" already exists", "reason": "AlreadyExists",
            "details": {"name": "s3", "kind": "configmaps"}, "code": 409}),
    );
    check(
        ApiError::not_found(NAMESPACE, "nonono"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "namespaces \"nonono\" not found", "reason": "NotFound",
            "details": {"name": "nonono", "kind": "namespaces"}, "code": 404}),
    );
    check(
        ApiError::conflict(CONFIG_MAP, "s3"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Operation cannot be fulfilled on configmaps \"s3\": the object has been modified; please apply your changes to the latest version and try again",
            "reason": "Conflict", "details": {"name": "s3", "kind": "configmaps"}, "code": 409}),
    );
    let deployment = ApiError::not_found(DEPLOYMENT, "web");
    assert_eq!(deployment.message(), "deployments.apps \"web\" not found");
    assert_eq!(deployment.details().unwrap().group, "apps");
}

#[test]
fn an_invalid_object_lists_its_mistakes() {
    let name = Path::new("metadata").child("name");
    let errors = vec![
        FieldError::invalid(&name, "BAD_", names::subdomain("BAD_").remove(0)),
        FieldError::required(&Path::new("spec").child("containers"), ""),
    ];
    let form = "Invalid value: \"BAD_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    check(
        ApiError::invalid(POD, "BAD_", errors),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("Pod \"BAD_\" is invalid: [metadata.name: {form}, spec.containers: Required value]"),
            "reason": "Invalid",
            "details": {"name": "BAD_", "kind": "Pod", "causes": [
                {"reason": "FieldValueInvalid", "message": form, "field": "metadata.name"},
                {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"}]},
            "code": 422}),
    );
    let manager = FieldError::required(&Path::new("fieldManager"), "is required for apply patch");
    check(
        ApiError::invalid_kind("meta.k8s.io", "PatchOptions", "", vec![manager]),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            "reason": "Invalid", "details": {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [
                {"reason": "FieldValueRequired", "message": "Required value: is required for apply patch", "field": "fieldManager"}]},
            "code": 422}),
    );
}

#[test]
fn requests_that_the_server_does_not_serve() {
    check(
        ApiError::unsupported_media_type(&[
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ]),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
            "reason": "UnsupportedMediaType", "code": 415}),
    );
    check(
        ApiError::not_acceptable(&[
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ]),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf",
            "reason": "NotAcceptable", "details": {}, "code": 406}),
    );
    check(
        ApiError::method_not_allowed(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the server does not allow this method on the requested resource",
            "reason": "MethodNotAllowed", "details": {}, "code": 405}),
    );
    check(
        ApiError::resource_not_found(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the server could not find the requested resource", "reason": "NotFound", "details": {}, "code": 404}),
    );
    check(
        ApiError::unprocessable(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the server rejected our request due to an error in our request", "reason": "Invalid", "details": {}, "code": 422}),
    );
    check(
        ApiError::unauthorized(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
            "reason": "Unauthorized", "code": 401}),
    );
}

#[test]
fn revisions_too_old_and_too_new() {
    check(
        ApiError::expired(1, 50_236),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old resource version: 1 (50236)", "reason": "Expired", "code": 410}),
    );
    let early = ApiError::too_large_resource_version(9, 3);
    assert_eq!(
        early.message(),
        "Timeout: Too large resource version: 9, current: 3"
    );
    assert_eq!(
        (early.code(), early.retry_after_seconds(), early.is_transient()),
        (504, Some(1), true)
    );
}

#[test]
fn what_is_not_a_failure_is_not_read_as_one() {
    assert!(ApiError::from_json(br#"{"kind":"Status","status":"Success"}"#).is_none());
    assert!(ApiError::from_json(br#"{"kind":"Pod"}"#).is_none());
    assert!(ApiError::from_json(b"404 page not found").is_none());
    let unnamed =
        ApiError::from_json(br#"{"kind":"Status","status":"Failure","message":"m","code":404}"#).unwrap();
    assert!(unnamed.is_not_found());
    let foreign =
        ApiError::from_json(br#"{"kind":"Status","status":"Failure","reason":"New","code":418}"#).unwrap();
    assert_eq!((foreign.reason(), foreign.code()), (Reason::Unknown, 418));
}

#[test]
fn an_error_is_as_small_as_a_pointer() {
    assert_eq!(size_of::<ApiError>(), size_of::<usize>());
}
