//! Discovery: which groups, versions and resources there are, in the older forms and in the aggregated one.
//!
//! Everything is made of the catalog when somebody asks and kinds have come or gone, and served from memory with an
//! ETag.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use coracle_api::{ApiError, Resource, Subresource, kinds};
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::error;
use super::negotiate::{self, DiscoveryForm};
use super::path::Route;
use crate::registry::custom::Snapshot;

#[cfg(test)]
mod tests;

/// A document that does not change while the server runs.
pub(crate) struct Document {
    body: Bytes,
    etag: HeaderValue,
    content_type: HeaderValue,
}

impl Document {
    /// A document; its ETag is a digest of it.
    pub(crate) fn new(body: impl Into<Bytes>, content_type: &str) -> Self {
        let body = body.into();
        let hash = digest(&body);
        let header = |text: String| HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        Self {
            body,
            etag: header(format!("\"{hash}\"")),
            content_type: header(content_type.to_owned()),
        }
    }

    /// The document, or 304 where the client has it.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        let known = request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim().as_bytes() == self.etag.as_bytes());
        let mut response = if known {
            error::respond(StatusCode::NOT_MODIFIED, "application/json", Body::empty())
        } else {
            error::respond(StatusCode::OK, "application/json", Body::from(self.body.clone()))
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(ETAG, self.etag.clone());
        headers.insert(VARY, HeaderValue::from(ACCEPT));
        response
    }
}

/// Upper-case hexadecimal SHA-256, for ETags and for the hashes in OpenAPI's paths.
pub(crate) fn digest(body: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The documents of the kinds of the moment.
#[derive(Default)]
pub(crate) struct Kept(ArcSwapOption<Discovery>);

impl Kept {
    /// The documents of these kinds, made anew where the kinds have changed.
    pub(crate) fn of(&self, kinds: &Snapshot) -> Arc<Discovery> {
        if let Some(known) = self
            .0
            .load_full()
            .filter(|known| known.generation == kinds.generation())
        {
            return known;
        }
        let made = Arc::new(Discovery::new(kinds));
        self.0.store(Some(Arc::clone(&made)));
        made
    }
}

/// All documents of discovery.
pub(crate) struct Discovery {
    generation: u64,
    core: Forms,
    groups: Forms,
    group: BTreeMap<String, Document>,
    resources: BTreeMap<(String, String), Document>,
    index: Document,
}

/// A document in the plain form and in the aggregated one.
struct Forms {
    plain: Document,
    v2: Document,
    v2beta1: Document,
}

impl Forms {
    fn new(kinds: &Kinds, plain: &Value, groups: &[&str]) -> Self {
        let aggregated = |version| {
            let content_type =
                format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            Document::new(aggregated(kinds, groups, version).to_string(), &content_type)
        };
        Self {
            plain: plain_document(plain),
            v2: aggregated("v2"),
            v2beta1: aggregated("v2beta1"),
        }
    }

    fn get(&self, form: DiscoveryForm) -> &Document {
        match form {
            DiscoveryForm::Plain => &self.plain,
            DiscoveryForm::Aggregated("v2") => &self.v2,
            DiscoveryForm::Aggregated(_) => &self.v2beta1,
        }
    }
}

impl Discovery {
    /// Makes the documents of these kinds.
    fn new(snapshot: &Snapshot) -> Self {
        let kinds = &Kinds(snapshot.rows().collect());
        let groups = kinds.group_names();
        let named: Vec<&str> = groups.iter().copied().filter(|group| !group.is_empty()).collect();
        let core_versions = json!({
            "kind": "APIVersions",
            "versions": kinds.versions(""),
            "serverAddressByClientCIDRs": [],
        });
        let group_list = json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": named.iter().map(|group| api_group(kinds, group)).collect::<Vec<_>>(),
        });
        let mut resources = BTreeMap::new();
        for group in &groups {
            for version in kinds.versions(group) {
                let document = plain_document(&resource_list(kinds, group, version));
                resources.insert(((*group).to_owned(), version.to_owned()), document);
            }
        }
        let group = named.iter().map(|group| {
            let mut body = api_group(kinds, group);
            body["kind"] = json!("APIGroup");
            body["apiVersion"] = json!("v1");
            ((*group).to_owned(), plain_document(&body))
        });
        Self {
            generation: snapshot.generation(),
            core: Forms::new(kinds, &core_versions, &[""]),
            groups: Forms::new(kinds, &group_list, &named),
            group: group.collect(),
            resources,
            index: plain_document(&json!({ "paths": paths(kinds, &groups) })),
        }
    }

    /// The answer to a GET of one of discovery's routes.
    ///
    /// # Errors
    /// Not acceptable.
    pub(crate) fn answer(&self, route: &Route, headers: &HeaderMap) -> Result<Response, ApiError> {
        let form = negotiate::discovery(headers)?;
        let document = match route {
            Route::Index => Some(&self.index),
            Route::CoreVersions => Some(self.core.get(form)),
            Route::Groups => Some(self.groups.get(form)),
            Route::Group(group) => self.group.get(group),
            Route::Resources { group, version } => self.resources.get(&(group.clone(), version.clone())),
            _ => None,
        };
        Ok(document.map_or_else(error::page_not_found, |document| document.answer(headers)))
    }
}

