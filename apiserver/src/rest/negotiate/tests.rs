//! Accept headers as clients send them.

use super::*;
use http::HeaderValue;

fn headers(accept: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
    headers
}

fn check(accept: &str, expected: Option<(Encoding, Form)>) {
    let found = objects(&headers(accept))
        .ok()
        .map(|found| (found.encoding, found.form));
    assert_eq!(found, expected, "{accept}");
}

#[test]
fn objects_in_the_form_that_is_asked_for() {
    let json = Some((Encoding::Json, Form::Object));
    check("application/json", json);
    check("*/*", json);
    check("application/vnd.kubernetes.protobuf,application/json", json);
    check(
        "application/json;q=0.5,application/yaml",
        Some((Encoding::Yaml, Form::Object)),
    );
    check(
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
        Some((Encoding::Json, Form::Table("v1"))),
    );
    check(
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
        Some((Encoding::Json, Form::Metadata("v1"))),
    );
    check(
        "application/json;as=Gizmo;v=v1;g=meta.k8s.io,application/json",
        json,
    );
    check("application/vnd.kubernetes.protobuf", None);
    check("text/html", None);
    check("application/json;q=0", None);
    assert!(objects(&HeaderMap::new()).is_ok());
}

#[test]
fn not_acceptable_names_what_there_is() {
    let error = objects(&headers("text/html")).unwrap_err();
    assert_eq!(error.code(), 406);
    assert_eq!(
        error.message(),
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
         application/vnd.kubernetes.protobuf"
    );
}

#[test]
fn discovery_of_old_and_new_clients() {
    let new = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    assert_eq!(discovery(&headers(new)).unwrap(), DiscoveryForm::Aggregated("v2"));
    let old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    assert_eq!(
        discovery(&headers(old)).unwrap(),
        DiscoveryForm::Aggregated("v2beta1")
    );
    assert_eq!(
        discovery(&headers("application/json, */*")).unwrap(),
        DiscoveryForm::Plain
    );
}
