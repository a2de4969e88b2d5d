//! The vocabulary of the store: revisions, transactions and their conditions, what a commit returns, what
//! a read returns, and the errors of both.
//!
//! These types promise nothing by themselves; [`crate::Store`] says what an implementation owes for them.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

/// A place in the one order of all changes. The first change has revision 1; every operation of every
/// transaction takes the next one, so revisions have no gaps.
pub type Revision = i64;

/// `/pods/default/web-1`: the resource's prefix, the namespace ("" for cluster scope) and the name.
pub type Key = Arc<str>;

/// What the registry already knows about an object (labels, selectable fields), carried beside the bytes
/// so that the watch cache need not parse them. Opaque to the store and never persisted.
pub type Attachment = Arc<dyn Any + Send + Sync>;

/// A boxed future, as the `futures` crate spells it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The fencing token of a lease: who holds it, and how often it has changed hands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// `spec.holderIdentity` of the Lease.
    pub holder: String,
    /// `spec.leaseTransitions` of the Lease.
    pub transitions: i64,
}

/// What must be true for a transaction to be accepted. The writer judges it inside the transaction, against
/// everything committed before and against the earlier transactions of the same group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The key does not exist.
    Absent {
        /// The key in question.
        key: Key,
    },
    /// The key exists and was last changed at `revision`.
    AtRevision {
        /// The key in question.
        key: Key,
        /// The revision its current value must have.
        revision: Revision,
    },
    /// The key exists, whatever its revision.
    Exists {
        /// The key in question.
        key: Key,
    },
    /// The Lease stored at `key` carries exactly this fence: its holder is still the leader.
    Fenced {
        /// The Lease's key.
        key: Key,
        /// The fence that the caller believes it holds.
        fence: Fence,
    },
}

/// An object ready to be stored, made by [`crate::RecordCodec::encode`] on the caller's thread so that the
/// writer neither serializes, compresses nor seals.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The object's JSON without `metadata.resourceVersion`.
    pub json: Bytes,
    /// Byte offset right after `"metadata":{`, where the revision is spliced in.
    pub splice_at: u32,
    /// What goes to disk: header and the compressed, perhaps sealed, body.
    pub record: Bytes,
}

/// One change of one key.
#[derive(Clone, Debug)]
pub enum Op {
    /// Creates or replaces the value of a key.
    Put {
        /// The key to write.
        key: Key,
        /// Its new value.
        value: Encoded,
        /// The fence tag, for Lease objects that guard a leader.
        fence: Option<Fence>,
        /// Handed to the [`crate::Publisher`] as it is.
        attachment: Attachment,
    },
    /// Removes a key. The transaction fails when there is nothing to remove.
    Delete {
        /// The key to remove.
        key: Key,
        /// The object's last state, kept in history so that a DELETED event carries the object.
        value: Encoded,
        /// Handed to the [`crate::Publisher`] as it is.
        attachment: Attachment,
    },
}

impl Op {
    /// The key this operation changes.
    pub fn key(&self) -> &Key {
        match self {
            Op::Put { key, .. } | Op::Delete { key, .. } => key,
        }
    }

    /// The value this operation carries.
    pub fn value(&self) -> &Encoded {
        match self {
            Op::Put { value, .. } | Op::Delete { value, .. } => value,
        }
    }
}

/// Operations that happen together or not at all, if all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct Txn {
    /// Judged before the first operation, all against the state before this transaction.
    pub conditions: Vec<Condition>,
    /// Applied in order; each takes its own consecutive revision.
    pub ops: Vec<Op>,
}

impl Txn {
    /// Bytes this transaction adds to the journal, up to a few bytes of framing.
    pub fn size_bytes(&self) -> usize {
        self.ops
            .iter()
            .map(|op| op.key().len() + op.value().record.len())
            .sum()
    }
}

/// What a committed transaction got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Revision of the first operation; the others follow without a gap. For a transaction without
    /// operations, the latest revision its conditions were judged at.
    pub first_revision: Revision,
    /// Per operation, the object's JSON with the revision spliced in: the one allocation that history,
    /// caches and every watcher share.
    pub values: Vec<Bytes>,
}

