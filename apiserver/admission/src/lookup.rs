//! What admission may ask about other objects, and about the versions of the one that is written.

use async_trait::async_trait;
use bytes::Bytes;
use coracle_api::{ApiError, Resource};

/// The present objects, by kind and name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// An object's JSON; `namespace` is empty for cluster-scoped kinds.
    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Bytes>;

    /// The objects of a kind in one namespace, or (empty) in all, in key order.
    fn list(&self, resource: &'static Resource, namespace: &str) -> Vec<Bytes>;

    /// The resource of an object's `apiVersion` and `kind`.
    fn find(&self, api_version: &str, kind: &str) -> Option<&'static Resource>;

    /// Every version in which the objects of this kind are served, in whichever group, the given one among them.
    fn versions(&self, resource: &'static Resource) -> Vec<&'static Resource>;

    /// An object of another version of its kind as `wanted` has it.
    ///
    /// # Errors
    /// [`ApiError`] where it cannot be converted, such as that of a webhook that converts.
    async fn convert(&self, json: &Bytes, wanted: &'static Resource) -> Result<Bytes, ApiError>;
}
