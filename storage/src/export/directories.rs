//! Operations on names: lookup, create, make directory, remove, rename.
//!
//! Changes hold the tree's lock, so that map and disk change together, and are on disk when they return: the
//! directory is synced after the lock is released and before the answer. A new file gets its attributes under a
//! reserved name and then, in one step, its own; a crash leaves the whole file or none.

use std::os::fd::OwnedFd;

use rustix::{fd::AsFd, io::Errno};

use super::{Export, files::stored_mode};
use crate::{
    Error,
    handles::FileId,
    name::{MAX_DEPTH, Name, STAGING},
    stability::VERIFIER_BYTES,
    sys::{self, Kind, Stat},
    tree::Tree,
};

/// How often a new file that looks like a removed one is made again.
const MAX_REMAKES: usize = 64;

/// What create does where the name is taken (RFC 1813, 3.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// Return the existing file.
    Unchecked,
    /// Fail.
    Guarded,
    /// Fail unless the file was made with the same verifier.
    Exclusive([u8; VERIFIER_BYTES]),
}

/// Where a file keeps the verifier it was made with: in its access time, which is not otherwise told to clients, and
/// which changes only once somebody reads the file. 31 bits of seconds and 29 bits of nanoseconds fit every file system.
fn access_time(verifier: [u8; VERIFIER_BYTES]) -> (i64, i64) {
    let bits = u64::from_be_bytes(verifier);
    let seconds = (bits >> 32) & 0x7fff_ffff;
    let nanoseconds = bits & 0x1fff_ffff;
    (seconds.cast_signed(), nanoseconds.cast_signed())
}

impl Export {
    /// The file called `name` in `directory`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotRegular`] for what an administrator put there and is neither file nor
    /// directory; [`Error::NotDirectory`], [`Error::Stale`], [`Error::Io`].
    pub(crate) fn lookup(&self, directory: FileId, name: &Name) -> Result<Stat, Error> {
        let opened = self.open_directory(directory)?;
        let stat = self
            .entry(&opened, name.as_str())?
            .ok_or_else(|| Error::NotFound(name.to_string()))?;
        if stat.kind == Kind::Other {
            return Err(Error::NotRegular(name.to_string()));
        }
        self.remember(&stat, &opened, directory, name.as_str())?;
        Ok(stat)
    }

    /// Takes note of where a file lies that was just seen there.
    pub(super) fn remember(
        &self,
        stat: &Stat,
        opened: &OwnedFd,
        directory: FileId,
        name: &str,
    ) -> Result<(), Error> {
        if self.tree()?.lies_at(stat.id, directory, name) {
            return Ok(());
        }
        let mut tree = self.tree_mut()?;
        // It may have been moved or removed since it was seen.
        match self.entry(opened, name)? {
            Some(now) if now.id == stat.id => tree.place(stat.id, directory, name),
            _ => Ok(()),
        }
    }

    /// Makes a file. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Exists`] as `mode` says; [`Error::IsDirectory`]; the limits; [`Error::Stale`], [`Error::Io`].
    pub(crate) fn create(
        &self,
        directory: FileId,
        name: &Name,
        mode: CreateMode,
        permissions: u32,
    ) -> Result<Stat, Error> {
        let permissions = stored_mode(permissions, Kind::Regular)?;
        let mut tree = self.tree_mut()?;
        let opened = self.open_directory_in(&mut tree, directory)?;
        let (file, stat) = match self.entry(&opened, name.as_str())? {
            Some(found) => {
                let found = accept_existing(&found, name, mode)?;
                tree.place(found.id, directory, name.as_str())?;
                // The request that made it may have been cut off before its sync.
                let file = sys::open_file(&opened, name.as_str(), false);
                (
                    file.map_err(|errno| Error::from_errno("open file", errno))?,
                    found,
                )
            }
            None => self.make(&mut tree, &opened, directory, name, |directory| {
                let file = sys::make_file(directory, STAGING)?;
                sys::set_mode(&file, permissions)?;
                if let CreateMode::Exclusive(verifier) = mode {
                    sys::set_accessed(&file, access_time(verifier))?;
                }
                Ok(file)
            })?,
        };
        drop(tree);
        self.stability.sync_all(&file)?;
        self.stability.sync_all(&opened)?;
        Ok(stat)
    }

