//! What an HTTP request of the Kubernetes API is about, read from its method, path and query alone.
//!
//! Authorization comes before anything else looks at a request, so this knows no table of kinds: a path of the API's
//! form is about objects whether or not such a kind exists. Segments are split and decoded exactly as the REST door
//! does it, so that both see the same objects. Source of the grammar: the Kubernetes API concepts page.

use coracle_service::Peer;

use crate::{Attributes, ResourceAttributes};

/// A request, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// For objects the verb of discovery; for other paths the method in lower case.
    pub verb: String,
    /// The path as it stands in the request line.
    pub path: String,
    /// Which objects it is about; `None` for every other path.
    pub resource: Option<ResourceInfo>,
}

/// Objects that a request is about; see [`ResourceAttributes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceInfo {
    /// Empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural.
    pub resource: String,
    /// The part of the object.
    pub subresource: String,
    /// The namespace; a Namespace is in its own.
    pub namespace: String,
    /// The name in the path, or the one that a field selector fixes.
    pub name: String,
    /// The one node that a field selector fixes.
    pub node_names: Vec<String>,
}

/// Parts of a Namespace that look like resources within it.
const NAMESPACE_PARTS: [&str; 2] = ["status", "finalize"];
/// Subresources whose answers go on for as long as both ends like.
const LONG_PARTS: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

impl RequestInfo {
    /// Takes a request apart.
    #[must_use]
    pub fn of(method: &str, path: &str, query: Option<&str>) -> Self {
        let lower = method.to_ascii_lowercase();
        let Some((mut resource, is_watched)) = resource(path) else {
            let (verb, path) = (lower, path.to_owned());
            let resource = None;
            return Self { verb, path, resource };
        };
        let query = query.unwrap_or_default();
        let is_part = !resource.subresource.is_empty();
        let verb = match (lower.as_str(), resource.name.is_empty()) {
            ("get" | "head", _) if !is_part && (is_watched || is_set(query, "watch")) => "watch",
            ("get" | "head", true) => "list",
            ("get" | "head", false) => "get",
            ("post", _) => "create",
            ("put", _) => "update",
            ("delete", true) => "deletecollection",
            (other, _) => other,
        };
        if matches!(verb, "list" | "watch" | "deletecollection") {
            let selector = parameter(query, "fieldSelector").unwrap_or_default();
            let fixed = |field: &str| {
                selector
                    .split(',')
                    .find_map(|term| term.trim().strip_prefix(field)?.strip_prefix('='))
                    .map(|value| value.trim_start_matches('=').to_owned())
            };
            if resource.name.is_empty()
                && let Some(name) = fixed("metadata.name")
            {
                resource.name = name;
            }
            resource.node_names.extend(fixed("spec.nodeName"));
        }
        Self {
            verb: verb.to_owned(),
            path: path.to_owned(),
            resource: Some(resource),
        }
    }

    /// What an authorizer judges.
    #[must_use]
    pub fn attributes<'a>(&'a self, user: &'a Peer) -> Attributes<'a> {
        match &self.resource {
            None => Attributes::path(user, &self.verb, &self.path),
            Some(resource) => Attributes::resource(user, &self.verb, resource.attributes()),
        }
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list" | "watch" | "head")
    }

    /// Whether the answer goes on for as long as the client listens.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.verb == "watch"
            || self
                .resource
                .as_ref()
                .is_some_and(|resource| LONG_PARTS.contains(&resource.subresource.as_str()))
    }
}

impl ResourceInfo {
    /// Borrowed, as authorizers take it.
    #[must_use]
    pub fn attributes(&self) -> ResourceAttributes<'_> {
        ResourceAttributes {
            group: &self.group,
            version: &self.version,
            resource: &self.resource,
            subresource: &self.subresource,
            namespace: &self.namespace,
            name: &self.name,
            node_names: &self.node_names,
        }
    }
}

/// What a path names, and whether the path itself asks for a watch of it.
fn resource(path: &str) -> Option<(ResourceInfo, bool)> {
    let mut segments: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(|segment| decode(segment, false))
        .collect::<Option<_>>()?;
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (rest, is_watched) = match rest {
        ["watch", inside @ ..] => (inside, true),
        rest => (rest, false),
    };
    let (namespace, rest) = match rest {
        [] => return None,
        ["namespaces", namespace, part, ..] if NAMESPACE_PARTS.contains(part) => (*namespace, rest),
        ["namespaces", namespace, inside @ ..] if !inside.is_empty() => (*namespace, inside),
        ["namespaces", namespace] => (*namespace, rest),
        _ => ("", rest),
    };
    let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
    let info = ResourceInfo {
        group: group.to_owned(),
        version: version.to_owned(),
        resource: part(0),
        name: part(1),
        subresource: part(2),
        namespace: namespace.to_owned(),
        node_names: Vec::new(),
    };
    Some((info, is_watched))
}

/// Whether a flag of the query is there and not false.
fn is_set(query: &str, name: &str) -> bool {
    parameter(query, name)
        .is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0" | "f"))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true)? == name).then(|| decode(value, true))?
    })
}

/// Undoes percent-encoding (and in queries `+` for a space); `None` where it is broken or not UTF-8.
fn decode(text: &str, in_query: bool) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                &tail[2..]
            }
            b'+' if in_query => {
                bytes.push(b' ');
                tail
            }
            byte => {
                bytes.push(byte);
                tail
            }
        };
    }
    String::from_utf8(bytes).ok()
}
