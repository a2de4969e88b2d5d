//! The [`Store`] trait: etcd's semantics as the API server needs them. One order of revisions, atomic
//! transactions with conditions, reads at a revision, history, compaction.
//!
//! What every implementation promises:
//! - An acknowledged write is durable, and neither a reader nor the publisher ever sees a revision that is
//!   not.
//! - A transaction takes consecutive revisions and is visible as a whole or not at all.
//! - The publisher sees every revision once, in order, before the writer acknowledges it.
//!
//! What it leaves to others: meaning. Keys and values are bytes here; kinds, validation and the watch cache
//! live above.

use std::sync::Arc;

use crate::types::{
    BoxFuture, Change, Committed, Key, Op, Published, ReadError, Revision, StoreStatus, Stored, Txn, TxnError,
};

/// Most transactions in one group: one journal frame, one sync.
pub const MAX_GROUP_TXNS: usize = 512;
/// Most bytes of records in one group, and therefore in one transaction.
pub const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Most operations in one transaction.
pub const MAX_TXN_OPS: usize = 4_096;
/// Longest key in bytes: a resource prefix, a namespace and a name at their own limits fit several times.
pub const MAX_KEY_BYTES: usize = 1_024;

/// A store of versioned values under keys. See the module's promises.
pub trait Store: Send + Sync + 'static {
    /// Commits one transaction. Resolves after it is durable *and* published. Dropping the future leaves
    /// the outcome open, as a lost connection would.
    fn commit(&self, txn: Txn) -> BoxFuture<'static, Result<Committed, TxnError>>;

    /// Commits transactions that are judged one by one, in order, and share groups. One result each.
    fn commit_many(&self, txns: Vec<Txn>) -> BoxFuture<'static, Vec<Result<Committed, TxnError>>>;

    /// The latest published revision, 0 for an empty store.
    fn revision(&self) -> Revision;

    /// History at and below this revision is gone: reads and changes may start here, not earlier.
    fn compacted_revision(&self) -> Revision;

    /// The value of a key at a revision, the latest when `at` is `None`.
    fn get(&self, key: &str, at: Option<Revision>) -> Result<Option<Stored>, ReadError>;

    /// Values whose keys start with `prefix`, in key order, after `start_after`, at most `limit`, as they
    /// stood at revision `at`.
    fn range(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<Stored>, ReadError>;

    /// At most `limit` changes after a revision, in order, without a gap.
    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, ReadError>;

    /// The sealed ones among the latest values whose keys start with `prefix`, with the id of the key that sealed each;
    /// in key order.
    fn sealed(&self, prefix: &str) -> Result<Vec<(Key, u32)>, ReadError>;

    /// Installs the one publisher, replacing an earlier one. Every revision above the returned one is
    /// handed to it; what is at or below, it reads with [`Store::range`] at the returned revision.
    fn subscribe(&self, publisher: Arc<dyn Publisher>) -> Revision;

    /// Asks for history at and below `upto` to be dropped. The work is done in bounded steps behind
    /// commits; a revision above the latest counts as the latest.
    fn compact(&self, upto: Revision);

    /// Makes a checkpoint of everything committed before the call. Resolves with its revision once it is on
    /// disk.
    fn checkpoint(&self) -> BoxFuture<'static, Result<Revision, TxnError>>;

    /// How the store is doing.
    fn status(&self) -> StoreStatus;

    /// Refuses new transactions, finishes those accepted, writes out what is buffered and releases the
    /// directory. Safe to call more than once.
    fn shutdown(&self) -> BoxFuture<'static, ()>;
}

/// Receives every change: the watch cache.
pub trait Publisher: Send + Sync {
    /// A whole group in revision order, durable and readable from the store, not yet acknowledged. Runs on
    /// the writer, so it must be short and must not commit.
    fn publish(&self, changes: &[Published]);
}

/// Checks a transaction against the limits that do not depend on any state.
pub(crate) fn check_limits(txn: &Txn) -> Result<(), TxnError> {
    if txn.ops.len() > MAX_TXN_OPS {
        return Err(TxnError::TooLarge {
            what: "number of operations",
            limit: MAX_TXN_OPS,
        });
    }
    if txn.ops.iter().any(|op| op.key().len() > MAX_KEY_BYTES) {
        return Err(TxnError::TooLarge {
            what: "key",
            limit: MAX_KEY_BYTES,
        });
    }
    let holder_too_long = |op: &Op| match op {
        Op::Put {
            fence: Some(fence), ..
        } => fence.holder.len() > MAX_KEY_BYTES,
        _ => false,
    };
    if txn.ops.iter().any(holder_too_long) {
        return Err(TxnError::TooLarge {
            what: "lease holder",
            limit: MAX_KEY_BYTES,
        });
    }
    if txn.size_bytes() > MAX_GROUP_BYTES {
        return Err(TxnError::TooLarge {
            what: "size in bytes",
            limit: MAX_GROUP_BYTES,
        });
    }
    Ok(())
}
