//! The file system as the journal and the checkpoints need it, so that a test can take its power away.
//!
//! Append-only files, and the exact calls that make things durable: `sync` for a file's bytes, `sync_dir` for
//! its name. Nothing here is durable unless one of them has returned.

mod real;
pub mod simulated;

use std::io;
use std::path::Path;

pub use real::RealFiles;
pub use simulated::{Fault, SimulatedFiles};

/// What the store does with files. The base engine behind the journal has files of its own and does not go
/// through here.
pub trait FileSystem: Send + Sync + 'static {
    /// Creates a directory and its parents, durably. Fine when it exists.
    fn create_dirs(&self, dir: &Path) -> io::Result<()>;
    /// Names of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates a file for appending, empty even when it existed.
    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;
    /// Opens a file for reading from its start.
    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>>;
    /// Cuts a file to a length, durably.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Renames a file over another. Durable after [`FileSystem::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable after [`FileSystem::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes an advisory lock, held until the guard is dropped; `None` when somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Option<LockGuard>>;
    /// Bytes that can still be written below a directory.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A file open for appending.
pub trait AppendFile: Send {
    /// Appends bytes. After an error, any prefix of them may be in the file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended durable. After an error nothing is known about it, and trying again proves
    /// nothing: the kernel may have dropped the pages.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file back to a length and makes that durable; the next append goes there.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// Releases its lock when dropped.
pub type LockGuard = Box<dyn Send + Sync>;

/// Whether an error says that there is no space, which may come back, unlike a failing disk.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Writes a whole file so that after a power cut either the old or the new one is there.
pub(crate) fn write_atomically(
    files: &dyn FileSystem,
    dir: &Path,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let temporary = dir.join(format!("{name}{TEMPORARY}"));
    let mut file = files.create(&temporary)?;
    file.append(bytes)?;
    file.sync()?;
    files.rename(&temporary, &dir.join(name))?;
    files.sync_dir(dir)
}

/// Suffix of files that are not finished; removed at open.
pub(crate) const TEMPORARY: &str = ".tmp";
