//! The store: the only place where cluster state is kept. One order of revisions, atomic transactions with
//! conditions, reads at a revision, history for watches, compaction.
//!
//! - [`Store`] is the contract, [`types`] its vocabulary.
//! - [`DurableStore`] keeps it on disk: a journal that commits and a base engine behind it. `recover` opens
//!   it, `writer` commits, `applier` moves changes on; `docs/adr/0002-journal-and-sled.md` says why.
//! - [`MemoryStore`] keeps it in memory, for tests and simulation.
//! - [`RecordCodec`] makes what is stored: compressed, checked and, for Secrets, sealed.
//!
//! Left to others: what values mean. This crate depends on no other crate of the project.

mod applier;
mod audit;
mod base;
pub mod bench;
mod checkpoint;
pub mod durable;
mod entry;
pub mod errors;
pub mod fs;
pub mod hooks;
pub mod identity;
mod index;
mod journal;
mod judge;
pub mod memory;
mod overlay;
mod publish;
mod read;
pub mod record;
mod recover;
mod replay;
pub mod splice;
mod state;
pub mod store;
#[cfg(test)]
mod testing;
pub mod types;
mod writer;

pub use durable::DurableStore;
pub use errors::OpenError;
pub use fs::{FileSystem, RealFiles, SimulatedFiles};
pub use hooks::{Hooks, Now, Spawn};
pub use identity::ClusterId;
pub use index::HistoryLimits;
pub use memory::{MemoryConfig, MemoryStore};
pub use record::{RandomSource, RecordCodec, RecordError, Seal, SealKey};
pub use splice::splice;
pub use state::StoreConfig;
pub use store::{MAX_GROUP_BYTES, MAX_GROUP_TXNS, MAX_KEY_BYTES, MAX_TXN_OPS, Publisher, Store};
pub use types::{
    Attachment, BoxFuture, Change, ChangeKind, Committed, Condition, Encoded, Fence, Key, Op, Published,
    ReadError, Revision, StoreStatus, Stored, Txn, TxnError,
};

#[cfg(test)]
mod tests;
