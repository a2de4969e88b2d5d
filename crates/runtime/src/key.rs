//! The name of an object among those of its kind: namespace and name in one small, cheaply copied value.

use std::{fmt, sync::Arc};

use coracle_client::Object;

/// Namespace and name of an object; 16 bytes, shared by every cache, index and queue that mentions the object.
///
/// Keys sort by namespace, so that the objects of one namespace are neighbours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Between namespace and name; no name holds it.
const SEPARATOR: char = '/';

impl Key {
    /// The key of `namespace` (empty where cluster-scoped) and `name`.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        let mut text = String::with_capacity(namespace.len() + 1 + name.len());
        text.push_str(namespace);
        text.push(SEPARATOR);
        text.push_str(name);
        Self(text.into())
    }

    /// The key of an object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self::new(&object.namespace, &object.name)
    }

    /// Empty where cluster-scoped.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0
            .split_once(SEPARATOR)
            .map_or("", |(namespace, _)| namespace)
    }

    /// metadata.name
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(SEPARATOR).map_or(&*self.0, |(_, name)| name)
    }

    /// A key not above any key of the namespace.
    pub(crate) fn first_of(namespace: &str) -> Self {
        Self::new(namespace, "")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.strip_prefix(SEPARATOR).unwrap_or(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
