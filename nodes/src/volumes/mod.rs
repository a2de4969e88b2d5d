//! A container's file system: its own folder, and the volumes mounted over it.
//!
//! Programs read and replace whole files; a replaced file is durable when the call returns. Promises: no path leads
//! out of the folder or export that a volume is; a mount that is read-only is not written. Finding and making what a
//! pod mounts is [`prepare`]'s.

pub mod local;
pub mod nfs;
pub mod prepare;

use std::{collections::BTreeMap, io, sync::Arc};

use async_trait::async_trait;

use crate::pods::view::ContainerSpec;
use local::LocalStore;

/// The largest file that a program reads or replaces.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Where files are.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The contents of a file; `path` is relative and made by [`relative`].
    async fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Replaces a file whole, making its folders; durable when it returns.
    async fn replace(&self, path: &str, contents: Vec<u8>) -> io::Result<()>;
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
}

struct Mount {
    path: Box<str>,
    sub_path: Box<str>,
    read_only: bool,
    store: Arc<dyn Store>,
}

impl Files {
    /// The file system of a container whose own folder is `own`.
    #[must_use]
    pub fn new(own: LocalStore, spec: &ContainerSpec, volumes: &Volumes) -> Self {
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
        }
    }

    /// Whether a volume is mounted at `path` or above it.
    #[must_use]
    pub fn is_mounted(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// The contents of a file.
    ///
    /// # Errors
    /// The store's; [`io::ErrorKind::InvalidInput`] for a path that leads out of its volume.
    pub async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.find(path) {
            Some((mount, rest)) => mount.store.read(&relative(&mount.sub_path, rest)?).await,
            None => self.own.read(&relative("", path)?).await,
        }
    }

    /// Replaces a file whole; durable when it returns.
    ///
    /// # Errors
    /// As [`Files::read`], and [`io::ErrorKind::ReadOnlyFilesystem`].
    pub async fn replace(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        match self.find(path) {
            Some((mount, _)) if mount.read_only => Err(io::Error::new(
                io::ErrorKind::ReadOnlyFilesystem,
                format!("{path} is on a read-only volume"),
            )),
            Some((mount, rest)) => {
                mount
                    .store
                    .replace(&relative(&mount.sub_path, rest)?, contents)
                    .await
            }
            None => self.own.replace(&relative("", path)?, contents).await,
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
