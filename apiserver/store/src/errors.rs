//! Why a store could not be opened. Each message names the file and the next step, because the person who
//! reads it has a cluster that does not start.

use std::io;
use std::path::{Path, PathBuf};

use crate::types::Revision;

/// Why [`crate::DurableStore::open`] refused.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory open.
    #[error("lock {path}: another process uses this data directory; stop it, or choose another directory")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Written by a newer version.
    #[error(
        "read {path}: its format is {found} and this version knows up to {known}; use the version that wrote it"
    )]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// The identity file is not readable as such.
    #[error("read {path}: damaged; restore it from a copy, or remove it to have it written again")]
    MetaDamaged {
        /// The identity file.
        path: PathBuf,
    },
    /// A file of another cluster lies in this directory.
    #[error("read {path}: it belongs to another cluster; put back this cluster's own file")]
    OtherCluster {
        /// The file that does not belong.
        path: PathBuf,
    },
    /// Acknowledged changes cannot be read, and no other file holds them.
    #[error(
        "read journal {path}: damaged at byte {offset}, changes {first} to {last} are lost; restore the file from \
         a copy, or move it and all later journal files away to go on from revision {}", first - 1
    )]
    JournalDamaged {
        /// The damaged segment.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// First revision that cannot be read.
        first: Revision,
        /// Last revision known to be lost.
        last: Revision,
    },
    /// The base engine is damaged and there is nothing to rebuild it from.
    #[error("rebuild {path}: {detail}; restore the data directory from a copy (the engine said: {engine})")]
    CannotRebuild {
        /// The checkpoint, or the directory where there is none.
        path: PathBuf,
        /// What is missing or wrong.
        detail: String,
        /// Why a rebuild was needed at all.
        engine: String,
    },
    /// The file system refused.
    #[error("{verb} {path}; check that the directory exists, is writable and has space")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The base engine behind the journal failed in a way that is not damage.
    #[error("open base engine at {path}: {detail}")]
    Base {
        /// Its directory.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
}

impl OpenError {
    pub(crate) fn io(verb: &'static str, path: &Path, source: io::Error) -> OpenError {
        OpenError::Io {
            verb,
            path: path.to_owned(),
            source,
        }
    }
}
