//! A mounted export of the storage service, as a node uses it: files by path, hard-mounted.
//!
//! Promises: a call waits for as long as the server is away (drop the future to give up), and its retries do nothing
//! twice; data that was committed is on the server's disk, and data that was not is kept here and sent again when the
//! write verifier shows that the server forgot it (RFC 1813, sections 3.3.7 and 3.3.21). A path never leads out of
//! the mounted directory.
//!
//! Left to others: which export belongs to which claim, and that a volume has one writer. Two that append to one file
//! overwrite each other, as on NFS.

mod error;
mod file;
#[cfg(test)]
mod tests;
mod walk;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use coracle_proto::v1 as pb;
use coracle_service::Env;
use parking_lot::Mutex;
use tonic::transport::Channel;

pub use error::Error;
pub use file::NfsFile;
use walk::{Place, components, mount_root};
use wire::{Transport, answered};

/// The largest file that [`NfsVolume::read_file`] returns; larger ones are read in parts.
pub const MAX_READ_FILE_BYTES: u64 = 64 << 20;
/// The most entries that [`NfsVolume::list`] returns.
pub const MAX_LISTED: usize = 100_000;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Permission bits.
    pub mode: u32,
    /// Length of a file.
    pub size_bytes: u64,
    /// Nanoseconds since 1970.
    pub modified_ns: i64,
}

impl From<Option<pb::Attributes>> for Attributes {
    fn from(attributes: Option<pb::Attributes>) -> Self {
        let attributes = attributes.unwrap_or_default();
        Self {
            is_directory: attributes.r#type() == pb::FileType::Directory,
            mode: attributes.mode,
            size_bytes: attributes.size_bytes,
            modified_ns: attributes.modified_ns,
        }
    }
}

/// A mounted export; cheap to clone. Paths are relative to the mounted directory; `""` is that directory itself.
#[derive(Clone)]
pub struct NfsVolume {
    transport: Transport,
    export: Arc<str>,
    root: Arc<Mutex<Bytes>>,
}

impl NfsVolume {
    /// Mounts `export` ("/exports/data", or a directory inside one) of the server behind `channel`, making it where
    /// `create` is set.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is missing; [`Error::Refused`].
    pub async fn mount(channel: Channel, env: &Env, export: &str, create: bool) -> Result<Self, Error> {
        let transport = Transport::new(channel, env);
        let root = mount_root(&transport, export, create).await?;
        Ok(Self {
            transport,
            export: export.into(),
            root: Arc::new(Mutex::new(root)),
        })
    }

    /// What `path` leads to.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`] on the way there.
    pub async fn attributes(&self, path: &str) -> Result<Attributes, Error> {
        self.remounting(|| {
            Box::pin(async move {
                let handle = self.resolve(path).await?;
                let request = pb::GetAttributesRequest { handle };
                let answer = self
                    .transport
                    .call(request, path, |mut c, r| async move { c.get_attributes(r).await })
                    .await;
                Ok(answered(answer)?.attributes.into())
            })
        })
        .await
    }

    /// The names in a directory with what they lead to, in no particular order.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`]; [`Error::TooLarge`] beyond [`MAX_LISTED`].
    pub async fn list(&self, path: &str) -> Result<Vec<(String, Attributes)>, Error> {
        self.remounting(|| {
            Box::pin(async move {
                let directory = self.resolve(path).await?;
                let (mut listed, mut cookie) = (Vec::new(), 0);
                loop {
                    let request = pb::ReadDirectoryRequest {
                        directory: directory.clone(),
                        cookie,
                        max_entries: 0,
                    };
                    let page = self
                        .transport
                        .call(request, path, |mut c, r| async move { c.read_directory(r).await })
                        .await;
                    let page = answered(page)?;
                    cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
                    let done = page.eof || page.entries.is_empty();
                    listed.extend(
                        page.entries
                            .into_iter()
                            .map(|entry| (entry.name, entry.attributes.into())),
                    );
                    if listed.len() > MAX_LISTED {
                        return Err(Error::TooLarge {
                            path: path.to_owned(),
                            limit: MAX_LISTED as u64,
                        });
                    }
                    if done {
                        return Ok(listed);
                    }
                }
            })
        })
        .await
    }

    /// Opens a file, making an empty one where `create` is set and there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsDirectory`], [`Error::NotDirectory`]; [`Error::NoSpace`].
    pub async fn open(&self, path: &str, create: bool) -> Result<NfsFile, Error> {
        let handle = self
            .remounting(|| {
                Box::pin(async move {
                    if create {
                        self.create(&self.place(path).await?, path, None).await
                    } else {
                        self.resolve(path).await
                    }
                })
            })
            .await?;
        Ok(NfsFile::new(self.transport.clone(), path, handle))
    }

