//! A container's file system: its own folder, and the volumes mounted over it.
//!
//! A replaced file is durable when the call returns; one that was written piece by piece is when the system says so.
//! Promises: no path leads
//! out of the folder or export that a volume is; a mount that is read-only is not written. Finding and making what a
//! pod mounts is [`prepare`]'s.

mod base;
pub mod local;
pub mod nfs;
pub mod prepare;

use std::{collections::BTreeMap, io, sync::Arc};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{
    pods::view::ContainerSpec,
    runtime::{program::PodIdentity, programs::sh},
};
use local::LocalStore;

/// The largest file that a program reads or replaces.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Whether it is a folder.
    pub is_directory: bool,
    /// Length of a file.
    pub size_bytes: u64,
    /// Permission bits.
    pub mode: u32,
    /// Nanoseconds since 1970.
    pub modified_ns: i64,
}

impl Stat {
    /// A folder that is there because something is mounted in it, or because nothing was written yet.
    pub const FOLDER: Self = Self {
        is_directory: true,
        size_bytes: 0,
        mode: 0o755,
        modified_ns: 0,
    };
    /// A built-in command.
    const COMMAND: Self = Self {
        is_directory: false,
        size_bytes: 0,
        mode: 0o755,
        modified_ns: 0,
    };
}

/// Where files are. Paths are relative and made by [`relative`]; the empty one is the root, which is always there.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The contents of a file; `path` is relative and made by [`relative`].
    async fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Replaces a file whole, making its folders; durable when it returns.
    async fn replace(&self, path: &str, contents: Vec<u8>) -> io::Result<()>;

    /// What a path leads to.
    async fn stat(&self, path: &str) -> io::Result<Stat>;

    /// What is in a folder, in no order.
    async fn list(&self, path: &str) -> io::Result<Vec<(String, Stat)>>;

    /// Makes a folder in one that is there.
    async fn create_directory(&self, path: &str) -> io::Result<()>;

    /// Removes a file or an empty folder.
    async fn remove(&self, path: &str) -> io::Result<()>;

    /// Moves a file or a folder, over a file that is there.
    async fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// At most `limit` bytes from an offset; none at the end.
    async fn read_at(&self, path: &str, offset: u64, limit: usize) -> io::Result<Vec<u8>>;

    /// Adds to the end of a file, which is made where it is missing.
    async fn append(&self, path: &str, contents: Vec<u8>) -> io::Result<()>;

    /// Makes a file, or one that is there empty.
    async fn truncate(&self, path: &str) -> io::Result<()>;
}

/// The volumes of a pod, by name.
pub type Volumes = BTreeMap<Box<str>, Volume>;

/// One volume of a pod.
#[derive(Clone)]
pub struct Volume {
    /// Where its files are.
    pub store: Arc<dyn Store>,
    /// Whether nobody may write.
    pub read_only: bool,
}

/// A container's file system.
pub struct Files {
    own: LocalStore,
    mounts: Box<[Mount]>,
    pod: Arc<PodIdentity>,
    /// What every container finds has been written to its own folder.
    has_base: OnceCell<()>,
}

struct Mount {
    path: Box<str>,
    sub_path: Box<str>,
    read_only: bool,
    store: Arc<dyn Store>,
}

/// Where the built-in commands are.
const COMMANDS: [&str; 2] = ["/bin", "/usr/bin"];

impl Files {
    /// The file system of a container of `pod` whose own folder is `own`.
    #[must_use]
    pub fn new(own: LocalStore, spec: &ContainerSpec, volumes: &Volumes, pod: Arc<PodIdentity>) -> Self {
        let mounts = spec.volume_mounts.iter().filter_map(|mount| {
            let volume = volumes.get(&mount.name)?;
            Some(Mount {
                path: mount.mount_path.trim_end_matches('/').into(),
                sub_path: mount.sub_path.clone(),
                read_only: mount.read_only || volume.read_only,
                store: Arc::clone(&volume.store),
            })
        });
        Self {
            own,
            mounts: mounts.collect(),
            pod,
            has_base: OnceCell::new(),
        }
    }

    /// Whether a volume is mounted at `path` or above it.
    #[must_use]
    pub fn is_mounted(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// Where volumes are mounted, each with a word for its kind.
    #[must_use]
    pub fn mounts(&self) -> Vec<(String, &'static str)> {
        let kind = |mount: &Mount| if mount.read_only { "tmpfs" } else { "volume" };
        self.mounts
            .iter()
            .map(|mount| (mount.path.to_string(), kind(mount)))
            .collect()
    }

    /// The contents of a file.
    ///
    /// # Errors
    /// The store's; [`io::ErrorKind::InvalidInput`] for a path that leads out of its volume.
    pub async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let (store, path) = self.reach(path).await?;
        store.read(&path).await
    }

    /// Replaces a file whole; durable when it returns.
    ///
    /// # Errors
    /// As [`Files::read`], and [`io::ErrorKind::ReadOnlyFilesystem`].
    pub async fn replace(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        let (store, path) = self.reach_writable(path).await?;
        store.replace(&path, contents).await
    }

