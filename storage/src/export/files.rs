//! Operations on one file: attributes, reading, writing, committing.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::Export;
use crate::{
    Error,
    handles::FileId,
    limits::MAX_IO_BYTES,
    stability::VERIFIER_BYTES,
    sys::{self, Kind, Stat},
};

/// Bits that a client may set: permissions, without set-user-id, set-group-id and sticky.
const PERMISSIONS: u32 = 0o777;
/// The service reads and writes every file as its owner, so these cannot be taken away.
const OWNER_FILE: u32 = 0o600;
const OWNER_DIRECTORY: u32 = 0o700;

/// How durable a write is when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteStability {
    /// It may be lost until a commit.
    Unstable,
    /// The data is on disk.
    DataSync,
    /// Data and attributes are on disk.
    FileSync,
}

/// What was read.
#[derive(Debug)]
pub struct ReadOutcome {
    /// Shorter than asked for only at the end of the file.
    pub data: Vec<u8>,
    /// Whether the file ends where the data ends.
    pub eof: bool,
    pub(crate) stat: Stat,
}

/// How a write went.
#[derive(Debug)]
pub struct WriteOutcome {
    /// To be compared with the commit's.
    pub verifier: [u8; VERIFIER_BYTES],
    pub(crate) stat: Stat,
}

/// The bits stored for the permissions that a client asks for.
pub(super) fn stored_mode(permissions: u32, kind: Kind) -> Result<u32, Error> {
    if permissions & !PERMISSIONS != 0 {
        return Err(Error::InvalidArgument("permissions are at most 0777"));
    }
    Ok(permissions
        | if kind == Kind::Directory {
            OWNER_DIRECTORY
        } else {
            OWNER_FILE
        })
}

impl Export {
    /// What a file is now.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Io`].
    pub(crate) fn attributes(&self, file: FileId) -> Result<Stat, Error> {
        self.stat(file)
    }

    /// Sets permissions, and cuts or extends with zeros. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::IsDirectory`] for the size of a directory; the limits; [`Error::Stale`], [`Error::Io`].
    pub(crate) fn set_attributes(
        &self,
        file: FileId,
        mode: Option<u32>,
        size: Option<u64>,
    ) -> Result<Stat, Error> {
        let _stripe = self.stripe(file);
        let kind = self.stat(file)?.kind;
        let opened = match (kind, size) {
            (Kind::Directory, Some(_)) => return Err(Error::IsDirectory),
            (Kind::Directory, None) => self.open_directory(file)?,
            (Kind::Regular | Kind::Other, _) => self.open_file(file, true)?.0,
        };
        let mode = mode.map(|mode| stored_mode(mode, kind)).transpose()?;
        if let Some(size) = size {
            self.resize(&opened, size)?;
        }
        if let Some(mode) = mode {
            sys::set_mode(&opened, mode).map_err(|errno| Error::from_errno("set permissions", errno))?;
        }
        self.stability.sync_all(&opened)?;
        sys::stat(&opened).map_err(|errno| Error::from_errno("stat file", errno))
    }

    fn resize(&self, file: &OwnedFd, size: u64) -> Result<(), Error> {
        self.check_length(size)?;
        let before = sys::stat(file)
            .map_err(|errno| Error::from_errno("stat file", errno))?
            .size;
        self.charge(size.saturating_sub(before))?;
        if let Err(errno) = sys::truncate(file, size) {
            self.refund(size.saturating_sub(before));
            return Err(Error::from_errno("set size", errno));
        }
        self.refund(before.saturating_sub(size));
        Ok(())
    }