    /// A whole file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsDirectory`]; [`Error::TooLarge`] beyond [`MAX_READ_FILE_BYTES`].
    pub async fn read_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        let mut file = self.open(path, false).await?;
        let size = file.size().await?;
        if size > MAX_READ_FILE_BYTES {
            return Err(Error::TooLarge {
                path: path.to_owned(),
                limit: MAX_READ_FILE_BYTES,
            });
        }
        file.read_at(0, MAX_READ_FILE_BYTES).await
    }

    /// Replaces a file's content, or makes the file, in one step: whoever reads it, then or after any crash, finds
    /// the old content or the new. On disk when it returns.
    ///
    /// # Errors
    /// [`Error::NotFound`] for its directory, [`Error::IsDirectory`], [`Error::NoSpace`]; the file is as it was.
    pub async fn write_file(&self, path: &str, data: impl Into<Bytes>) -> Result<(), Error> {
        let data = data.into();
        let identity = self.transport.random.next_u64();
        let name = format!(".new-{identity:016x}");
        let name = name.as_str();
        let (place, handle) = self
            .remounting(|| {
                Box::pin(async move {
                    let place = self.place(path).await?;
                    let staging = Place {
                        directory: place.directory.clone(),
                        name,
                    };
                    let handle = self.create(&staging, path, Some(identity)).await?;
                    Ok((place, handle))
                })
            })
            .await?;
        let mut staged = NfsFile::new(self.transport.clone(), path, handle.clone());
        let staging = Place {
            directory: place.directory.clone(),
            name,
        };
        let outcome = async {
            staged.write_at(0, data).await?;
            staged.commit().await?;
            self.rename_place(&staging, &handle, &place, path).await
        }
        .await;
        if outcome.is_err() {
            // Only tidiness: a file of this name stands in nobody's way.
            let _ = self.remove_place(&staging, path, false).await;
        }
        outcome
    }

    /// Adds `data` at the end of a file, making the file where there is none. On disk when it returns; a crash may
    /// leave part of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for its directory, [`Error::IsDirectory`], [`Error::NoSpace`].
    pub async fn append(&self, path: &str, data: impl Into<Bytes>) -> Result<(), Error> {
        let mut file = self.open(path, true).await?;
        let end = file.size().await?;
        file.write_at(end, data).await?;
        file.commit().await
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotFound`] for its parent.
    pub async fn create_directory(&self, path: &str) -> Result<(), Error> {
        self.remounting(|| {
            Box::pin(async move {
                let Place { directory, name } = self.place(path).await?;
                let request = pb::MakeDirectoryRequest {
                    directory,
                    name: name.to_owned(),
                    permissions: 0,
                };
                let answer = self
                    .transport
                    .call(request, path, |mut c, r| async move { c.make_directory(r).await })
                    .await;
                match answer.outcome {
                    // Made by an attempt whose answer was lost; were it somebody else's, it would serve as well.
                    Err(Error::Exists { .. })
                        if answer.retried && self.attributes_at(path).await?.is_directory =>
                    {
                        Ok(())
                    }
                    outcome => outcome.map(|_| ()),
                }
            })
        })
        .await
    }

    /// Makes a directory and those above it; content where they exist.
    ///
    /// # Errors
    /// [`Error::NotDirectory`] where a file is in the way.
    pub async fn create_directories(&self, path: &str) -> Result<(), Error> {
        let components = components(path)?;
        for end in 1..=components.len() {
            match self.create_directory(&components[..end].join("/")).await {
                Ok(()) | Err(Error::Exists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if self.attributes(path).await?.is_directory {
            Ok(())
        } else {
            Err(Error::NotDirectory {
                path: path.to_owned(),
            })
        }
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsDirectory`].
    pub async fn remove_file(&self, path: &str) -> Result<(), Error> {
        self.remounting(|| {
            Box::pin(async move { self.remove_place(&self.place(path).await?, path, false).await })
        })
        .await
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotDirectory`], [`Error::NotEmpty`].
    pub async fn remove_directory(&self, path: &str) -> Result<(), Error> {
        self.remounting(|| {
            Box::pin(async move { self.remove_place(&self.place(path).await?, path, true).await })
        })
        .await
    }

    /// Renames in one step, replacing a file or an empty directory.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::IsDirectory`], [`Error::NotDirectory`], [`Error::NotEmpty`] where `to` cannot be
    /// replaced.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.remounting(|| {
            Box::pin(async move {
                let handle = self.resolve(from).await?;
                self.rename_place(&self.place(from).await?, &handle, &self.place(to).await?, from)
                    .await
            })
        })
        .await
    }
}
