//! What the doors ask of the registry, and what they get back.
//!
//! Both doors speak in these types, so none of them knows a wire format: bodies are JSON text, failures are
//! [`ApiError`], objects are [`Entry`] handles that share the bytes of the cache.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use coracle_api::{FieldSelector, LabelSelector, Resource};
use coracle_service::Peer;
use parking_lot::Mutex;

pub use crate::watch::{Attributes, Entry};
pub use coracle_api::patch::PatchType;

/// What webhooks and policies want kept of a request in the audit log.
#[derive(Debug, Default)]
pub struct Annotations(Mutex<BTreeMap<String, String>>);

impl Annotations {
    /// Adds some.
    pub fn add(&self, more: BTreeMap<String, String>) {
        if !more.is_empty() {
            self.0.lock().extend(more);
        }
    }

    /// Takes them all out.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.0.lock())
    }
}

/// Who writes, and how.
#[derive(Clone, Debug)]
pub struct Context {
    /// The proven caller.
    pub peer: Arc<Peer>,
    /// How to judge and answer the write.
    pub options: WriteOptions,
    /// What those who judge the write want kept of it in the audit log.
    pub annotations: Arc<Annotations>,
    /// What webhooks have made of objects for this caller.
    pub(super) converted: Arc<super::convert::Converted>,
}

impl Context {
    /// A caller with default options.
    #[must_use]
    pub fn new(peer: Arc<Peer>) -> Self {
        Self {
            peer,
            options: WriteOptions::default(),
            annotations: Arc::default(),
            converted: Arc::default(),
        }
    }

    /// The same with options.
    #[must_use]
    pub fn with_options(self, options: WriteOptions) -> Self {
        Self { options, ..self }
    }

    /// The apiserver itself.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Arc::new(Peer::new("system:apiserver", &["system:masters"])))
    }
}

/// Options common to all writes.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Judge and return the result, keep nothing.
    pub dry_run: bool,
    /// Who changes the fields; at most 128 characters.
    pub field_manager: String,
    /// What happens to fields that the schema does not know.
    pub field_validation: FieldValidation,
    /// Where set, the write holds only under this leader lease.
    pub fence: Option<FenceRef>,
}

/// What happens to fields that the schema does not know, and to fields that occur twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and say so in the warnings.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// A leader's Lease, as the leader believes it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceRef {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// Must equal `spec.holderIdentity`.
    pub holder: String,
    /// Must equal `spec.leaseTransitions`.
    pub transitions: i64,
}

/// One object, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its kind.
    pub resource: &'static Resource,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

impl Target {
    /// Names an object.
    pub fn new(resource: &'static Resource, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Its key in the store.
    #[must_use]
    pub fn key(&self) -> coracle_store::Key {
        self.resource.store_key(&self.namespace, &self.name).into()
    }
}

/// What an object must still be for a write to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `metadata.uid`
    pub uid: Option<String>,
    /// `metadata.resourceVersion`
    pub revision: Option<i64>,
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// As the kind has it: in the background, but for kinds older than garbage collection, whose dependents stay.
    #[default]
    OfKind,
    /// The garbage collector deletes them afterwards.
    Background,
    /// The garbage collector deletes them first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds; `None` for the object's own, zero for at once.
    pub grace: Option<i64>,
    /// Only the object with this UID.
    pub uid: Option<String>,
    /// Only at this revision.
    pub revision: Option<i64>,
    /// What becomes of dependents.
    pub propagation: Propagation,
}

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// Stores a new object.
    Create {
        /// Its kind.
        resource: &'static Resource,
        /// Empty where cluster-scoped or where the body holds it.
        namespace: String,
        /// Empty where the body holds it.
        name: String,
        /// The object as JSON.
        body: Bytes,
    },
    /// Acts on an object through a creating subresource: `binding`, `eviction`.
    CreateSubresource {
        /// The object.
        target: Target,
        /// The subresource's name.
        subresource: String,
        /// The subresource's body as JSON.
        body: Bytes,
    },
    /// Replaces an object or one of its subresources.
    Update {
        /// The object.
        target: Target,
        /// Empty, `status`, `scale` or `finalize`.
        subresource: String,
        /// The new object as JSON.
        body: Bytes,
    },
    /// Changes part of an object or of one of its subresources.
    Patch {
        /// The object.
        target: Target,
        /// Empty, `status` or `scale`.
        subresource: String,
        /// The patch's format.
        patch_type: PatchType,
        /// The patch as JSON.
        body: Bytes,
        /// What must still hold.
        preconditions: Preconditions,
    },
    /// Applies a configuration for the field manager that the options name; creates the object where it is missing.
    Apply {
        /// The object.
        target: Target,
        /// Empty, `status` or `scale`.
        subresource: String,
        /// The configuration as JSON: the fields that the manager wants, and no others.
        body: Bytes,
        /// Whether it takes fields from their owners instead of failing.
        force: bool,
    },
    /// Deletes an object.
    Delete {
        /// The object.
        target: Target,
        /// How.
        options: DeleteOptions,
    },
}

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object (or subresource) as it is now; after a removal, as it was last.
    pub entry: Entry,
    /// Whether it did not exist before.
    pub created: bool,
    /// Whether it is gone now.
    pub removed: bool,
    /// For people: unknown fields and the like.
    pub warnings: Vec<String>,
}

