//! Discovery's documents, by the entries that clients look for.

use super::*;

fn find<'a>(entries: &'a Value, key: &str, name: &str) -> &'a Value {
    entries
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry[key] == name)
        .unwrap_or(&Value::Null)
}

#[test]
fn resources_of_the_core_group() {
    let list = resource_list(&Kinds::built_in(), "", "v1");
    assert_eq!(list["groupVersion"], "v1");
    let pods = find(&list["resources"], "name", "pods");
    assert_eq!(
        *pods,
        json!({
            "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "shortNames": ["po"], "categories": ["all"],
        })
    );
    // What `kubectl drain` looks for.
    let eviction = find(&list["resources"], "name", "pods/eviction");
    assert_eq!(
        (&eviction["group"], &eviction["version"]),
        (&json!("policy"), &json!("v1"))
    );
    assert_eq!(eviction["kind"], "Eviction");
}

#[test]
fn aggregated_discovery_names_groups_and_kinds() {
    let list = aggregated(&Kinds::built_in(), &["apps"], "v2");
    assert_eq!(list["apiVersion"], "apidiscovery.k8s.io/v2");
    let apps = find(&list["items"][0]["versions"], "version", "v1");
    let deployments = find(&apps["resources"], "resource", "deployments");
    assert_eq!(
        deployments["responseKind"],
        json!({ "group": "apps", "version": "v1", "kind": "Deployment" })
    );
    assert_eq!(deployments["scope"], "Namespaced");
    let scale = find(&deployments["subresources"], "subresource", "scale");
    assert_eq!(
        scale["responseKind"],
        json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" })
    );
    let status = find(&deployments["subresources"], "subresource", "status");
    assert_eq!(status["responseKind"]["kind"], "Deployment");
}

#[test]
fn a_document_that_the_client_has_is_not_sent_again() {
    let discovery = Discovery::new(&Snapshot::default());
    let first = discovery.answer(&Route::Groups, &HeaderMap::new()).unwrap();
    assert_eq!(
        (first.status(), &first.headers()[VARY]),
        (StatusCode::OK, &HeaderValue::from_static("accept"))
    );
    let mut headers = HeaderMap::new();
    headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
    assert_eq!(
        discovery.answer(&Route::Groups, &headers).unwrap().status(),
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(
        discovery.answer(&Route::CoreVersions, &headers).unwrap().status(),
        StatusCode::OK
    );
}

#[test]
fn the_aggregated_form_says_so_in_its_content_type() {
    let mut headers = HeaderMap::new();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    let response = Discovery::new(&Snapshot::default())
        .answer(&Route::CoreVersions, &headers)
        .unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], accept);
}

#[test]
fn of_two_versions_the_preferred_one_comes_first() {
    let group = api_group(&Kinds::built_in(), "autoscaling");
    let versions: Vec<&Value> = group["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| &own["version"])
        .collect();
    assert_eq!(versions, ["v2", "v1"]);
    assert_eq!(group["preferredVersion"]["groupVersion"], "autoscaling/v2");
    for version in ["v1", "v2"] {
        let list = resource_list(&Kinds::built_in(), "autoscaling", version);
        let own = find(&list["resources"], "name", "horizontalpodautoscalers");
        assert_eq!(own["shortNames"], json!(["hpa"]));
    }
}