fn plain_document(body: &Value) -> Document {
    Document::new(body.to_string(), "application/json")
}

/// The kinds that documents are made of.
pub(crate) struct Kinds(Vec<&'static Resource>);

impl Kinds {
    /// Those that are always there.
    #[cfg(test)]
    fn built_in() -> Self {
        Self(kinds::RESOURCES.to_vec())
    }

    /// The groups, the core group first.
    pub(crate) fn group_names(&self) -> Vec<&'static str> {
        let groups: BTreeSet<_> = self.0.iter().map(|resource| resource.group).collect();
        groups.into_iter().collect()
    }

    /// The versions of a group, the preferred one first.
    pub(crate) fn versions(&self, group: &str) -> Vec<&'static str> {
        let own = self.0.iter().filter(|resource| resource.group == group);
        let mut versions: Vec<&'static str> = own.map(|resource| resource.version).collect();
        versions.sort_by(|one, other| kinds::compare_versions(one, other));
        versions.dedup();
        versions
    }

    /// The resources of a version of a group, by name.
    pub(crate) fn resources(&self, group: &str, version: &str) -> Vec<&'static Resource> {
        let own = |resource: &&&Resource| resource.group == group && resource.version == version;
        let mut found: Vec<&'static Resource> = self.0.iter().filter(own).copied().collect();
        found.sort_by_key(|resource| resource.plural);
        found
    }
}

/// `v1`, or `apps/v1`.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn api_group(kinds: &Kinds, group: &str) -> Value {
    let entries: Vec<Value> = kinds
        .versions(group)
        .iter()
        .map(|version| json!({ "groupVersion": group_version(group, version), "version": version }))
        .collect();
    json!({ "name": group, "versions": entries, "preferredVersion": entries.first() })
}

fn resource_list(kinds: &Kinds, group: &str, version: &str) -> Value {
    let mut entries = Vec::new();
    for resource in kinds.resources(group, version) {
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": resource.verbs,
        });
        add_names(&mut entry, resource);
        entries.push(entry);
        for subresource in resource.subresources {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, subresource.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": subresource.kind,
                "verbs": subresource.verbs,
            });
            if !subresource.version.is_empty() {
                entry["group"] = json!(subresource.group);
                entry["version"] = json!(subresource.version);
            }
            entries.push(entry);
        }
    }
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version(group, version),
        "resources": entries,
    })
}

fn add_names(entry: &mut Value, resource: &Resource) {
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
}

fn aggregated(kinds: &Kinds, groups: &[&str], api_version: &str) -> Value {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let versions: Vec<Value> = kinds
                .versions(group)
                .iter()
                .map(|version| {
                    let resources: Vec<Value> = kinds
                        .resources(group, version)
                        .iter()
                        .map(|resource| aggregated_resource(resource))
                        .collect();
                    json!({ "version": version, "resources": resources, "freshness": "Current" })
                })
                .collect();
            json!({ "metadata": { "name": group, "creationTimestamp": null }, "versions": versions })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{api_version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(resource: &Resource) -> Value {
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": response_kind(resource.group, resource.version, resource.kind),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs,
    });
    add_names(&mut entry, resource);
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|part| aggregated_subresource(resource, part))
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = json!(subresources);
    }
    entry
}

fn aggregated_subresource(resource: &Resource, part: &Subresource) -> Value {
    let (group, version) = match part.version {
        "" => (resource.group, resource.version),
        version => (part.group, version),
    };
    json!({
        "subresource": part.name,
        "responseKind": response_kind(group, version, part.kind),
        "verbs": part.verbs,
    })
}

fn response_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({ "group": group, "version": version, "kind": kind })
}

fn paths(kinds: &Kinds, groups: &[&str]) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    for group in groups {
        let root = if group.is_empty() {
            "/api".to_owned()
        } else {
            format!("/apis/{group}")
        };
        paths.extend(
            kinds
                .versions(group)
                .iter()
                .map(|version| format!("{root}/{version}")),
        );
        paths.push(root);
    }
    paths.sort();
    paths.dedup();
    paths
}
