//! OpenAPI documents: what clients read to explain, validate and generate.
//!
//! The schemas, with their descriptions, are those that `k8s-openapi` carries; how lists and maps merge comes from the
//! table of types in `coracle-api`; the paths come from the rows of kinds. Custom kinds bring a schema of their own and
//! are described in the same way. Everything here is a pure function; making documents late, keeping and compressing
//! them is the REST door's work.

use coracle_api::Resource;
use serde_json::{Map, Value, json};

mod complete;
mod parameters;
mod paths;
#[cfg(test)]
mod tests;
mod types;
mod v2;

pub use v2::v2;

/// The source of this crate: what documents say changes with it.
pub const FORM: &str = concat!(
    include_str!("complete.rs"),
    include_str!("lib.rs"),
    include_str!("parameters.rs"),
    include_str!("paths.rs"),
    include_str!("types.rs"),
    include_str!("v2.rs"),
);

/// What `info.title` says, as Kubernetes has it.
const TITLE: &str = "Kubernetes";

/// A kind to describe.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Empty for the core group.
    pub group: String,
    /// Version within the group.
    pub version: String,
    /// CamelCase kind.
    pub kind: String,
    /// Lowercase plural, as in URLs.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What may be done.
    pub verbs: Vec<String>,
    /// Its subresources.
    pub parts: Vec<Part>,
    /// The schema of a custom kind's objects, without what every object has; `None` for a built-in kind.
    pub schema: Option<Value>,
}

/// A subresource to describe.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The part after the slash, for example `status`.
    pub name: String,
    /// `apiVersion` of the body.
    pub api_version: String,
    /// Kind of the body.
    pub kind: String,
    /// What may be done.
    pub verbs: Vec<String>,
}

impl From<&Resource> for Kind {
    fn from(resource: &Resource) -> Self {
        let owned = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect();
        let parts = resource.subresources.iter().map(|part| Part {
            name: part.name.to_owned(),
            api_version: match (part.version, part.group) {
                ("", _) => resource.api_version.to_owned(),
                (version, "") => version.to_owned(),
                (version, group) => format!("{group}/{version}"),
            },
            kind: part.kind.to_owned(),
            verbs: owned(part.verbs),
        });
        Self {
            group: resource.group.to_owned(),
            version: resource.version.to_owned(),
            kind: resource.kind.to_owned(),
            plural: resource.plural.to_owned(),
            namespaced: resource.namespaced,
            verbs: owned(resource.verbs),
            parts: parts.collect(),
            schema: None,
        }
    }
}

impl Kind {
    /// `group/version`, or only the version for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The name of its schema.
    fn definition(&self) -> String {
        let api_version = self.api_version();
        types::name_of(&api_version, &self.kind).map_or_else(
            || {
                let mut parts: Vec<&str> = self.group.split('.').rev().collect();
                parts.extend([self.version.as_str(), self.kind.as_str()]);
                parts.join(".")
            },
            str::to_owned,
        )
    }
}

/// The document of OpenAPI version 3 for one version of a group. `kinds` are those of this group and version;
/// `version` is what `info.version` says.
///
/// As a tree the document would take some twenty times its length, so it is written piece by piece.
pub fn v3(group: &str, group_version: &str, kinds: &[Kind], version: &str) -> String {
    let (mut definitions, mut all) = (String::new(), String::new());
    for (name, schema) in schemas(kinds) {
        push(&mut definitions, &name, &schema);
    }
    let root = root(group, group_version);
    for kind in kinds {
        for (path, item) in paths::of(&root, kind) {
            push(&mut all, &path, &item);
        }
    }
    let info = json!({ "title": TITLE, "version": version });
    let security = json!({
        "BearerToken": {
            "type": "apiKey",
            "description": "Bearer token",
            "name": "authorization",
            "in": "header",
        },
    });
    format!(
        "{{\"openapi\":\"3.0.0\",\"info\":{info},\"paths\":{{{all}}},\
         \"components\":{{\"schemas\":{{{definitions}}},\"securitySchemes\":{security}}}}}"
    )
}

/// The schemas of the kinds and of all that these are made of, by name.
fn schemas(kinds: &[Kind]) -> Map<String, Value> {
    let mut schemas = types::definitions(kinds);
    for kind in kinds {
        let name = kind.definition();
        if !schemas.contains_key(&name) {
            schemas.insert(name.clone(), types::custom(kind));
        }
        if kind.verbs.iter().any(|verb| verb == "list") {
            schemas.insert(format!("{name}List"), types::list(kind, &name));
        }
    }
    complete::all(&mut schemas);
    schemas
}

/// Adds a field to an object that is written as text.
fn push(text: &mut String, key: &str, value: &Value) {
    use std::fmt::Write as _;
    let comma = if text.is_empty() { "" } else { "," };
    // Writing to text does not fail.
    let _ = write!(text, "{comma}{}:{value}", Value::from(key));
}

/// `/api/v1`, or `/apis/apps/v1`.
fn root(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    }
}
