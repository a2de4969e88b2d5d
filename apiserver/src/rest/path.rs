//! What a URL path names: discovery, a collection, an object, or a subresource.
//!
//! The grammar is that of the Kubernetes API reference: `/api/v1/...` for the core group, `/apis/GROUP/VERSION/...`
//! for the others, `namespaces/NS/` before what lives in namespaces. Whether the verb fits is decided later.

use coracle_api::{Resource, Subresource};

use crate::registry::custom::Snapshot;

#[cfg(test)]
mod tests;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`: the paths that there are.
    Index,
    /// `/version`
    Version,
    /// `/api`: the versions of the core group.
    CoreVersions,
    /// `/apis`: the named groups.
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1` and `/apis/GROUP/VERSION`: the resources of a version.
    Resources {
        /// Empty for the core group.
        group: String,
        /// Version within the group.
        version: String,
    },
    /// Objects.
    Objects(Target),
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiV3,
    /// `/openapi/v3/api/v1` and `/openapi/v3/apis/GROUP/VERSION`.
    OpenApiV3Group {
        /// Empty for the core group.
        group: String,
        /// Version within the group.
        version: String,
    },
    /// A served group and version, and in it nothing of that name.
    UnknownResource,
    /// Nothing at all.
    Unknown,
}

/// The objects that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Their resource.
    pub(crate) resource: &'static Resource,
    /// Empty for all namespaces and for cluster-scoped kinds.
    pub(crate) namespace: String,
    /// One object, where the path names one.
    pub(crate) name: Option<String>,
    /// A part or an action of that object.
    pub(crate) subresource: Option<&'static Subresource>,
    /// Whether the path itself asks for a watch, as `/api/v1/watch/...` does.
    pub(crate) is_watched: bool,
}

impl Target {
    /// The subresource's name; empty for the object itself.
    pub(crate) fn subresource_name(&self) -> &'static str {
        self.subresource.map_or("", |subresource| subresource.name)
    }

    /// Whether `verb` is served here.
    pub(crate) fn serves(&self, verb: &str) -> bool {
        self.subresource
            .map_or(self.resource.verbs, |subresource| subresource.verbs)
            .contains(&verb)
    }
}

/// The longest path that is looked at; longer ones name nothing.
const MAX_SEGMENTS: usize = 8;

/// Reads a path as it stands in the request line, percent-encoded.
pub(crate) fn parse(path: &str, kinds: &Snapshot) -> Route {
    let mut segments = Vec::with_capacity(MAX_SEGMENTS);
    for segment in path.trim_start_matches('/').split('/') {
        if segments.len() == MAX_SEGMENTS {
            // What follows `proxy` is the other side's.
            match segments.iter().any(|segment| segment == "proxy") {
                true => break,
                false => return Route::Unknown,
            }
        }
        match decode_segment(segment) {
            Some(text) => segments.push(text),
            None => return Route::Unknown,
        }
    }
    // Some clients end discovery paths with a slash.
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [] => Route::Index,
        ["version"] => Route::Version,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] if kinds.is_group(group) => Route::Group((*group).to_owned()),
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3,
        ["openapi", "v3", "api", version] if kinds.is_version("", version) => Route::OpenApiV3Group {
            group: String::new(),
            version: (*version).to_owned(),
        },
        ["openapi", "v3", "apis", group, version] if kinds.is_version(group, version) => {
            Route::OpenApiV3Group {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
            }
        }
        ["api", version, rest @ ..] => in_version(kinds, "", version, rest),
        ["apis", group, version, rest @ ..] => in_version(kinds, group, version, rest),
        _ => Route::Unknown,
    }
}

fn in_version(kinds: &Snapshot, group: &str, version: &str, rest: &[&str]) -> Route {
    if !kinds.is_version(group, version) {
        return Route::Unknown;
    }
    let find = |plural: &str| kinds.by_path(group, version, plural);
    match rest {
        [] => Route::Resources {
            group: group.to_owned(),
            version: version.to_owned(),
        },
        // Deprecated since 1.11, and still there.
        ["watch", inside @ ..] => match in_version(kinds, group, version, inside) {
            Route::Objects(target) if target.subresource.is_none() && !target.is_watched => {
                Route::Objects(Target {
                    is_watched: true,
                    ..target
                })
            }
            _ => Route::UnknownResource,
        },
        // `namespaces/X/status` is a part of the namespace, not a resource within it.
        ["namespaces", name, part @ ("status" | "finalize")] if group.is_empty() => {
            target(find("namespaces"), "", &[name, part])
        }
        ["namespaces", namespace, plural, names @ ..] => target(
            find(plural).filter(|resource| resource.namespaced),
            namespace,
            names,
        ),
        [plural, names @ ..] => {
            // Without its namespace, an object of a namespaced kind has no path.
            let fits = |resource: &&Resource| !resource.namespaced || names.is_empty();
            target(find(plural).filter(fits), "", names)
        }
    }
}

fn target(resource: Option<&'static Resource>, namespace: &str, names: &[&str]) -> Route {
    let Some(resource) = resource else {
        return Route::UnknownResource;
    };
    let (name, subresource) = match names {
        [] => (None, None),
        [name] => (Some((*name).to_owned()), None),
        [name, subresource] | [name, subresource @ "proxy", ..] => match resource.subresource(subresource) {
            Some(found) => (Some((*name).to_owned()), Some(found)),
            None => return Route::UnknownResource,
        },
        _ => return Route::UnknownResource,
    };
    if names.iter().take(2).any(|name| name.is_empty()) {
        return Route::UnknownResource;
    }
    Route::Objects(Target {
        resource,
        namespace: namespace.to_owned(),
        name,
        subresource,
        is_watched: false,
    })
}

/// Undoes percent-encoding; `None` where it is broken or not UTF-8.
fn decode_segment(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
