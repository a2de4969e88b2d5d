//! What authentication and authorization ask of the registry's cache.

use bytes::Bytes;

/// One object as it is now.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// `metadata.uid`
    pub uid: String,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// The whole object.
    pub json: Bytes,
}

/// Reads single objects of built-in kinds from memory.
pub trait Lookup: Send + Sync {
    /// The object, where it exists; `group` and `resource` as in a URL, `namespace` empty where cluster-scoped.
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Found>;

    /// The node that a pod is bound to, empty where to none; `None` where there is no such pod. Parses nothing.
    fn node_of_pod(&self, namespace: &str, name: &str) -> Option<String>;

    /// Objects of a kind in one namespace (empty: in all), by name, for what has no index: rare and bounded by `limit`.
    fn list(&self, group: &str, resource: &str, namespace: &str, limit: usize) -> Vec<(String, Found)>;
}
