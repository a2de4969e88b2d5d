//! The object API as a component sees it.
//!
//! Objects travel as their JSON, read by each consumer into a projection of its own. Errors are Kubernetes Status
//! failures whichever door and transport they came through. Implemented by [`crate::GrpcClient`], and by fakes in
//! tests.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use coracle_api::{ApiError, Resource};
use futures::stream::BoxStream;

/// One object: its identity and its whole JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
    /// metadata.resourceVersion, as a number.
    pub revision: i64,
    /// The JSON as every client sees it; empty where the answer was asked for without bodies.
    pub json: Bytes,
}

impl Object {
    /// Reads the JSON as `T`, which names only the fields that the caller needs.
    ///
    /// # Errors
    /// [`ApiError`] (internal) where the JSON does not fit `T`.
    pub fn read<'a, T: serde::de::Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.json)
            .map_err(|error| ApiError::internal(format!("read {}/{}: {error}", self.namespace, self.name)))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}/{} at {})", self.namespace, self.name, self.revision)
    }
}

/// Which objects to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Their kind.
    pub resource: &'static Resource,
    /// Empty for all namespaces.
    pub namespace: String,
    /// Kubernetes syntax; empty for all.
    pub label_selector: String,
    /// Kubernetes syntax; empty for all.
    pub field_selector: String,
    /// Zero for now, else a retained revision.
    pub revision: i64,
    /// Objects a page; zero for the server's choice.
    pub page_size: u32,
    /// [`ListPage::next_page_token`] of the page before; empty for the first.
    pub page_token: String,
}

impl ListQuery {
    /// All objects of a kind, now.
    #[must_use]
    pub fn all(resource: &'static Resource) -> Self {
        Self {
            resource,
            namespace: String::new(),
            label_selector: String::new(),
            field_selector: String::new(),
            revision: 0,
            page_size: 0,
            page_token: String::new(),
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// In the order of namespace and name.
    pub objects: Vec<Object>,
    /// Empty on the last page.
    pub next_page_token: String,
    /// What all pages show; a watch from here has no gap.
    pub revision: i64,
}

/// Which changes to watch.
#[derive(Clone, Debug)]
pub struct WatchQuery {
    /// The kind.
    pub resource: &'static Resource,
    /// Empty for all namespaces.
    pub namespace: String,
    /// Kubernetes syntax; empty for all.
    pub label_selector: String,
    /// Kubernetes syntax; empty for all.
    pub field_selector: String,
    /// Only changes after it; zero for the present state first (ADDED events, then a [`EventKind::Synced`]).
    pub from_revision: i64,
    /// Pods only: those bound to one of these nodes; empty for all.
    pub node_names: Vec<String>,
}

impl WatchQuery {
    /// All objects of a kind, beginning with the present state.
    #[must_use]
    pub fn all(resource: &'static Resource) -> Self {
        Self {
            resource,
            namespace: String::new(),
            label_selector: String::new(),
            field_selector: String::new(),
            from_revision: 0,
            node_names: Vec::new(),
        }
    }
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Resume after it with `from_revision = revision`.
    pub revision: i64,
}

/// What happened to an object, as the watch's selectors see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It came to be, or came to match.
    Added(Object),
    /// It changed.
    Modified(Object),
    /// It is gone, or no longer matches; the object as it was last.
    Deleted(Object),
    /// The present state has been told in full.
    Synced,
    /// Nothing that concerns this watch up to the event's revision.
    Bookmark,
}

/// Changes in revision order, several at a time where they came close together.
///
/// It ends with an error: transient (reconnect, resume by revision), or [`ApiError::is_expired`] (start from zero).
pub type WatchStream = BoxStream<'static, Result<Vec<Event>, ApiError>>;

/// The Lease under which a leader writes; judged in the transaction of the write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// Must equal spec.holderIdentity.
    pub holder: String,
    /// Must equal spec.leaseTransitions.
    pub transitions: i64,
}

/// How to write.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Judge and return, keep nothing.
    pub dry_run: bool,
    /// Who changes the fields.
    pub field_manager: String,
    /// Where set, only under this Lease.
    pub fence: Option<Fence>,
    /// Do not send the object back.
    pub without_body: bool,
}

