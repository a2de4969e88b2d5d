//! Files in a folder of the node's own disk: emptyDir, hostPath, ConfigMaps, Secrets, and a container's own files.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use coracle_service::Spawn;

use super::{MAX_FILE_BYTES, Stat, Store};

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

    /// The files below a folder whose name is this one's and an ending.
    #[must_use]
    pub fn beside(&self, ending: &str) -> Self {
        let mut root = self.root.as_os_str().to_owned();
        root.push(ending);
        Self::new(root.into(), self.spawn)
    }

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// The system's.
    pub async fn create_directories(&self, path: &str) -> io::Result<()> {
        self.run(path, |path| fs::create_dir_all(path)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        path: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let path = if path.is_empty() {
            self.root.clone()
        } else {
            self.root.join(path)
        };
        self.spawn.blocking(move || work(&path)).await?
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

    async fn stat(&self, path: &str) -> io::Result<Stat> {
        let is_root = path.is_empty();
        self.run(path, move |path| match fs::symlink_metadata(path) {
            Ok(found) => Ok(stat(&found)),
            Err(error) if is_root && error.kind() == io::ErrorKind::NotFound => Ok(Stat::FOLDER),
            Err(error) => Err(error),
        })
        .await
    }

    async fn list(&self, path: &str) -> io::Result<Vec<(String, Stat)>> {
        let is_root = path.is_empty();
        self.run(path, move |path| {
            let folder = match fs::read_dir(path) {
                Err(error) if is_root && error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                folder => folder?,
            };
            let mut entries = Vec::new();
            for entry in folder.take(MAX_LISTED) {
                let entry = entry?;
                // What went meanwhile is not there.
                if let (Ok(name), Ok(found)) = (entry.file_name().into_string(), entry.metadata()) {
                    entries.push((name, stat(&found)));
                }
            }
            Ok(entries)
        })
        .await
    }

    async fn create_directory(&self, path: &str) -> io::Result<()> {
        self.create_directories("").await?;
        self.run(path, |path| fs::create_dir(path)).await
    }

    async fn remove(&self, path: &str) -> io::Result<()> {
        self.run(path, |path| match fs::symlink_metadata(path)?.is_dir() {
            true => fs::remove_dir(path),
            false => fs::remove_file(path),
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let to = self.root.join(to);
        self.run(from, move |from| fs::rename(from, to)).await
    }

    async fn read_at(&self, path: &str, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        self.run(path, move |path| {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut contents = Vec::new();
            file.take(limit as u64).read_to_end(&mut contents)?;
            Ok(contents)
        })
        .await
    }

    async fn append(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        self.run(path, move |path| {
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            file.write_all(&contents)
        })
        .await
    }

    async fn truncate(&self, path: &str) -> io::Result<()> {
        let root = self.root.clone();
        self.run(path, move |path| {
            fs::create_dir_all(root)?;
            File::create(path).map(drop)
        })
        .await
    }
}

/// Entries of a folder that are told.
const MAX_LISTED: usize = 100_000;

fn stat(found: &Metadata) -> Stat {
    Stat {
        is_directory: found.is_dir(),
        size_bytes: if found.is_dir() { 4096 } else { found.len() },
        mode: found.mode() & 0o7777,
        modified_ns: found
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(found.mtime_nsec()),
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
