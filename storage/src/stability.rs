//! What is written and not yet known to be on disk, and the verifier that tells clients when to write it again.
//!
//! The contract is RFC 1813's, sections 3.3.7 and 3.3.21: unstable data may be lost until a commit answers with the
//! verifier that the write answered with. The verifier therefore changes with each start, and within a start each
//! time a sync fails: after a failed sync the kernel takes the lost pages for clean, so that only the client still
//! has the data.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    Error,
    handles::{FileId, Handle},
    sys,
};

/// Files with unstable data that are kept open. One more makes the longest kept be synced first.
const MAX_OPEN: usize = 256;

/// The length of a write verifier.
pub const VERIFIER_BYTES: usize = 8;

/// The write verifier, and the files with unstable data.
///
/// They stay open until they are synced: were the last descriptor closed, the kernel could evict the inode and with
/// it the memory of a failed write-back.
pub(crate) struct Stability {
    start: u32,
    failures: AtomicU32,
    open: Mutex<VecDeque<(Handle, Arc<OwnedFd>)>>,
    /// What was synced, in order, so that tests can tell what an answer promised from what it did.
    #[cfg(test)]
    synced: Mutex<Vec<FileId>>,
}

impl Stability {
    /// For the server's `start`th start in its data directory.
    pub fn new(start: u32) -> Self {
        Self {
            start,
            failures: AtomicU32::new(0),
            open: Mutex::new(VecDeque::new()),
            #[cfg(test)]
            synced: Mutex::new(Vec::new()),
        }
    }

    /// The present verifier. A write reads it before it touches the file, a commit after it has synced, so that a
    /// sync that fails in between shows.
    pub fn verifier(&self) -> [u8; VERIFIER_BYTES] {
        let value = (u64::from(self.start) << 32) | u64::from(self.failures.load(Ordering::SeqCst));
        value.to_be_bytes()
    }

    /// Keeps a file with unstable data open.
    pub fn hold(&self, handle: Handle, file: OwnedFd) {
        let evicted = {
            let mut open = self.open.lock();
            if open.iter().any(|(held, _)| *held == handle) {
                return;
            }
            open.push_back((handle, Arc::new(file)));
            if open.len() > MAX_OPEN {
                open.pop_front()
            } else {
                None
            }
        };
        // The verifier tells the file's writers of a failure; it is not the caller's.
        if let Some((_, file)) = evicted
            && let Err(error) = self.sync_all(&file)
        {
            tracing::error!(%error, "unstable data is lost; clients will send it again");
        }
    }

    /// The open file of `handle`, where it has unstable data.
    pub fn held(&self, handle: Handle) -> Option<Arc<OwnedFd>> {
        self.open
            .lock()
            .iter()
            .find(|(held, _)| *held == handle)
            .map(|(_, file)| Arc::clone(file))
    }

    /// Closes the file: it is synced, or gone.
    pub fn release(&self, handle: Handle) {
        self.open.lock().retain(|(held, _)| *held != handle);
    }

    /// Closes all files of an export that is gone.
    pub fn release_export(&self, export: FileId) {
        self.open.lock().retain(|(held, _)| held.export != export);
    }

    /// Puts data and attributes on disk.
    pub fn sync_all(&self, file: &OwnedFd) -> Result<(), Error> {
        self.note(file);
        sys::sync_all(file).map_err(|errno| self.failed(errno))
    }

    /// Puts data on disk.
    pub fn sync_data(&self, file: &OwnedFd) -> Result<(), Error> {
        self.note(file);
        sys::sync_data(file).map_err(|errno| self.failed(errno))
    }

    #[cfg(not(test))]
    fn note(&self, _file: &OwnedFd) {}

    #[cfg(test)]
    fn note(&self, file: &OwnedFd) {
        self.synced.lock().extend(sys::stat(file).map(|stat| stat.id));
    }

    /// What was synced since this was last asked.
    #[cfg(test)]
    pub fn take_synced(&self) -> Vec<FileId> {
        std::mem::take(&mut *self.synced.lock())
    }

    fn failed(&self, errno: rustix::io::Errno) -> Error {
        self.failures.fetch_add(1, Ordering::SeqCst);
        Error::from_errno("sync file", errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(inode: u64) -> Handle {
        let id = FileId { inode, birth_ns: 0 };
        Handle { export: id, file: id }
    }

    #[test]
    fn starts_and_failed_syncs_change_the_verifier() {
        let stability = Stability::new(3);
        let before = stability.verifier();
        assert_ne!(before, Stability::new(4).verifier());
        // A pipe cannot be synced, which stands in for a disk that fails.
        let (reader, _writer) = std::io::pipe().unwrap();
        assert!(stability.sync_all(&reader.into()).is_err());
        assert_ne!(stability.verifier(), before);
    }

    #[test]
    fn files_kept_open_are_bounded() {
        let stability = Stability::new(1);
        for inode in 0..=MAX_OPEN as u64 {
            stability.hold(handle(inode), tempfile::tempfile().unwrap().into());
        }
        assert_eq!(stability.open.lock().len(), MAX_OPEN);
        assert!(stability.held(handle(0)).is_none() && stability.held(handle(1)).is_some());
        stability.release(handle(1));
        assert!(stability.held(handle(1)).is_none());
    }
}