    /// Reads up to `count` bytes, at most [`MAX_IO_BYTES`], from `offset`.
    ///
    /// # Errors
    /// [`Error::IsDirectory`], [`Error::Stale`], [`Error::Io`].
    pub(crate) fn read(&self, file: FileId, offset: u64, count: usize) -> Result<ReadOutcome, Error> {
        let (opened, before) = self.open_file(file, false)?;
        // Beyond the end there is nothing, and the kernel's offsets are signed.
        let available = usize::try_from(before.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut data = vec![0; count.min(MAX_IO_BYTES).min(available)];
        let read = sys::read_at(&opened, &mut data, offset)
            .map_err(|errno| Error::from_errno("read file", errno))?;
        data.truncate(read);
        let stat = sys::stat(&opened).map_err(|errno| Error::from_errno("stat file", errno))?;
        Ok(ReadOutcome {
            eof: offset.saturating_add(read as u64) >= stat.size,
            data,
            stat,
        })
    }

    /// Writes all of `data` at `offset`, at least as durable as `stability` says.
    ///
    /// # Errors
    /// The limits, [`Error::NoSpace`], [`Error::IsDirectory`], [`Error::Stale`], [`Error::Io`]. After a failure the
    /// file has its old length; what was overwritten may be old or new.
    pub(crate) fn write(
        &self,
        file: FileId,
        offset: u64,
        data: &[u8],
        stability: WriteStability,
    ) -> Result<WriteOutcome, Error> {
        if data.len() > MAX_IO_BYTES {
            return Err(Error::InvalidArgument("a write carries at most 1 MiB"));
        }
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(Error::InvalidArgument("the offset is too large"))?;
        self.check_length(end)?;
        let _stripe = self.stripe(file);
        let (opened, before) = self.open_file(file, true)?;
        let verifier = self.stability.verifier();
        let growth = if data.is_empty() {
            0
        } else {
            end.saturating_sub(before.size)
        };
        self.charge(growth)?;
        if let Err(errno) = sys::write_at(&opened, data, offset) {
            self.refund(growth);
            // Should this fail too, the next scan counts what is there.
            let _ = sys::truncate(&opened, before.size);
            return Err(write_error(errno, self.limits.file_bytes));
        }
        match stability {
            WriteStability::Unstable => {}
            WriteStability::DataSync => self.stability.sync_data(&opened)?,
            WriteStability::FileSync => self.stability.sync_all(&opened)?,
        }
        let stat = sys::stat(&opened).map_err(|errno| Error::from_errno("stat file", errno))?;
        if stability == WriteStability::Unstable {
            self.stability.hold(self.handle(file), opened);
        }
        Ok(WriteOutcome { verifier, stat })
    }

    /// Puts what was written to a file, or the names of a directory, on disk.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Io`]. After a failure the verifier is another one.
    pub(crate) fn commit(&self, file: FileId) -> Result<WriteOutcome, Error> {
        let _stripe = self.stripe(file);
        let handle = self.handle(file);
        let stat = self.stat(file)?;
        if stat.kind == Kind::Directory {
            self.stability.sync_all(&self.open_directory(file)?)?;
        } else if let Some(held) = self.stability.held(handle) {
            self.stability.sync_all(&held)?;
            self.stability.release(handle);
        } else {
            self.stability.sync_all(&self.open_file(file, false)?.0)?;
        }
        Ok(WriteOutcome {
            verifier: self.stability.verifier(),
            stat,
        })
    }

    fn check_length(&self, length: u64) -> Result<(), Error> {
        let limit_bytes = self.limits.file_bytes;
        if length > limit_bytes {
            Err(Error::FileTooLarge { limit_bytes })
        } else {
            Ok(())
        }
    }

    fn charge(&self, growth: u64) -> Result<(), Error> {
        let mut usage = self.usage.lock();
        let limit_bytes = self.limits.bytes_per_export;
        let after = usage.bytes.saturating_add(growth);
        if growth > 0 && after > limit_bytes {
            return Err(Error::QuotaExceeded { limit_bytes });
        }
        usage.bytes = after;
        Ok(())
    }

    pub(super) fn refund(&self, bytes: u64) {
        let mut usage = self.usage.lock();
        usage.bytes = usage.bytes.saturating_sub(bytes);
    }
}

fn write_error(errno: Errno, limit_bytes: u64) -> Error {
    match errno {
        Errno::FBIG => Error::FileTooLarge { limit_bytes },
        other => Error::from_errno("write file", other),
    }
}
