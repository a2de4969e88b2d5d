//! The service's data directory: what lies where, who may open it, and what is remembered between starts.
//!
//! ```text
//! format      "coracle-storage 1", so that a newer layout is refused rather than damaged
//! lock        held while a server runs
//! handle.key  tags handles; mode 0600
//! starts      how often the server started: half of the write verifier
//! exports/    one directory per export, ordinary files for an administrator to read and add
//! removed/    deleted exports on their way out
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::{handles::KEY_BYTES, sys};

const FORMAT_NAME: &str = "coracle-storage";
const FORMAT_VERSION: u32 = 1;
/// The most that any of the small files here may hold.
const MAX_RECORD_BYTES: u64 = 4096;

/// Why a data directory cannot be used. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it open.
    #[error(
        "open data directory {0}: another storage process uses it; stop that one or choose another directory"
    )]
    InUse(PathBuf),
    /// A newer version made it.
    #[error(
        "open data directory {path}: its format is {found}, this version reads up to {known}; use a newer version"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// A file in it is not what the service wrote.
    #[error(
        "read {0}: it is damaged; restore it from a copy, or remove it: clients then have to mount again"
    )]
    Damaged(PathBuf),
    /// The system refused.
    #[error("{operation} {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}

/// An open data directory; the lock is held until it is dropped.
pub(crate) struct DataDir {
    /// The directory that holds all exports.
    pub exports: OwnedFd,
    /// The directory that deleted exports are moved to.
    pub removed: OwnedFd,
    /// The path of that directory.
    pub removed_path: PathBuf,
    /// The key that tags handles.
    pub key: [u8; KEY_BYTES],
    /// Which start this is; counts from one.
    pub start: u32,
    _lock: File,
}

impl DataDir {
    /// Opens or makes the data directory at `path`; `random` fills a new key.
    pub fn open(path: &Path, random: impl FnOnce(&mut [u8])) -> Result<Self, OpenError> {
        fs::create_dir_all(path).map_err(failed("make data directory", path))?;
        let lock = lock(path)?;
        check_format(path)?;
        let [exports_path, removed_path] = ["exports", "removed"].map(|name| path.join(name));
        for directory in [&exports_path, &removed_path] {
            fs::create_dir_all(directory).map_err(failed("make directory", directory))?;
        }
        let key = key(path, random)?;
        let start = count_start(path)?;
        let open =
            |path: &Path| sys::open_path(path).map_err(|errno| failed("open directory", path)(errno.into()));
        Ok(Self {
            exports: open(&exports_path)?,
            removed: open(&removed_path)?,
            removed_path,
            key,
            start,
            _lock: lock,
        })
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = path.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&lock_path);
    let lock = lock.map_err(failed("open lock file", &lock_path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(path.to_owned())),
        Err(errno) => Err(failed("lock", &lock_path)(errno.into())),
    }
}

fn check_format(directory: &Path) -> Result<(), OpenError> {
    let path = directory.join("format");
    let Some(bytes) = read(&path)? else {
        return write(
            directory,
            "format",
            format!("{FORMAT_NAME} {FORMAT_VERSION}\n").as_bytes(),
        );
    };
    let text = String::from_utf8_lossy(&bytes);
    let found = text
        .trim()
        .strip_prefix(FORMAT_NAME)
        .and_then(|rest| rest.trim().parse().ok());
    match found {
        Some(FORMAT_VERSION) => Ok(()),
        Some(found) if found > FORMAT_VERSION => Err(OpenError::Newer {
            path: directory.to_owned(),
            found,
            known: FORMAT_VERSION,
        }),
        _ => Err(OpenError::Damaged(path)),
    }
}

fn key(directory: &Path, random: impl FnOnce(&mut [u8])) -> Result<[u8; KEY_BYTES], OpenError> {
    let path = directory.join("handle.key");
    if let Some(bytes) = read(&path)? {
        return bytes.try_into().map_err(|_| OpenError::Damaged(path));
    }
    let mut key = [0; KEY_BYTES];
    random(&mut key);
    write(directory, "handle.key", &key)?;
    Ok(key)
}

/// Counts this start, on disk before anybody is served: two starts with one verifier would lose unstable data.
fn count_start(directory: &Path) -> Result<u32, OpenError> {
    let path = directory.join("starts");
    let before = match read(&path)? {
        None => 0,
        Some(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            text.trim().parse::<u32>().map_err(|_| OpenError::Damaged(path))?
        }
    };
    let start = before.wrapping_add(1);
    write(directory, "starts", format!("{start}\n").as_bytes())?;
    Ok(start)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_RECORD_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// Writes a small file whole or not at all: under another name, synced, then renamed, then the directory synced.
fn write(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), OpenError> {
    let (path, temporary) = (directory.join(name), directory.join(format!("{name}.new")));
    let written = (|| {
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(directory)?.sync_all()
    })();
    written.map_err(failed("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<DataDir, OpenError> {
        DataDir::open(path, |key| key.fill(5))
    }

    #[test]
    fn starts_are_counted_and_the_key_stays() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(open(directory.path()).unwrap().start, 1);
        let again = DataDir::open(directory.path(), |_| panic!("a key exists")).unwrap();
        assert_eq!((again.start, again.key), (2, [5; KEY_BYTES]));
    }

    #[test]
    fn a_second_server_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = open(directory.path()).unwrap();
        assert!(matches!(open(directory.path()), Err(OpenError::InUse(_))));
        drop(first);
        open(directory.path()).unwrap();
    }

    #[test]
    fn newer_and_damaged_directories_are_refused_untouched() {
        let directory = tempfile::tempdir().unwrap();
        drop(open(directory.path()).unwrap());
        for (file, text, newer) in [
            ("format", "coracle-storage 2\n", true),
            ("format", "something else", false),
            ("starts", "many", false),
            ("handle.key", "short", false),
        ] {
            let path = directory.path().join(file);
            let good = fs::read(&path).unwrap();
            fs::write(&path, text).unwrap();
            let outcome = open(directory.path()).err().unwrap();
            assert_eq!(
                matches!(outcome, OpenError::Newer { found: 2, .. }),
                newer,
                "{file}: {outcome}"
            );
            assert_eq!(
                matches!(outcome, OpenError::Damaged(_)),
                !newer,
                "{file}: {outcome}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            fs::write(&path, good).unwrap();
        }
        open(directory.path()).unwrap();
    }
}
