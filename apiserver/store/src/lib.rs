//! The store: the only place where cluster state is kept. One order of revisions, atomic transactions with
//! conditions, reads at a revision, history for watches, compaction.
//!
//! - [`Store`] is the contract, [`types`] its vocabulary.
//! - [`MemoryStore`] is for tests and simulation.
//! - [`RecordCodec`] makes what is stored: compressed, checked and, for Secrets, sealed.
//!
//! Left to others: what values mean. This crate depends on no other crate of the project.

mod index;
mod judge;
pub mod memory;
mod publish;
mod read;
pub mod record;
pub mod splice;
pub mod store;
pub mod types;

pub use index::HistoryLimits;
pub use memory::{MemoryConfig, MemoryStore};
pub use record::{RandomSource, RecordCodec, RecordError, Seal, SealKey};
pub use splice::splice;
pub use store::{MAX_GROUP_BYTES, MAX_GROUP_TXNS, MAX_KEY_BYTES, MAX_TXN_OPS, Publisher, Store};
pub use types::{
    Attachment, BoxFuture, Change, ChangeKind, Committed, Condition, Encoded, Fence, Key, Op, Published,
    ReadError, Revision, StoreStatus, Stored, Txn, TxnError,
};
