//! One export: a directory tree on the server's disk, reached by identity rather than by path.
//!
//! Promises: whatever it opens lies inside the export, on the same device, is no link, and is the very file that was
//! asked for. Operations on what it finds are in [`files`], [`directories`] and [`listing`].
//!
//! Locks: the tree's lock is held while walking to a file, exclusively while changing names; a file's stripe is held
//! while its length or data change. A stripe is taken before the tree, never after.

mod directories;
mod files;
mod listing;

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use rustix::{fd::AsFd, io::Errno};

use crate::{
    Error,
    handles::{FileId, Handle},
    limits::Limits,
    name::{MAX_DEPTH, Name, RESERVED_PREFIX, STAGING},
    stability::Stability,
    sys::{self, Kind, Stat},
    tree::{Tree, Usage},
};

pub use directories::CreateMode;
pub use files::WriteStability;

/// Locks that files share by inode.
const STRIPES: usize = 64;

/// One export, open for operations.
pub struct Export {
    name: Name,
    id: FileId,
    device: (u32, u32),
    /// The directory that holds all exports.
    parent: Arc<OwnedFd>,
    limits: Limits,
    stability: Arc<Stability>,
    tree: RwLock<Tree>,
    usage: Mutex<Usage>,
    stripes: [Mutex<()>; STRIPES],
}

/// A file's directory, open, and its name there; without a name it is the export's root.
struct Location {
    directory: OwnedFd,
    name: Option<Box<str>>,
}

impl Export {
    /// The export that is the directory `name` in `parent`, as found by `root`. Its files are scanned at first use.
    pub(crate) fn new(
        name: Name,
        root: &Stat,
        parent: Arc<OwnedFd>,
        limits: Limits,
        stability: Arc<Stability>,
    ) -> Self {
        Self {
            name,
            id: root.id,
            device: root.device,
            parent,
            limits,
            stability,
            tree: RwLock::new(Tree::new(root.id, limits.files_per_export)),
            usage: Mutex::new(Usage::default()),
            stripes: [const { Mutex::new(()) }; STRIPES],
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The identity of its root, which is the export's own.
    #[must_use]
    pub fn id(&self) -> FileId {
        self.id
    }

    /// What it holds, as counted against its limits.
    ///
    /// # Errors
    /// Those of the first scan.
    #[cfg(test)]
    pub(crate) fn usage(&self) -> Result<Usage, Error> {
        drop(self.tree()?);
        Ok(*self.usage.lock())
    }

    #[cfg(test)]
    pub(crate) fn scans(&self) -> u64 {
        self.tree.read().scans
    }

    fn handle(&self, file: FileId) -> Handle {
        Handle {
            export: self.id,
            file,
        }
    }

    fn stripe(&self, file: FileId) -> MutexGuard<'_, ()> {
        let index = usize::try_from(file.inode % STRIPES as u64).unwrap_or(0);
        self.stripes[index].lock()
    }

    /// The map of the export, scanned, to read.
    fn tree(&self) -> Result<RwLockReadGuard<'_, Tree>, Error> {
        let tree = self.tree.read();
        if tree.scans > 0 {
            return Ok(tree);
        }
        drop(tree);
        Ok(RwLockWriteGuard::downgrade(self.tree_mut()?))
    }

