//! What admission may ask about other objects.

use bytes::Bytes;
use coracle_api::Resource;

/// The present objects, by kind and name.
pub trait Lookup: Send + Sync {
    /// An object's JSON; `namespace` is empty for cluster-scoped kinds.
    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Bytes>;

    /// The objects of a kind in one namespace, or (empty) in all, in key order.
    fn list(&self, resource: &'static Resource, namespace: &str) -> Vec<Bytes>;

    /// The resource of an object's `apiVersion` and `kind`.
    fn find(&self, api_version: &str, kind: &str) -> Option<&'static Resource>;
}
