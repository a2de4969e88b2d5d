//! Files on an export of the storage service.
//!
//! A mount is hard: once it exists, reads and writes wait for a storage service that is away. Making one is given up
//! after [`MOUNT_TIMEOUT`], so that the pod can say what it waits for.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_client::volume::{Attributes, Error, NfsVolume};
use coracle_service::{Env, Identity, connect};
use parking_lot::Mutex;
use tonic::transport::Channel;

use super::{MAX_FILE_BYTES, Stat, Store};

/// How long an attempt to mount may take.
const MOUNT_TIMEOUT: Duration = Duration::from_secs(5);
/// Storage services whose connections are kept for further mounts.
const MAX_SERVERS: usize = 64;

/// Mounts exports, with one connection per storage service for all of them. Cheap to clone.
#[derive(Clone)]
pub struct Mounter {
    env: Env,
    identity: Identity,
    channels: Arc<Mutex<BTreeMap<String, Channel>>>,
}

impl Mounter {
    /// Mounts as `identity`.
    #[must_use]
    pub fn new(env: &Env, identity: &Identity) -> Self {
        Self {
            env: env.clone(),
            identity: identity.clone(),
            channels: Arc::default(),
        }
    }

    /// Mounts an export, which is made where it is missing.
    ///
    /// # Errors
    /// The storage service's, or [`io::ErrorKind::TimedOut`].
    pub async fn mount(&self, server: &str, export: &str) -> io::Result<Arc<dyn Store>> {
        let mounting = NfsVolume::mount(self.channel(server)?, &self.env, export, true);
        let volume = match self.env.transport_clock.timeout(MOUNT_TIMEOUT, mounting).await {
            Ok(outcome) => outcome.map_err(to_io)?,
            Err(_) => {
                let message = format!(
                    "storage service at {server} did not answer in {} s",
                    MOUNT_TIMEOUT.as_secs()
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
        };
        Ok(Arc::new(NfsStore { volume }))
    }

    fn channel(&self, server: &str) -> io::Result<Channel> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(server) {
            return Ok(channel.clone());
        }
        let channel = connect::channel(server, &self.env, &self.identity)
            .map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        if channels.len() >= MAX_SERVERS {
            // Mounts keep theirs; only new ones dial anew.
            channels.clear();
        }
        channels.insert(server.to_owned(), channel.clone());
        Ok(channel)
    }
}

struct NfsStore {
    volume: NfsVolume,
}

#[async_trait]
impl Store for NfsStore {
    async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let contents = self.volume.read_file(path).await.map_err(to_io)?;
        if contents.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the file is larger than 16 MiB",
            ));
        }
        Ok(contents)
    }

    async fn replace(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        match self.volume.write_file(path, contents.clone()).await {
            // The file's folder is missing; folders are made as the local store makes them.
            Err(Error::NotFound { .. }) => {
                if let Some((folder, _)) = path.rsplit_once('/') {
                    self.volume.create_directories(folder).await.map_err(to_io)?;
                }
                self.volume.write_file(path, contents).await.map_err(to_io)
            }
            outcome => outcome.map_err(to_io),
        }
    }

    async fn stat(&self, path: &str) -> io::Result<Stat> {
        self.volume.attributes(path).await.map(stat).map_err(to_io)
    }

    async fn list(&self, path: &str) -> io::Result<Vec<(String, Stat)>> {
        let entries = self.volume.list(path).await.map_err(to_io)?;
        Ok(entries
            .into_iter()
            .map(|(name, found)| (name, stat(found)))
            .collect())
    }

    async fn create_directory(&self, path: &str) -> io::Result<()> {
        self.volume.create_directory(path).await.map_err(to_io)
    }

    async fn remove(&self, path: &str) -> io::Result<()> {
        let found = self.volume.attributes(path).await.map_err(to_io)?;
        let removed = match found.is_directory {
            true => self.volume.remove_directory(path).await,
            false => self.volume.remove_file(path).await,
        };
        removed.map_err(to_io)
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.volume.rename(from, to).await.map_err(to_io)
    }

    async fn read_at(&self, path: &str, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let mut file = self.volume.open(path, false).await.map_err(to_io)?;
        file.read_at(offset, limit as u64).await.map_err(to_io)
    }

    async fn append(&self, path: &str, contents: Vec<u8>) -> io::Result<()> {
        self.volume.append(path, contents).await.map_err(to_io)
    }

    async fn truncate(&self, path: &str) -> io::Result<()> {
        let mut file = self.volume.open(path, true).await.map_err(to_io)?;
        file.set_size(0).await.map_err(to_io)
    }
}

fn stat(found: Attributes) -> Stat {
    Stat {
        is_directory: found.is_directory,
        size_bytes: found.size_bytes,
        mode: found.mode & 0o7777,
        modified_ns: found.modified_ns,
    }
}

fn to_io(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::Exists { .. } => io::ErrorKind::AlreadyExists,
        Error::NotDirectory { .. } => io::ErrorKind::NotADirectory,
        Error::IsDirectory { .. } => io::ErrorKind::IsADirectory,
        Error::NotEmpty { .. } => io::ErrorKind::DirectoryNotEmpty,
        Error::NoSpace { .. } => io::ErrorKind::StorageFull,
        Error::InvalidPath { .. } => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
