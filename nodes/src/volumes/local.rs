//! Files in a folder of the node's own disk: emptyDir, hostPath, ConfigMaps, Secrets, and a container's own files.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use coracle_service::Spawn;

use super::{MAX_FILE_BYTES, Store};

/// The name of a file that is being written; never that of a finished one.
const ASIDE: &str = ".aside";

/// Files below one folder, which is made when the first is written.
#[derive(Clone)]
pub struct LocalStore {
    root: PathBuf,
    spawn: Spawn,
}

impl LocalStore {
    /// The files below `root`.
    #[must_use]
    pub fn new(root: PathBuf, spawn: Spawn) -> Self {
        Self { root, spawn }
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = self.root.join(path);
        self.spawn.blocking(move || read(&path)).await?
    }

    async fn replace(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        let path = self.root.join(path);
        self.spawn.blocking(move || replace(&path, &contents)).await?
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it is a folder"));
    }
    let mut contents = Vec::new();
    let length = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut contents)?;
    if length as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "the file is larger than 16 MiB",
        ));
    }
    Ok(contents)
}

/// Writes aside, syncs, renames, and syncs the folder.
pub(super) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    fs::create_dir_all(folder)?;
    let mut aside = path.as_os_str().to_owned();
    aside.push(ASIDE);
    let mut file = File::create(&aside)?;
    file.write_all(contents)?;
    file.sync_data()?;
    fs::rename(&aside, path)?;
    File::open(folder)?.sync_all()
}