    /// The map of the export, scanned, to change together with the names on disk.
    fn tree_mut(&self) -> Result<RwLockWriteGuard<'_, Tree>, Error> {
        let mut tree = self.tree.write();
        if tree.scans == 0 {
            self.scan(&mut tree)?;
        }
        Ok(tree)
    }

    /// Finds `file` and lets `act` use its location. Where the map does not lead to it, the export is scanned once.
    ///
    /// `act` returns none where it finds another file there.
    fn locate<T>(
        &self,
        file: FileId,
        mut act: impl FnMut(&Location) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let seen = {
            let tree = self.tree()?;
            if let Some(found) = self.follow(&tree, file, &mut act)? {
                return Ok(found);
            }
            tree.scans
        };
        let mut tree = self.tree_mut()?;
        self.locate_in(&mut tree, seen, file, act)
    }

    /// The same under a lock that the caller holds; `seen` is the last scan that did not lead to the file.
    fn locate_in<T>(
        &self,
        tree: &mut Tree,
        seen: u64,
        file: FileId,
        mut act: impl FnMut(&Location) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        if let Some(found) = self.follow(tree, file, &mut act)? {
            return Ok(found);
        }
        // Those who waited for this lock together are served by the scan of the first.
        if tree.scans == seen {
            self.scan(tree)?;
            if let Some(found) = self.follow(tree, file, &mut act)? {
                return Ok(found);
            }
        }
        if tree.complete {
            tree.mark_gone(file);
        }
        Err(Error::Stale)
    }

    fn follow<T>(
        &self,
        tree: &Tree,
        file: FileId,
        act: &mut impl FnMut(&Location) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        if tree.is_gone(file) {
            return Err(Error::Stale);
        }
        match self.walk(tree, file)? {
            Some(location) => act(&location),
            None => Ok(None),
        }
    }

    /// Opens the directory that the map says `file` lies in.
    fn walk(&self, tree: &Tree, file: FileId) -> Result<Option<Location>, Error> {
        let Some(path) = tree.path(file) else {
            return Ok(None);
        };
        let mut directory = self.open_root()?;
        let Some((last, ancestors)) = path.split_last() else {
            return Ok((file == self.id).then_some(Location {
                directory,
                name: None,
            }));
        };
        for name in ancestors {
            directory = match sys::open_directory(&directory, name) {
                Ok(next) => next,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(Error::from_errno("open directory", errno)),
            };
        }
        Ok(Some(Location {
            directory,
            name: Some((*last).into()),
        }))
    }

    fn open_root(&self) -> Result<OwnedFd, Error> {
        let root = match sys::open_directory(&*self.parent, self.name.as_str()) {
            Ok(root) => root,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(Error::Stale),
            Err(errno) => return Err(Error::from_errno("open export", errno)),
        };
        let stat = sys::stat(&root).map_err(|errno| Error::from_errno("stat export", errno))?;
        if stat.id == self.id {
            Ok(root)
        } else {
            Err(Error::Stale)
        }
    }

    /// What `file` is now.
    fn stat(&self, file: FileId) -> Result<Stat, Error> {
        self.locate(file, |location| self.stat_location(location, file))
    }

    fn stat_location(&self, location: &Location, file: FileId) -> Result<Option<Stat>, Error> {
        let found = match &location.name {
            None => sys::stat(&location.directory),
            Some(name) => sys::stat_at(&location.directory, name),
        };
        match found {
            Ok(stat) => Ok((stat.id == file && stat.device == self.device).then_some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(Error::from_errno("stat file", errno)),
        }
    }

    /// Opens the regular file `file`.
    fn open_file(&self, file: FileId, write: bool) -> Result<(OwnedFd, Stat), Error> {
        self.locate(file, |location| {
            let Some(stat) = self.stat_location(location, file)? else {
                return Ok(None);
            };
            let Some(name) = location.name.as_deref() else {
                return Err(Error::IsDirectory);
            };
            match stat.kind {
                Kind::Regular => {}
                Kind::Directory => return Err(Error::IsDirectory),
                Kind::Other => return Err(Error::NotRegular(name.to_owned())),
            }
            let opened = match sys::open_file(&location.directory, name, write) {
                Ok(opened) => opened,
                Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(Error::from_errno("open file", errno)),
            };
            let stat = sys::stat(&opened).map_err(|errno| Error::from_errno("stat file", errno))?;
            Ok((stat.id == file).then_some((opened, stat)))
        })
    }

    /// Opens the directory `directory`.
    fn open_directory(&self, directory: FileId) -> Result<OwnedFd, Error> {
        self.locate(directory, |location| self.directory_at(location, directory))
    }

    /// The same under a lock that the caller holds.
    fn open_directory_in(&self, tree: &mut Tree, directory: FileId) -> Result<OwnedFd, Error> {
        let seen = tree.scans;
        self.locate_in(tree, seen, directory, |location| {
            self.directory_at(location, directory)
        })
    }

    fn directory_at(&self, location: &Location, directory: FileId) -> Result<Option<OwnedFd>, Error> {
        let Some(stat) = self.stat_location(location, directory)? else {
            return Ok(None);
        };
        if stat.kind != Kind::Directory {
            return Err(Error::NotDirectory);
        }
        let opened = match &location.name {
            None => location.directory.try_clone().map_err(|_| Errno::MFILE),
            Some(name) => sys::open_directory(&location.directory, name),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(Error::from_errno("open directory", errno)),
        };
        let stat = sys::stat(&opened).map_err(|errno| Error::from_errno("stat directory", errno))?;
        Ok((stat.id == directory).then_some(opened))
    }

    /// The entry `name` of an open directory, where there is one.
    fn entry(&self, directory: impl AsFd, name: &str) -> Result<Option<Stat>, Error> {
        match sys::stat_at(directory, name) {
            // Another file system mounted inside the export has inode numbers of its own.
            Ok(stat) if stat.device != self.device => Err(Error::NotRegular(name.to_owned())),
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::from_errno("stat file", errno)),
        }
    }

    /// Makes the map and the usage anew, and sweeps away what a crash left half made.
    fn scan(&self, tree: &mut Tree) -> Result<(), Error> {
        tree.clear();
        let root = self.open_root()?;
        let mut usage = Usage::default();
        if let Err(error) = self.scan_directory(tree, &mut usage, root.as_fd(), self.id, 1) {
            if !matches!(error, Error::TooMany { .. }) {
                return Err(error);
            }
            tracing::warn!(export = %self.name, limit = self.limits.files_per_export, "export holds too many files");
            tree.complete = false;
        }
        *self.usage.lock() = usage;
        Ok(())
    }

    fn scan_directory(
        &self,
        tree: &mut Tree,
        usage: &mut Usage,
        directory: BorrowedFd<'_>,
        id: FileId,
        depth: usize,
    ) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            tracing::warn!(export = %self.name, depth, "directories lie too deep to be served");
            return Ok(());
        }
        for name in self.names(directory)? {
            if name == STAGING {
                sweep(directory, &name);
            }
            if name.starts_with(RESERVED_PREFIX) {
                continue;
            }
            let Ok(Some(stat)) = self.entry(directory, &name) else {
                continue;
            };
            tree.place(stat.id, id, &name)?;
            usage.files += 1;
            match stat.kind {
                Kind::Regular => usage.bytes = usage.bytes.saturating_add(stat.size),
                Kind::Directory => match sys::open_directory(directory, &name) {
                    Ok(below) => self.scan_directory(tree, usage, below.as_fd(), stat.id, depth + 1)?,
                    Err(error) => {
                        tracing::warn!(export = %self.name, %error, "directory cannot be scanned");
                        tree.complete = false;
                    }
                },
                Kind::Other => {}
            }
        }
        Ok(())
    }

    fn names(&self, directory: BorrowedFd<'_>) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let room = usize::try_from(self.limits.files_per_export).unwrap_or(usize::MAX);
        sys::for_each_entry(directory, |name| {
            // A name that is no text cannot be said on the wire; nothing below it is served.
            names.extend(std::str::from_utf8(name).ok().map(str::to_owned));
            names.len() <= room
        })
        .map_err(|errno| Error::from_errno("read directory", errno))?;
        Ok(names)
    }
}

/// Removes a file or directory that was never given its name.
fn sweep(directory: BorrowedFd<'_>, name: &str) {
    if sys::unlink(directory, name).is_err()
        && let Err(error) = sys::remove_directory(directory, name)
    {
        tracing::warn!(%error, "half-made file cannot be removed");
    }
}
