//! The registry: every read, write and watch of every kind, whichever door it came through.
//!
//! Promises: a write is judged against the state it changes and is acknowledged only when it is on disk; reads and
//! watches see exactly what was acknowledged. Generic behaviour lives here once, per-kind differences in
//! [`strategy`]. Left to others: who the caller is (`auth`), wire formats (`grpc`, `rest`), durability (the store),
//! delivery to watchers ([`crate::watch`]).

pub mod request;

use bytes::Bytes;
use coracle_api::{ApiError, Resource, kinds};

pub use request::*;

pub use crate::watch::{Event, EventKind, Watch};

/// The one door to the objects. See the module.
pub struct Registry {}

impl Registry {
    /// One object, now or at a retained revision; `subresource` is empty, `status` or `scale`.
    pub async fn get(&self, target: &Target, subresource: &str, at: Option<i64>) -> Result<Entry, ApiError>;
    /// One page of a list.
    pub async fn list(&self, request: &ListRequest) -> Result<ListResult, ApiError>;
    /// Stores a new object.
    pub async fn create(&self, ctx: &Context, resource: &'static Resource, namespace: &str, name_hint: &str, body: Bytes) -> Result<Written, ApiError>;
    /// Acts through `binding` or `eviction`.
    pub async fn create_subresource(&self, ctx: &Context, target: Target, subresource: &str, body: Bytes) -> Result<Written, ApiError>;
    /// Replaces an object, or its `status`, `scale` or `finalize`.
    pub async fn update(&self, ctx: &Context, target: Target, subresource: &str, body: Bytes) -> Result<Written, ApiError>;
    /// Changes part of an object.
    pub async fn patch(&self, ctx: &Context, target: Target, subresource: &str, patch_type: PatchType, body: Bytes, preconditions: Preconditions) -> Result<Written, ApiError>;
    /// Deletes an object.
    pub async fn delete(&self, ctx: &Context, target: Target, options: DeleteOptions) -> Result<Deleted, ApiError>;
    /// Deletes what the request lists.
    pub async fn delete_collection(&self, ctx: &Context, request: &ListRequest, options: &DeleteOptions) -> Result<DeletedCollection, ApiError>;
    /// Any one write.
    pub async fn write(&self, ctx: &Context, write: Write) -> Result<Written, ApiError>;
    /// Many writes in one commit.
    pub async fn batch(&self, ctx: &Context, writes: Vec<Write>, atomic: bool) -> Result<Vec<Result<Written, ApiError>>, ApiError>;
    /// Applies the documents of a YAML or JSON text.
    pub async fn apply_manifest(&self, ctx: &Context, manifest: &str, namespace: &str) -> Result<Vec<Applied>, ApiError>;
    /// Watches; synchronous, nothing waits but `Watch::next`.
    pub fn watch(&self, request: WatchRequest) -> Result<Watch, ApiError>;
    /// The latest revision.
    pub fn revision(&self) -> i64;
}