    /// Makes a directory. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Exists`]; the limits; [`Error::NotDirectory`], [`Error::Stale`], [`Error::Io`].
    pub(crate) fn make_directory(
        &self,
        parent: FileId,
        name: &Name,
        permissions: u32,
    ) -> Result<Stat, Error> {
        let permissions = stored_mode(permissions, Kind::Directory)?;
        let mut tree = self.tree_mut()?;
        let opened = self.open_directory_in(&mut tree, parent)?;
        if self.entry(&opened, name.as_str())?.is_some() {
            return Err(Error::Exists(name.to_string()));
        }
        if tree.path(parent).is_none_or(|path| path.len() + 1 >= MAX_DEPTH) {
            return Err(Error::InvalidArgument("directories lie at most 64 deep"));
        }
        let (made, stat) = self.make(&mut tree, &opened, parent, name, |directory| {
            sys::make_directory(directory.as_fd(), STAGING)?;
            let made = sys::open_directory(directory, STAGING)?;
            sys::set_mode(&made, permissions)?;
            Ok(made)
        })?;
        drop(tree);
        self.stability.sync_all(&made)?;
        self.stability.sync_all(&opened)?;
        Ok(stat)
    }

    /// Stages a file or directory by `stage`, then gives it its name on disk and in the map.
    fn make(
        &self,
        tree: &mut Tree,
        directory: &OwnedFd,
        directory_id: FileId,
        name: &Name,
        stage: impl Fn(&OwnedFd) -> rustix::io::Result<OwnedFd>,
    ) -> Result<(OwnedFd, Stat), Error> {
        let limit = self.limits.files_per_export;
        if self.usage.lock().files >= limit {
            return Err(Error::TooMany { limit });
        }
        let made = stage_new(tree, directory, stage).and_then(|file| {
            sys::rename_new(directory, STAGING, name.as_str())?;
            let stat = sys::stat(&file)?;
            Ok((file, stat))
        });
        let (file, stat) = match made {
            Ok(made) => made,
            Err(errno) => {
                unstage(directory);
                return Err(match errno {
                    Errno::EXIST => Error::Exists(name.to_string()),
                    other => Error::from_errno("make file", other),
                });
            }
        };
        self.usage.lock().files += 1;
        tree.revive(stat.id);
        tree.place(stat.id, directory_id, name.as_str())?;
        Ok((file, stat))
    }

    /// Removes a file, or an empty directory. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotEmpty`]; [`Error::IsDirectory`] and [`Error::NotDirectory`] where the kind is
    /// not the one asked for; [`Error::Stale`], [`Error::Io`].
    pub(crate) fn remove(&self, directory: FileId, name: &Name, is_directory: bool) -> Result<(), Error> {
        let mut tree = self.tree_mut()?;
        let opened = self.open_directory_in(&mut tree, directory)?;
        let stat = self
            .entry(&opened, name.as_str())?
            .ok_or_else(|| Error::NotFound(name.to_string()))?;
        let removed = match (is_directory, stat.kind) {
            (true, Kind::Directory) => sys::remove_directory(&opened, name.as_str()),
            (true, _) => return Err(Error::NotDirectory),
            (false, Kind::Directory) => return Err(Error::IsDirectory),
            (false, _) => sys::unlink(&opened, name.as_str()),
        };
        removed.map_err(|errno| match errno {
            Errno::NOTEMPTY | Errno::EXIST => Error::NotEmpty,
            other => Error::from_errno("remove file", other),
        })?;
        self.unlinked(&mut tree, &stat);
        drop(tree);
        self.stability.sync_all(&opened)
    }

    /// Takes note that `stat` has lost a name. A write under way at this moment may leave its growth counted, until
    /// the next scan.
    fn unlinked(&self, tree: &mut Tree, stat: &Stat) {
        let mut usage = self.usage.lock();
        usage.files = usage.files.saturating_sub(1);
        if stat.kind != Kind::Directory && stat.links > 1 {
            return tree.forget(stat.id);
        }
        if stat.kind == Kind::Regular {
            usage.bytes = usage.bytes.saturating_sub(stat.size);
        }
        tree.mark_gone(stat.id);
        self.stability.release(self.handle(stat.id));
    }

