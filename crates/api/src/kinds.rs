//! The table of built-in resources: one row a kind, and the ways to find a row.
//!
//! A row says everything generic machinery needs (names, scope, verbs, subresources, selectable fields, how to
//! decode). Per-kind behaviour lives in the apiserver's strategy files. Adding a kind is one row here and one name in
//! `object`'s list.

use std::fmt;

use crate::object::{DecodeFn, Object};

mod index;
mod table;
#[cfg(test)]
mod tests;

pub use index::{by_path, compare_versions, find, is_version, of_key, of_object};
pub use table::*;

/// The verbs of an ordinary resource, in discovery's order.
pub const ALL_VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// One served resource: the static facts about a kind.
///
/// Source: the Kubernetes API reference and what discovery of a real apiserver answers.
pub struct Resource {
    /// The row's place in [`RESOURCES`]; rows that are made at run time go on counting.
    pub place: usize,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version inside the group.
    pub version: &'static str,
    /// CamelCase kind, for example `Pod`.
    pub kind: &'static str,
    /// Lowercase plural, the name in URLs, for example `pods`.
    pub plural: &'static str,
    /// Lowercase singular, for example `pod`.
    pub singular: &'static str,
    /// Abbreviations that kubectl accepts, for example `po`.
    pub short_names: &'static [&'static str],
    /// Groupings such as `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What may be done, in discovery's order.
    pub verbs: &'static [&'static str],
    /// Subresources that are served, in alphabetical order.
    pub subresources: &'static [Subresource],
    /// Fields that field selectors may name.
    pub selectable_fields: &'static [&'static str],
    /// The prefix of every key in the store, for example `/pods/` or `/apps/deployments/`.
    pub store_prefix: &'static str,
    /// `group/version`, or only the version for the core group.
    pub api_version: &'static str,
    /// The version that is stored, where this is another one of the same kind.
    pub stored_as: Option<&'static StoredAs>,
    /// How its JSON becomes a typed object; [`crate::object::Custom::not_typed`] for a kind that has no struct.
    pub decode: DecodeFn,
}

/// How a version that is served and not stored shares the objects of the one that is.
///
/// Store, watch cache, strategies, defaults and validation know the stored row only. A body is converted when it has
/// been decoded, an answer when it is given; nothing in between sees the other version.
pub struct StoredAs {
    /// The row whose objects these are; it has the same store prefix.
    pub resource: &'static Resource,
    /// Makes an object of either row one of the other.
    pub convert: ConvertFn,
    /// Selectable fields that the two versions call differently: the name here, and the name there.
    pub fields: &'static [(&'static str, &'static str)],
}

/// Turns an object into one of `resource`, which is another version of its kind. What the other version has no field
/// for is kept in annotations, so that there and back loses nothing.
pub type ConvertFn = fn(object: Box<dyn Object>, resource: &'static Resource) -> Box<dyn Object>;

/// One subresource of a [`Resource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subresource {
    /// The part after the slash, for example `status`.
    pub name: &'static str,
    /// Group of the body's kind; empty means the core group, or the parent's own where the kind is the parent's.
    pub group: &'static str,
    /// Version of the body's kind; empty where it is the parent's.
    pub version: &'static str,
    /// Kind of the body, for example `Scale`.
    pub kind: &'static str,
    /// What may be done.
    pub verbs: &'static [&'static str],
}

impl Resource {
    /// The row under which the store and the watch cache know these objects.
    pub fn storage(&self) -> &Resource {
        self.stored_as.map_or(self, |stored| stored.resource)
    }

    /// Whether objects are stored in this version.
    pub fn is_storage(&self) -> bool {
        self.stored_as.is_none()
    }

    /// `group/version`, or only the version for the core group; the `apiVersion` of an object.
    pub fn api_version(&self) -> &'static str {
        self.api_version
    }

    /// The prefix of every key of this resource in the store: `/pods/`, `/apps/deployments/`.
    pub fn store_prefix(&self) -> &'static str {
        self.store_prefix
    }

    /// The key of an object in the store; `namespace` is empty for cluster-scoped kinds.
    pub fn store_key(&self, namespace: &str, name: &str) -> String {
        let mut key = String::with_capacity(self.store_prefix.len() + namespace.len() + 1 + name.len());
        key.push_str(self.store_prefix);
        key.push_str(namespace);
        key.push('/');
        key.push_str(name);
        key
    }

    /// The kind of a list of these objects.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// The plural qualified by its group, as error messages and Status details write it: `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources
            .iter()
            .find(|subresource| subresource.name == name)
    }

    /// Whether the resource serves this verb.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    /// Whether objects of this kind keep a `status` that only the status subresource writes.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Resource {}

impl std::hash::Hash for Resource {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.place.hash(state);
    }
}

impl PartialOrd for Resource {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Resource {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.group, self.plural, self.version).cmp(&(other.group, other.plural, other.version))
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({}, {})", self.qualified(), self.version)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qualified())
    }
}
