//! A cached object: its shared bytes, and what selectors need to know of it without parsing them.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use coracle_api::{ApiError, LabelSet, Labels, Resource, object};
use coracle_store::Key;

use crate::registry::custom;

/// One object at one revision. Cloning shares everything.
#[derive(Clone)]
pub struct Entry {
    /// The object's key in the store.
    pub key: Key,
    /// The revision of its last change; zero where nothing was stored (dry run).
    pub revision: i64,
    /// The complete JSON, `resourceVersion` included.
    pub json: Bytes,
    /// What selectors look at.
    pub attributes: Arc<Attributes>,
}

impl Entry {
    /// The object as `resource` serves it, which may be another version than the stored one. Costs nothing where it is
    /// the same.
    ///
    /// # Errors
    /// Internal, where the stored object cannot be read.
    pub fn served(self, resource: &'static Resource) -> Result<Self, ApiError> {
        if resource.is_storage() {
            return Ok(self);
        }
        let json = if custom::is_custom(resource) {
            // A webhook, where there is one, has been asked before; then the name is right already.
            custom::stored_form(resource, self.json.clone())
        } else {
            object::served(resource, &self.json)
                .map_err(ApiError::internal)?
                .into()
        };
        Ok(Self { json, ..self })
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} at {})", self.key, self.revision)
    }
}

/// What is known of an object beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Empty for cluster-scoped kinds.
    pub namespace: Box<str>,
    /// `metadata.name`
    pub name: Box<str>,
    /// `metadata.uid`
    pub uid: Box<str>,
    /// `metadata.labels`
    pub labels: Labels,
    /// The kind's selectable fields beside name and namespace. An empty value is left out.
    pub fields: Box<[(&'static str, Box<str>)]>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
}

impl Attributes {
    /// A selectable field's value; empty where the object has none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        match name {
            "metadata.name" => &self.name,
            "metadata.namespace" => &self.namespace,
            _ => self
                .fields
                .iter()
                .find(|(field, _)| *field == name)
                .map_or("", |(_, value)| value),
        }
    }
}

impl LabelSet for Attributes {
    fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key)
    }
}
