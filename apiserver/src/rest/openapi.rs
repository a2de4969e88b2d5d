//! OpenAPI, as much as `kubectl apply` and `kubectl create` look at before they send anything.
//!
//! Version 3 tells, for each kind, that its patch operation knows `fieldValidation`, so that kubectl leaves validation
//! to the server. Version 2 is a document without paths, which is enough for manifests of `kind: List`. Full schemas,
//! which `kubectl explain` needs, are not there yet.

use std::collections::BTreeMap;

use axum::response::Response;
use coracle_api::Resource;
use http::HeaderMap;
use http::header::ACCEPT;
use serde_json::{Map, Value, json};

use super::discovery::{self, Document, digest};
use super::version::GIT_VERSION;

/// The media type of version 2 in protobuf; with an `@` in it, as it was once written, clients refuse it.
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `openapi.v2.Document` with swagger "2.0", an info of title "Kubernetes" and version "v1.33.0", no paths and no
/// definitions.
const V2_BODY: &[u8] = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.33.0\x42\x00\x4a\x00";

/// All documents of OpenAPI.
pub(crate) struct OpenApi {
    v2: Document,
    v2_json: Document,
    index: Document,
    groups: BTreeMap<(String, String), Document>,
}

impl OpenApi {
    /// Makes the documents of the table of kinds.
    pub(crate) fn new() -> Self {
        let mut groups = BTreeMap::new();
        let mut index = Map::new();
        for group in discovery::group_names() {
            for version in discovery::versions(group) {
                let body = group_document(group, version).to_string();
                let path = group_path(group, version);
                let url = format!("/openapi/v3/{path}?hash={}", digest(body.as_bytes()));
                index.insert(path, json!({ "serverRelativeURL": url }));
                groups.insert(
                    (group.to_owned(), version.to_owned()),
                    Document::new(body, "application/json"),
                );
            }
        }
        let v2_json = json!({ "swagger": "2.0", "info": info(), "paths": {}, "definitions": {} });
        Self {
            v2: Document::new(V2_BODY, V2_PROTOBUF),
            v2_json: Document::new(v2_json.to_string(), "application/json"),
            index: Document::new(json!({ "paths": index }).to_string(), "application/json"),
            groups,
        }
    }

    /// `/openapi/v2`: protobuf unless the client names JSON alone.
    pub(crate) fn v2(&self, headers: &HeaderMap) -> Response {
        let accept = headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let document = if accept.starts_with("application/json") {
            &self.v2_json
        } else {
            &self.v2
        };
        document.answer(headers)
    }

    /// `/openapi/v3`
    pub(crate) fn v3(&self, headers: &HeaderMap) -> Response {
        self.index.answer(headers)
    }

    /// `/openapi/v3/apis/GROUP/VERSION`
    pub(crate) fn v3_group(&self, group: &str, version: &str, headers: &HeaderMap) -> Option<Response> {
        let document = self.groups.get(&(group.to_owned(), version.to_owned()))?;
        Some(document.answer(headers))
    }
}

fn info() -> Value {
    json!({ "title": "Kubernetes", "version": GIT_VERSION })
}

/// `api/v1`, or `apis/apps/v1`.
fn group_path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn group_document(group: &str, version: &str) -> Value {
    let root = format!("/{}", group_path(group, version));
    let paths: Map<String, Value> = discovery::resources(group, version)
        .iter()
        .map(|resource| {
            let namespace = if resource.namespaced {
                "/namespaces/{namespace}"
            } else {
                ""
            };
            (
                format!("{root}{namespace}/{}/{{name}}", resource.plural),
                operations(resource),
            )
        })
        .collect();
    json!({ "openapi": "3.0.0", "info": info(), "paths": paths, "components": { "schemas": {} } })
}

fn operations(resource: &Resource) -> Value {
    let id = format!("{}{}", resource.version, resource.kind);
    let mut operations = Map::new();
    for (method, verb, action) in [
        ("get", "get", "get"),
        ("put", "update", "put"),
        ("patch", "patch", "patch"),
        ("delete", "delete", "delete"),
    ] {
        if !resource.has_verb(verb) {
            continue;
        }
        let mut parameters = vec![query_parameter("pretty")];
        if method != "get" {
            parameters.push(query_parameter("dryRun"));
        }
        if matches!(method, "put" | "patch") {
            parameters.extend(["fieldManager", "fieldValidation"].map(query_parameter));
        }
        let operation = json!({
            "operationId": format!("{action}{id}"),
            "parameters": parameters,
            "responses": { "200": { "description": "OK" } },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {
                "group": resource.group, "version": resource.version, "kind": resource.kind,
            },
        });
        operations.insert(method.to_owned(), operation);
    }
    Value::Object(operations)
}

fn query_parameter(name: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_is_the_smallest_document() {
        assert_eq!(V2_BODY.len(), 32);
    }

    #[test]
    fn every_kind_can_be_patched_with_field_validation() {
        let openapi = OpenApi::new();
        let index = openapi.index.json();
        let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
            .as_str()
            .unwrap();
        assert!(url.starts_with("/openapi/v3/apis/apps/v1?hash="), "{url}");
        for resource in coracle_api::kinds::RESOURCES {
            let document = &openapi.groups[&(resource.group.to_owned(), resource.version.to_owned())].json();
            let found = document["paths"].as_object().unwrap().values().any(|path| {
                let patch = &path["patch"];
                patch["x-kubernetes-group-version-kind"]["kind"] == resource.kind
                    && patch["parameters"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|one| one["name"] == "fieldValidation")
            });
            assert!(found, "{resource}");
        }
    }
}