    /// Renames in one step, replacing a file or an empty directory of the new name. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::IsDirectory`], [`Error::NotDirectory`] and [`Error::NotEmpty`] where the target
    /// cannot be replaced; [`Error::InvalidArgument`] for a directory into itself; [`Error::Stale`], [`Error::Io`].
    pub(crate) fn rename(
        &self,
        from: FileId,
        from_name: &Name,
        to: FileId,
        to_name: &Name,
    ) -> Result<(), Error> {
        let mut tree = self.tree_mut()?;
        let source = self.open_directory_in(&mut tree, from)?;
        let target = self.open_directory_in(&mut tree, to)?;
        let moved = self
            .entry(&source, from_name.as_str())?
            .ok_or_else(|| Error::NotFound(from_name.to_string()))?;
        let replaced = self.entry(&target, to_name.as_str())?;
        if replaced.is_some_and(|replaced| replaced.id == moved.id) {
            return Ok(());
        }
        check_replace(&moved, replaced.as_ref(), from_name)?;
        if moved.kind == Kind::Directory && from != to {
            let depth = tree.path(to).map_or(MAX_DEPTH, |path| path.len());
            if depth + 1 + tree.height(moved.id) >= MAX_DEPTH {
                return Err(Error::InvalidArgument("directories lie at most 64 deep"));
            }
        }
        sys::rename(&source, from_name.as_str(), &target, to_name.as_str()).map_err(|errno| match errno {
            Errno::NOTEMPTY | Errno::EXIST => Error::NotEmpty,
            Errno::INVAL => Error::InvalidArgument("a directory cannot be moved into itself"),
            other => Error::from_errno("rename file", other),
        })?;
        if let Some(replaced) = &replaced {
            self.unlinked(&mut tree, replaced);
        }
        tree.place(moved.id, to, to_name.as_str())?;
        drop(tree);
        // The new name first: a crash in between may show the file twice, never not at all.
        self.stability.sync_all(&target)?;
        if from == to {
            Ok(())
        } else {
            self.stability.sync_all(&source)
        }
    }
}

fn accept_existing(found: &Stat, name: &Name, mode: CreateMode) -> Result<Stat, Error> {
    match (found.kind, mode) {
        (_, CreateMode::Guarded) => Err(Error::Exists(name.to_string())),
        (Kind::Regular, CreateMode::Unchecked) => Ok(*found),
        (Kind::Regular, CreateMode::Exclusive(verifier)) if found.accessed == access_time(verifier) => {
            Ok(*found)
        }
        (_, CreateMode::Exclusive(_)) => Err(Error::Exists(name.to_string())),
        (Kind::Directory, CreateMode::Unchecked) => Err(Error::IsDirectory),
        (Kind::Other, CreateMode::Unchecked) => Err(Error::NotRegular(name.to_string())),
    }
}

fn check_replace(moved: &Stat, replaced: Option<&Stat>, from_name: &Name) -> Result<(), Error> {
    if moved.kind == Kind::Other {
        return Err(Error::NotRegular(from_name.to_string()));
    }
    match replaced.map(|replaced| replaced.kind == Kind::Directory) {
        Some(true) if moved.kind != Kind::Directory => Err(Error::IsDirectory),
        Some(false) if moved.kind == Kind::Directory => Err(Error::NotDirectory),
        _ => Ok(()),
    }
}

/// Stages a file that cannot be taken for a removed one.
///
/// The time of birth is as coarse as the kernel's tick, so an inode number that is freed and used again within one
/// tick would revive handles of the removed file. Such a file is kept open, which keeps its number taken, while
/// another is made.
fn stage_new(
    tree: &Tree,
    directory: &OwnedFd,
    stage: impl Fn(&OwnedFd) -> rustix::io::Result<OwnedFd>,
) -> rustix::io::Result<OwnedFd> {
    let mut refused = Vec::new();
    loop {
        let file = stage(directory)?;
        if !tree.is_gone(sys::stat(&file)?.id) {
            return Ok(file);
        }
        // Only a disk that keeps no times of birth can coincide so often. There a number's next file is taken for
        // new, and old handles for its own.
        if refused.len() == MAX_REMAKES {
            return Ok(file);
        }
        unstage(directory);
        refused.push(file);
    }
}

fn unstage(directory: &OwnedFd) {
    super::sweep(directory.as_fd(), STAGING);
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use super::*;

    /// The real coincidence needs a disk that frees and hands out a number within a tick, so the old file itself
    /// plays the part of the new one that looks like it.
    #[test]
    fn a_file_that_looks_like_a_removed_one_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let (old, staging) = (directory.path().join("old"), directory.path().join(STAGING));
        fs::write(&old, "").unwrap();
        let opened = sys::open_path(directory.path()).unwrap();
        let removed = sys::stat_at(&opened, "old").unwrap().id;
        let mut tree = Tree::new(sys::stat(&opened).unwrap().id, 10);
        tree.mark_gone(removed);
        let coincidences = Cell::new(0);
        let stage = |most: usize| {
            stage_new(&tree, &opened, |directory| {
                if coincidences.replace(coincidences.get() + 1) < most {
                    fs::hard_link(&old, &staging).unwrap();
                    return sys::open_file(directory, STAGING, true);
                }
                sys::make_file(directory, STAGING)
            })
        };
        let made = stage(3).unwrap();
        assert_ne!(sys::stat(&made).unwrap().id, removed);
        assert_eq!(coincidences.replace(0), 4);
        fs::remove_file(&staging).unwrap();
        assert_eq!(
            sys::stat(stage(usize::MAX).unwrap()).unwrap().id,
            removed,
            "it gives in at last"
        );
        assert_eq!(coincidences.get(), MAX_REMAKES + 1);
    }
}