    /// What a path leads to.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub async fn stat(&self, path: &str) -> io::Result<Stat> {
        let (store, inside) = self.reach(path).await?;
        match store.stat(&inside).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = path.trim_end_matches('/');
                let is_above = self.mounts.iter().any(|mount| below(&mount.path, path).is_some());
                let is_command = COMMANDS
                    .iter()
                    .any(|folder| below(path, folder).is_some_and(sh::is_applet));
                match (is_above || COMMANDS.contains(&path), is_command) {
                    (true, _) => Ok(Stat::FOLDER),
                    (_, true) => Ok(Stat::COMMAND),
                    _ => Err(error),
                }
            }
            outcome => outcome,
        }
    }

    /// What is in a folder, in no order.
    ///
    /// # Errors
    /// As [`Files::read`], and [`io::ErrorKind::NotADirectory`].
    pub async fn list(&self, path: &str) -> io::Result<Vec<(String, Stat)>> {
        let (store, inside) = self.reach(path).await?;
        let path = path.trim_end_matches('/');
        let mut entries = match store.list(&inside).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It is there all the same where something is mounted in it.
                self.stat(if path.is_empty() { "/" } else { path })
                    .await
                    .map_err(|_| error)?;
                Vec::new()
            }
            outcome => outcome?,
        };
        let mut add = |name: &str, stat: Stat| {
            if !entries.iter().any(|(known, _)| known == name) {
                entries.push((name.to_owned(), stat));
            }
        };
        for mount in &self.mounts {
            if let Some(rest) = below(&mount.path, path) {
                add(rest.split('/').next().unwrap_or(rest), Stat::FOLDER);
            }
        }
        if COMMANDS.contains(&path) {
            sh::names().for_each(|name| add(name, Stat::COMMAND));
        }
        Ok(entries)
    }

    /// Makes a folder in one that is there.
    ///
    /// # Errors
    /// As [`Files::replace`].
    pub async fn create_directory(&self, path: &str) -> io::Result<()> {
        let (store, path) = self.reach_writable(path).await?;
        store.create_directory(&path).await
    }

    /// Removes a file or an empty folder.
    ///
    /// # Errors
    /// As [`Files::replace`]; [`io::ErrorKind::ResourceBusy`] for the root of a volume.
    pub async fn remove(&self, path: &str) -> io::Result<()> {
        let (store, path) = self.reach_writable(path).await?;
        if path.is_empty() {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "Resource busy"));
        }
        store.remove(&path).await
    }

    /// Moves a file or a folder within one volume.
    ///
    /// # Errors
    /// As [`Files::replace`]; [`io::ErrorKind::CrossesDevices`] from one volume to another.
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (store, inner_from) = self.reach_writable(from).await?;
        let (_, inner_to) = self.reach_writable(to).await?;
        let place = |path| self.find(path).map(|(mount, _)| &*mount.path);
        if place(from) != place(to) {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        store.rename(&inner_from, &inner_to).await
    }

    /// At most `limit` bytes from an offset; none at the end.
    ///
    /// # Errors
    /// As [`Files::read`].
    pub async fn read_at(&self, path: &str, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let (store, path) = self.reach(path).await?;
        store.read_at(&path, offset, limit).await
    }

    /// Adds to the end of a file, which is made where it is missing.
    ///
    /// # Errors
    /// As [`Files::replace`].
    pub async fn append(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        let (store, path) = self.reach_writable(path).await?;
        store.append(&path, contents).await
    }

    /// Makes a file, or one that is there empty.
    ///
    /// # Errors
    /// As [`Files::replace`].
    pub async fn truncate(&self, path: &str) -> io::Result<()> {
        let (store, path) = self.reach_writable(path).await?;
        store.truncate(&path).await
    }

    /// The store that a path is in, and the path inside it.
    async fn reach(&self, path: &str) -> io::Result<(&dyn Store, String)> {
        match self.find(path) {
            Some((mount, rest)) => Ok((&*mount.store, relative(&mount.sub_path, rest)?)),
            None => {
                let inside = relative("", path)?;
                let base = self
                    .has_base
                    .get_or_try_init(|| base::write(&self.own, &self.pod));
                base.await?;
                Ok((&self.own, inside))
            }
        }
    }

    async fn reach_writable(&self, path: &str) -> io::Result<(&dyn Store, String)> {
        match self.find(path) {
            Some((mount, _)) if mount.read_only => Err(io::Error::new(
                io::ErrorKind::ReadOnlyFilesystem,
                format!("{path} is on a read-only volume"),
            )),
            _ => self.reach(path).await,
        }
    }

    /// The innermost mount over `path`, and the path inside it.
    fn find<'a>(&self, path: &'a str) -> Option<(&Mount, &'a str)> {
        let inside = |mount: &Mount| {
            let rest = path.strip_prefix(&*mount.path)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        };
        let found = self
            .mounts
            .iter()
            .filter_map(|mount| Some((mount, inside(mount)?)));
        found.max_by_key(|(mount, _)| mount.path.len())
    }
}

/// What of `path` is below `folder`, where anything is.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?
        .strip_prefix('/')
        .filter(|rest| !rest.is_empty())
}

/// `path` below `base`, both without a leading slash and without steps up.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for steps up.
pub fn relative(base: &str, path: &str) -> io::Result<String> {
    let mut parts = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{path:?} leads out of its volume"),
                ));
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let check = |base: &str, path: &str, expected: Option<&str>| {
            assert_eq!(
                relative(base, path).ok().as_deref(),
                expected,
                "{base:?} {path:?}"
            );
        };
        check("", "/data/count", Some("data/count"));
        check("sub/", "/./a//b", Some("sub/a/b"));
        check("", "", Some(""));
        check("", "/a/../b", None);
        check("../x", "/a", None);
    }
}
