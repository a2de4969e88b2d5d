//! All exports of a server: found, made, deleted, and reached by handle.
//!
//! An export is a directory below `exports/` of the data directory; its identity is that directory's. One that an
//! administrator makes there by hand is served like any other.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::{
    Error,
    data_dir::{DataDir, OpenError},
    export::Export,
    handles::{FileId, Handle, Sealer},
    limits::Limits,
    name::{ExportPath, Name},
    stability::Stability,
    sys::{self, Kind, Stat},
};

/// Permissions of directories that a mount makes.
const DIRECTORY_PERMISSIONS: u32 = 0o755;

/// The exports of one data directory.
pub struct Exports {
    data: DataDir,
    directory: Arc<OwnedFd>,
    sealer: Sealer,
    limits: Limits,
    stability: Arc<Stability>,
    /// Those used since the start. Also the lock under which exports are made and deleted.
    open: Mutex<BTreeMap<FileId, Arc<Export>>>,
}

impl Exports {
    /// Opens or makes the data directory at `path`; `random` fills a new key for handles.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(path: &Path, limits: Limits, random: impl FnOnce(&mut [u8])) -> Result<Self, OpenError> {
        let data = DataDir::open(path, random)?;
        let directory = data.exports.try_clone().map_err(|source| OpenError::Io {
            operation: "open exports of",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            directory: Arc::new(directory),
            sealer: Sealer::new(&data.key),
            limits,
            stability: Arc::new(Stability::new(data.start)),
            open: Mutex::new(BTreeMap::new()),
            data,
        })
    }

    /// Seals handles for clients, and opens what they send.
    #[must_use]
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The export and file that a client's handle leads to.
    ///
    /// # Errors
    /// [`Error::BadHandle`]; [`Error::Stale`] where the export is gone. The file is looked for when it is used.
    pub fn resolve(&self, sealed: &[u8]) -> Result<(Arc<Export>, FileId), Error> {
        let Handle { export, file } = self.sealer.open(sealed)?;
        let mut open = self.open.lock();
        if let Some(found) = open.get(&export) {
            return Ok((Arc::clone(found), file));
        }
        for name in self.names()? {
            if let Some(root) = self.root(&name)?
                && root.id == export
            {
                return Ok((self.opened(&mut open, name, &root), file));
            }
        }
        Err(Error::Stale)
    }

    /// The names of all exports, in order.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(&self) -> Result<Vec<Name>, Error> {
        let mut names = Vec::new();
        for name in self.names()? {
            if self.root(&name)?.is_some() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The export and directory of `path`, made where `create` is set. What is made is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::NotFound`] where something is missing and `create` is not set; [`Error::NotDirectory`]; the limits;
    /// [`Error::Io`].
    pub fn mount(&self, path: &ExportPath, create: bool) -> Result<(Arc<Export>, FileId), Error> {
        let export = self.mount_root(&path.export, create)?;
        let mut directory = export.id();
        for name in &path.below {
            let stat = match export.lookup(directory, name) {
                Err(Error::NotFound(_)) if create => {
                    match export.make_directory(directory, name, DIRECTORY_PERMISSIONS) {
                        // Somebody else mounted at the same time.
                        Err(Error::Exists(_)) => export.lookup(directory, name)?,
                        made => made?,
                    }
                }
                found => found?,
            };
            if stat.kind != Kind::Directory {
                return Err(Error::NotDirectory);
            }
            directory = stat.id;
        }
        Ok((export, directory))
    }

    fn mount_root(&self, name: &Name, create: bool) -> Result<Arc<Export>, Error> {
        let mut open = self.open.lock();
        let root = match self.root(name)? {
            Some(root) => root,
            None if create => self.make(name)?,
            None => return Err(Error::NotFound(name.to_string())),
        };
        match open.get(&root.id) {
            Some(export) if export.name() == name => Ok(Arc::clone(export)),
            // New here, or renamed by an administrator.
            _ => Ok(self.opened(&mut open, name.clone(), &root)),
        }
    }

    fn make(&self, name: &Name) -> Result<Stat, Error> {
        let limit = self.limits.exports;
        if self.names()?.len() as u64 >= limit {
            return Err(Error::TooMany { limit });
        }
        sys::make_directory(&*self.directory, name.as_str()).map_err(|errno| match errno {
            // What is there is no directory, or it would have been found.
            Errno::EXIST => Error::NotDirectory,
            other => Error::from_errno("make export", other),
        })?;
        self.stability.sync_all(&self.directory)?;
        self.root(name)?.ok_or(Error::Stale)
    }

    /// Deletes an export and all its files. Gone when this returns, also after a crash; the space is freed by
    /// [`Exports::sweep`].
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InvalidArgument`] for a directory inside an export; [`Error::Io`].
    pub fn delete(&self, path: &ExportPath) -> Result<(), Error> {
        if !path.below.is_empty() {
            return Err(Error::InvalidArgument("only a whole export can be deleted"));
        }
        let name = &path.export;
        let mut open = self.open.lock();
        let root = self
            .root(name)?
            .ok_or_else(|| Error::NotFound(name.to_string()))?;
        // The identity makes the name unique among what waits to be swept.
        let parked = format!("{:x}-{:x}", root.id.inode, root.id.birth_ns);
        sys::rename(&*self.directory, name.as_str(), &self.data.removed, &parked)
            .map_err(|errno| Error::from_errno("delete export", errno))?;
        open.remove(&root.id);
        drop(open);
        self.stability.release_export(root.id);
        self.stability.sync_all(&self.data.removed)?;
        self.stability.sync_all(&self.directory)
    }

    /// Frees the space of deleted exports. May take long; repeating it after a crash is all that recovery needs.
    ///
    /// # Errors
    /// The first that the system reports; the rest is swept all the same.
    pub fn sweep(&self) -> std::io::Result<()> {
        let mut outcome = Ok(());
        for entry in std::fs::read_dir(&self.data.removed_path)? {
            let path: PathBuf = entry?.path();
            let removed = std::fs::remove_dir_all(&path);
            // Two sweeps at a time find each other's files gone.
            if removed
                .as_ref()
                .is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
            {
                outcome = outcome.and(removed);
            }
        }
        outcome
    }

    #[cfg(test)]
    pub(crate) fn stability(&self) -> &Stability {
        &self.stability
    }

    fn names(&self) -> Result<Vec<Name>, Error> {
        let mut names = Vec::new();
        sys::for_each_entry(&*self.directory, |name| {
            names.extend(
                std::str::from_utf8(name)
                    .ok()
                    .and_then(|name| Name::new(name).ok()),
            );
            names.len() as u64 <= self.limits.exports
        })
        .map_err(|errno| Error::from_errno("read exports", errno))?;
        Ok(names)
    }

    fn root(&self, name: &Name) -> Result<Option<Stat>, Error> {
        match sys::stat_at(&*self.directory, name.as_str()) {
            // Where an administrator mounted a disk on it, the disk's own root counts, as it does once opened.
            Ok(stat) => Ok((stat.kind == Kind::Directory).then_some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::from_errno("stat export", errno)),
        }
    }

    fn opened(&self, open: &mut BTreeMap<FileId, Arc<Export>>, name: Name, root: &Stat) -> Arc<Export> {
        let (directory, stability) = (Arc::clone(&self.directory), Arc::clone(&self.stability));
        let export = Arc::new(Export::new(name, root, directory, self.limits, stability));
        open.insert(root.id, Arc::clone(&export));
        export
    }
}