/// Why a transaction was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxnError {
    /// A condition did not hold. Nothing was changed.
    #[error("judge condition {index} of the transaction: it does not hold")]
    ConditionFailed {
        /// Position in [`Txn::conditions`].
        index: usize,
        /// The key's current revision, `None` when it does not exist.
        current: Option<Revision>,
    },
    /// The caller's lease has a new holder. Nothing was changed.
    #[error("judge fence of lease {key}: another holder has it")]
    Fenced {
        /// The Lease's key.
        key: Key,
        /// The fence it carries now, `None` when it carries none or does not exist.
        current: Option<Fence>,
    },
    /// A delete named a key that does not exist. Nothing was changed.
    #[error("delete {key}: there is no such key")]
    NotFound {
        /// The missing key.
        key: Key,
    },
    /// The transaction is over a limit. Nothing was changed.
    #[error("accept transaction: its {what} is over the limit of {limit}")]
    TooLarge {
        /// What is too large: `size in bytes`, `number of operations`, `key`.
        what: &'static str,
        /// The limit in the unit of `what`.
        limit: usize,
    },
    /// The store cannot acknowledge writes: full disk, failed sync, shutdown. After a failed sync the
    /// outcome is unknown until the store is opened again.
    #[error("commit transaction: {0}")]
    Unavailable(String),
}

/// A value as it stands at some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: Key,
    /// The revision of its last change.
    pub revision: Revision,
    /// The object's JSON with the revision spliced in.
    pub json: Bytes,
}

/// What a change did to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The key has a new value; `created` when it had none before.
    Put {
        /// Whether the key did not exist before.
        created: bool,
    },
    /// The key is gone.
    Delete,
}

/// One change read back from history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The change's revision.
    pub revision: Revision,
    /// The key that changed.
    pub key: Key,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The new value, or for a delete the last state, with the change's revision spliced in.
    pub json: Bytes,
    /// The value before, as it was published then; `None` when the key did not exist.
    pub previous: Option<Bytes>,
}

/// One change as the writer hands it to the [`crate::Publisher`].
#[derive(Clone, Debug)]
pub struct Published {
    /// The change's revision.
    pub revision: Revision,
    /// The key that changed.
    pub key: Key,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The new value, or for a delete the last state, with the change's revision spliced in.
    pub json: Bytes,
    /// The revision of the value before; `None` when the key did not exist.
    pub previous_revision: Option<Revision>,
    /// What the registry attached to the operation.
    pub attachment: Attachment,
}

/// Why a read was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The requested revision is below what history keeps.
    #[error("read at revision {requested}: compacted, the oldest is {oldest}")]
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The requested revision has not happened yet.
    #[error("read at revision {requested}: the latest is {latest}")]
    Future {
        /// What was asked for.
        requested: Revision,
        /// The latest published revision.
        latest: Revision,
    },
    /// The value is damaged or cannot be read from disk.
    #[error("read value of revision {revision}: {detail}")]
    Damaged {
        /// The revision whose value cannot be read.
        revision: Revision,
        /// What is wrong with it.
        detail: String,
    },
}

/// How the store is doing; for health checks, metrics and people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// The cluster's id, a UUID written before anything else.
    pub cluster_id: String,
    /// The latest published revision.
    pub revision: Revision,
    /// History at and below is gone.
    pub compacted_revision: Revision,
    /// Why writes are not acknowledged, `None` when they are.
    pub problem: Option<String>,
    /// What was repaired when the store was opened, one sentence each.
    pub repairs: Vec<String>,
    /// Keys that exist now.
    pub keys: usize,
    /// Size of the history kept, by record size.
    pub history_bytes: u64,
    /// Everything up to here has reached the base engine behind the journal.
    pub applied_revision: Revision,
    /// Records committed and not yet applied to the base engine.
    pub backlog_bytes: u64,
    /// Size of the journal that is kept.
    pub journal_bytes: u64,
    /// Revision of the last complete checkpoint, 0 when there is none.
    pub checkpoint_revision: Revision,
    /// Files in the base engine's blob directory; more than 0 means that values leak (ADR 0002).
    pub blob_files: u64,
}
