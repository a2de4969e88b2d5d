//! The base engine behind the journal: where values live once they have left the journal's overlay.
//!
//! The journal is the commit point, so an engine need not be durable by itself, only honest: a batch is there
//! as a whole or not, [`Base::flush`] is durable when it returns, and what it reports can be audited. For the
//! audit, each batch carries [`BaseMeta`] with the number of records and a digest of their revisions; an
//! engine that lost or kept a record too many does not match its own books.

#[cfg(test)]
pub(crate) mod memory_base;
pub(crate) mod sled_base;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::identity::ClusterId;
use crate::types::Revision;

/// What a base engine knows about its own content; written with every batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaseMeta {
    pub cluster: ClusterId,
    /// Every revision up to here has been applied.
    pub applied: Revision,
    /// History at and below is gone.
    pub compacted: Revision,
    /// Number of records.
    pub count: u64,
    /// [`mix`] of every record's revision, exclusive-ored.
    pub digest: u64,
}

impl BaseMeta {
    /// The books of an engine that holds nothing yet, with history beginning after `revision`.
    pub fn empty(cluster: ClusterId, revision: Revision) -> BaseMeta {
        BaseMeta {
            cluster,
            applied: revision,
            compacted: revision,
            count: 0,
            digest: 0,
        }
    }

    pub fn add(&mut self, revision: Revision) {
        self.count += 1;
        self.digest ^= mix(revision as u64);
    }

    pub fn remove(&mut self, revision: Revision) {
        self.count = self.count.saturating_sub(1);
        self.digest ^= mix(revision as u64);
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.cluster.0.to_vec();
        for number in [
            self.applied as u64,
            self.compacted as u64,
            self.count,
            self.digest,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<BaseMeta> {
        let (fields, crc) = bytes.split_at_checked(16 + 4 * 8)?;
        if crc != crc32fast::hash(fields).to_le_bytes() {
            return None;
        }
        let mut numbers = fields[16..]
            .chunks_exact(8)
            .map(|n| n.try_into().map(u64::from_le_bytes));
        let mut next = || numbers.next()?.ok();
        Some(BaseMeta {
            cluster: ClusterId(fields[..16].try_into().ok()?),
            applied: next()? as Revision,
            compacted: next()? as Revision,
            count: next()?,
            digest: next()?,
        })
    }
}

/// A bijective mixer (SplitMix64's finalizer): spreads revisions over all 64 bits.
pub(crate) fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// One atomic change of the base.
pub(crate) struct BaseBatch {
    /// Entries to add, in revision order.
    pub puts: Vec<(Revision, Vec<u8>)>,
    /// Revisions to drop.
    pub removes: Vec<Revision>,
    /// The books after this batch.
    pub meta: BaseMeta,
}

/// What an engine says when it cannot do its work.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BaseError {
    /// Its content is damaged; it can be rebuilt.
    #[error("{0}")]
    Damaged(String),
    /// It cannot work here at all: no permission, no space.
    #[error("{0}")]
    Unusable(String),
}

/// Called with each entry of a scan.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(Revision, Vec<u8>) -> ControlFlow<()>;

/// An open base engine.
pub(crate) trait Base: Send + Sync {
    /// Its books; `None` when it is new.
    fn meta(&self) -> Result<Option<BaseMeta>, BaseError>;
    /// Applies a batch atomically. Not durable before [`Base::flush`].
    fn apply(&self, batch: BaseBatch) -> Result<(), BaseError>;
    /// The entry of a revision.
    fn get(&self, revision: Revision) -> Result<Option<Vec<u8>>, BaseError>;
    /// Visits entries in revision order, beginning at `from`, until told to stop.
    fn scan(&self, from: Revision, visit: Visit<'_>) -> Result<(), BaseError>;
    /// Makes everything applied durable, power cut included.
    fn flush(&self) -> Result<(), BaseError>;
    /// Files that leak (see ADR 0002).
    fn blob_files(&self) -> u64;
}

/// Opens base engines.
pub(crate) trait BaseEngine: Send + Sync {
    /// Opens or creates the engine's files in a directory.
    fn open(&self, dir: &Path) -> Result<Arc<dyn Base>, BaseError>;
    /// Moves the files out of the way, so that the next open starts empty. Says where they went.
    fn set_aside(&self, dir: &Path) -> Result<String, BaseError>;
}