/// What a delete did.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The object as it was last.
    pub entry: Entry,
    /// False while a grace period or finalizers keep it.
    pub removed: bool,
    /// For people: what webhooks and policies have to say.
    pub warnings: Vec<String>,
}

/// What deleting a collection did.
#[derive(Clone, Debug)]
pub struct DeletedCollection {
    /// The objects that were deleted or marked for deletion.
    pub entries: Vec<Entry>,
    /// The latest revision after it.
    pub revision: i64,
}

/// At which revision to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtRevision {
    /// The present state.
    #[default]
    Any,
    /// The present state, which must be at least this new.
    AtLeast(i64),
    /// Exactly the state at a retained revision.
    Exact(i64),
}

/// Which objects to list.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// Their kind.
    pub resource: &'static Resource,
    /// Empty for all namespaces.
    pub namespace: String,
    /// Which labels.
    pub labels: LabelSelector,
    /// Which fields.
    pub fields: FieldSelector,
    /// Objects a page; zero for no limit.
    pub limit: usize,
    /// [`ListResult::continue_token`] of the page before.
    pub continue_token: Option<String>,
    /// At which revision; must be [`AtRevision::Any`] with a token.
    pub revision: AtRevision,
}

impl ListRequest {
    /// All objects of a kind, now.
    #[must_use]
    pub fn all(resource: &'static Resource) -> Self {
        Self {
            resource,
            namespace: String::new(),
            labels: LabelSelector::default(),
            fields: FieldSelector::default(),
            limit: 0,
            continue_token: None,
            revision: AtRevision::Any,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct ListResult {
    /// In key order: namespace, then name.
    pub entries: Vec<Entry>,
    /// What all pages show; a watch from here has no gap.
    pub revision: i64,
    /// Set where objects remain.
    pub continue_token: Option<String>,
    /// How many remain, where that is known.
    pub remaining: Option<i64>,
}

/// Which changes to watch.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// The kind.
    pub resource: &'static Resource,
    /// Empty for all namespaces.
    pub namespace: String,
    /// Which labels.
    pub labels: LabelSelector,
    /// Which fields.
    pub fields: FieldSelector,
    /// Pods only: those bound to one of these nodes; empty for all.
    pub node_names: Vec<String>,
    /// Where to begin.
    pub from: Start,
    /// Whether to tell progress while nothing matches.
    pub bookmarks: bool,
}

impl WatchRequest {
    /// All changes of a kind.
    #[must_use]
    pub fn all(resource: &'static Resource, from: Start) -> Self {
        Self {
            resource,
            namespace: String::new(),
            labels: LabelSelector::default(),
            fields: FieldSelector::default(),
            node_names: Vec::new(),
            from,
            bookmarks: true,
        }
    }
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Now; `initial` tells the present objects first, as ADDED, then that they are all told.
    Now {
        /// Whether to tell the present objects.
        initial: bool,
    },
    /// With the first change after this revision.
    After(i64),
}

/// How the documents of a manifest are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applying {
    /// As `kubectl apply` does, which remembers in an annotation what it applied.
    ClientSide,
    /// As a field manager's configurations.
    ServerSide {
        /// Whether fields are taken from their owners.
        force: bool,
    },
}

/// What applying one document of a manifest did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Where in the text the document stands, from 0.
    pub index: usize,
    /// What became of it.
    pub outcome: Result<ApplyOutcome, coracle_api::ApiError>,
    /// The object as it is now, where it did not fail.
    pub entry: Option<Entry>,
    /// For people.
    pub warnings: Vec<String>,
}

/// What applying a document changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// It is new.
    Created,
    /// It was changed.
    Configured,
    /// It was so already.
    Unchanged,
}
