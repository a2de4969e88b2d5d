//! The system calls, each relative to an open directory and none following a link.
//!
//! The only module that knows what differs between platforms: where the time of an inode's birth is found. Everything
//! here blocks and reports plain error numbers; what they mean is the caller's to say.

use std::{os::fd::OwnedFd, path::Path};

use rustix::{
    fd::AsFd,
    fs::{self, AtFlags, Dir, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT},
    io::{self, Errno},
};

use crate::handles::FileId;

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Directory,
    /// A link, socket, pipe or device.
    Other,
}

/// What the service needs to know of an inode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub id: FileId,
    pub kind: Kind,
    /// Permission bits alone.
    pub mode: u32,
    pub size: u64,
    pub links: u32,
    pub modified_ns: i64,
    pub changed_ns: i64,
    /// Seconds and nanoseconds.
    pub accessed: (i64, i64),
    pub device: (u32, u32),
}

/// Opens a directory by its path, following links: for the administrator's own configuration only.
pub(crate) fn open_path(path: &Path) -> io::Result<OwnedFd> {
    fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

pub(crate) fn open_directory(directory: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::empty())
}

/// Opens a file. Non-blocking, so that a pipe which an administrator put there cannot hold the caller; the caller
/// then checks what it got.
pub(crate) fn open_file(directory: impl AsFd, name: &str, write: bool) -> io::Result<OwnedFd> {
    let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::empty())
}

/// Makes a file that does not exist yet.
pub(crate) fn make_file(directory: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)
}

pub(crate) fn make_directory(directory: impl AsFd, name: &str) -> io::Result<()> {
    fs::mkdirat(directory, name, Mode::RWXU)
}

pub(crate) fn set_mode(file: impl AsFd, mode: u32) -> io::Result<()> {
    fs::fchmod(file, Mode::from_raw_mode(mode))
}

pub(crate) fn set_accessed(file: impl AsFd, (seconds, nanoseconds): (i64, i64)) -> io::Result<()> {
    let last_access = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let last_modification = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    fs::futimens(
        file,
        &Timestamps {
            last_access,
            last_modification,
        },
    )
}

pub(crate) fn truncate(file: impl AsFd, size: u64) -> io::Result<()> {
    fs::ftruncate(file, size)
}

/// Data and attributes, on disk.
pub(crate) fn sync_all(file: impl AsFd) -> io::Result<()> {
    fs::fsync(file)
}

/// Data and the attributes without which it cannot be read, on disk.
pub(crate) fn sync_data(file: impl AsFd) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    return fs::fsync(file);
    #[cfg(not(target_vendor = "apple"))]
    fs::fdatasync(file)
}

/// Reads until `buffer` is full or the file ends; returns how much was read.
pub(crate) fn read_at(file: impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match io::pread(file.as_fd(), rest, offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes all of `data`, or fails having written some of it.
pub(crate) fn write_at(file: impl AsFd, data: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
        match io::pwrite(file.as_fd(), rest, offset + done as u64) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) fn unlink(directory: impl AsFd, name: &str) -> io::Result<()> {
    fs::unlinkat(directory, name, AtFlags::empty())
}

pub(crate) fn remove_directory(directory: impl AsFd, name: &str) -> io::Result<()> {
    fs::unlinkat(directory, name, AtFlags::REMOVEDIR)
}

pub(crate) fn rename(from: impl AsFd, from_name: &str, to: impl AsFd, to_name: &str) -> io::Result<()> {
    fs::renameat(from, from_name, to, to_name)
}

/// Renames within `directory` unless the target exists. The caller has just seen that it does not, so where a file
/// system cannot promise it, the plain rename can only race with an administrator's hand.
pub(crate) fn rename_new(directory: impl AsFd, from: &str, to: &str) -> io::Result<()> {
    let directory = directory.as_fd();
    match fs::renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => fs::renameat(directory, from, directory, to),
        outcome => outcome,
    }
}

/// Calls `visit` with the name of each entry until it returns false.
pub(crate) fn for_each_entry(directory: impl AsFd, mut visit: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut entries = Dir::read_from(directory)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !visit(name) {
            break;
        }
    }
    Ok(())
}

/// Nanoseconds since 1970, saturating far outside any time that a disk holds.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

fn kind(mode: u32) -> Kind {
    match fs::FileType::from_raw_mode(mode) {
        fs::FileType::RegularFile => Kind::Regular,
        fs::FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    }
}

#[cfg(target_os = "linux")]
mod stat {
    use rustix::fs::{Statx, StatxFlags, StatxTimestamp, statx};

    use super::{AsFd, AtFlags, FileId, Stat, io, kind, nanoseconds};

    const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

    /// The inode that `file` is open on.
    pub(crate) fn stat(file: impl AsFd) -> io::Result<Stat> {
        Ok(convert(&statx(file, "", AtFlags::EMPTY_PATH, WANTED)?))
    }

    /// The inode of that name in `directory`; of a link, the link's own.
    pub(crate) fn stat_at(directory: impl AsFd, name: &str) -> io::Result<Stat> {
        Ok(convert(&statx(
            directory,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
            WANTED,
        )?))
    }

    fn convert(found: &Statx) -> Stat {
        let time = |t: &StatxTimestamp| nanoseconds(t.tv_sec, i64::from(t.tv_nsec));
        let born = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        let mode = u32::from(found.stx_mode);
        Stat {
            id: FileId {
                inode: found.stx_ino,
                birth_ns: if born { time(&found.stx_btime) } else { 0 },
            },
            kind: kind(mode),
            mode: mode & 0o7777,
            size: found.stx_size,
            links: found.stx_nlink,
            modified_ns: time(&found.stx_mtime),
            changed_ns: time(&found.stx_ctime),
            accessed: (found.stx_atime.tv_sec, i64::from(found.stx_atime.tv_nsec)),
            device: (found.stx_dev_major, found.stx_dev_minor),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod stat {
    use super::{AsFd, AtFlags, FileId, Stat, fs, io, kind, nanoseconds};

    /// The inode that `file` is open on.
    pub(crate) fn stat(file: impl AsFd) -> io::Result<Stat> {
        Ok(convert(&fs::fstat(file)?))
    }

    /// The inode of that name in `directory`; of a link, the link's own.
    pub(crate) fn stat_at(directory: impl AsFd, name: &str) -> io::Result<Stat> {
        Ok(convert(&fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    #[allow(
        clippy::unnecessary_cast,
        reason = "the widths of these fields differ between platforms"
    )]
    fn convert(found: &fs::Stat) -> Stat {
        Stat {
            id: FileId {
                inode: found.st_ino as u64,
                birth_ns: nanoseconds(found.st_birthtime as i64, found.st_birthtime_nsec as i64),
            },
            kind: kind(u32::from(found.st_mode)),
            mode: u32::from(found.st_mode) & 0o7777,
            size: found.st_size as u64,
            links: found.st_nlink as u32,
            modified_ns: nanoseconds(found.st_mtime as i64, found.st_mtime_nsec as i64),
            changed_ns: nanoseconds(found.st_ctime as i64, found.st_ctime_nsec as i64),
            accessed: (found.st_atime as i64, found.st_atime_nsec as i64),
            device: (found.st_dev as u32, 0),
        }
    }
}

pub(crate) use stat::{stat, stat_at};