/// The format of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' strategic merge patch.
    StrategicMerge,
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// The garbage collector deletes them first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds; `None` for the object's own, zero for at once.
    pub grace_period_seconds: Option<i64>,
    /// Only the object with this UID; empty for whichever has the name.
    pub uid: String,
    /// Only at this revision; zero for any.
    pub revision: i64,
    /// What becomes of dependents.
    pub propagation: Propagation,
}

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// Store a new object, or act through a creating subresource (`binding`, `eviction`).
    Create {
        /// Its kind; for a subresource, the kind of the object acted upon.
        resource: &'static Resource,
        /// Empty where cluster-scoped.
        namespace: String,
        /// Empty where the JSON holds it (or its generateName); the object acted upon for a subresource.
        name: String,
        /// Empty, `binding` or `eviction`.
        subresource: &'static str,
        /// The object, or the subresource's body.
        json: Bytes,
    },
    /// Replace an object or its `status`; conditional where the JSON holds a resourceVersion.
    Update {
        /// Its kind.
        resource: &'static Resource,
        /// Empty where cluster-scoped.
        namespace: String,
        /// Its name.
        name: String,
        /// Empty, `status` or `scale`.
        subresource: &'static str,
        /// The new object.
        json: Bytes,
    },
    /// Change part of an object or of its `status`.
    Patch {
        /// Its kind.
        resource: &'static Resource,
        /// Empty where cluster-scoped.
        namespace: String,
        /// Its name.
        name: String,
        /// Empty, `status` or `scale`.
        subresource: &'static str,
        /// The patch's format.
        patch_type: PatchType,
        /// The patch.
        patch: Bytes,
        /// Only the object with this UID; empty for whichever has the name.
        uid: String,
        /// Only at this revision; zero for any.
        revision: i64,
    },
    /// Delete an object.
    Delete {
        /// Its kind.
        resource: &'static Resource,
        /// Empty where cluster-scoped.
        namespace: String,
        /// Its name.
        name: String,
        /// How.
        options: DeleteOptions,
    },
}

/// How to judge a batch.
#[derive(Clone, Debug, Default)]
pub struct BatchOptions {
    /// All or none, instead of each by itself.
    pub atomic: bool,
    /// Where set, only under this Lease.
    pub fence: Option<Fence>,
    /// Do not send the objects back.
    pub without_bodies: bool,
}

/// The most writes that one batch may carry.
pub const MAX_BATCH: usize = 2_000;

/// Reads, writes and watches objects.
#[async_trait]
pub trait ObjectApi: Send + Sync + 'static {
    /// One object, now.
    async fn get(&self, resource: &'static Resource, namespace: &str, name: &str)
    -> Result<Object, ApiError>;

    /// An object's `scale`, as an `autoscaling/v1` Scale.
    async fn get_scale(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Object, ApiError>;

    /// One page of a list.
    async fn list(&self, query: &ListQuery) -> Result<ListPage, ApiError>;

    /// Changes, from a revision or beginning with the present state.
    async fn watch(&self, query: &WatchQuery) -> Result<WatchStream, ApiError>;

    /// One write. After a delete the object as it was last.
    async fn write(&self, write: Write, options: &WriteOptions) -> Result<Object, ApiError>;

    /// Many writes in one commit, at most [`MAX_BATCH`]; an outcome each, in order.
    async fn batch(
        &self,
        writes: Vec<Write>,
        options: &BatchOptions,
    ) -> Result<Vec<Result<Object, ApiError>>, ApiError>;

    /// All pages of a list, and the revision that they show.
    async fn list_all(&self, query: &ListQuery) -> Result<(Vec<Object>, i64), ApiError> {
        let mut query = query.clone();
        let mut objects = Vec::new();
        loop {
            let page = self.list(&query).await?;
            objects.extend(page.objects);
            if page.next_page_token.is_empty() {
                return Ok((objects, page.revision));
            }
            query.page_token = page.next_page_token;
        }
    }
}
