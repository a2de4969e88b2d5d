//! An open file: unstable writes, kept until a commit proves that the server has them on disk.

use bytes::Bytes;
use coracle_proto::v1 as pb;

use super::{
    error::Error,
    wire::{Transport, answered},
};

/// The most that one read or write carries.
const CHUNK_BYTES: usize = 256 << 10;
/// Data kept until a commit; a write that exceeds it commits first.
const MAX_PENDING_BYTES: usize = 8 << 20;
/// How often data is sent again because the server lost it, before the commit fails. Each time is a restart that fell
/// between a write and its commit.
const MAX_ROUNDS: usize = 100;

/// A write that the server may yet forget.
struct Pending {
    offset: u64,
    data: Bytes,
    verifier: Bytes,
}

/// An open file. What was written and not committed is lost when this is dropped.
///
/// It follows its file through renames and is stale once the file is removed. Writes go to the server at once, and
/// are kept here as well until they are committed.
pub struct NfsFile {
    transport: Transport,
    path: Box<str>,
    handle: Bytes,
    /// In the order written, which matters where writes overlap.
    pending: Vec<Pending>,
    pending_bytes: usize,
    /// The planted bug by which tests prove that they would notice one.
    #[cfg(test)]
    pub(super) trusts_any_verifier: bool,
}

impl NfsFile {
    pub(super) fn new(transport: Transport, path: &str, handle: Bytes) -> Self {
        Self {
            transport,
            path: path.into(),
            handle,
            pending: Vec::new(),
            pending_bytes: 0,
            #[cfg(test)]
            trusts_any_verifier: false,
        }
    }

    /// The file's length.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::IsDirectory`].
    pub async fn size(&mut self) -> Result<u64, Error> {
        self.commit().await?;
        let request = pb::GetAttributesRequest {
            handle: self.handle.clone(),
        };
        let answer = self
            .transport
            .call(request, &self.path, |mut c, r| async move {
                c.get_attributes(r).await
            })
            .await;
        let attributes = answered(answer)?.attributes.unwrap_or_default();
        if attributes.r#type() == pb::FileType::Directory {
            return Err(Error::IsDirectory {
                path: self.path.to_string(),
            });
        }
        Ok(attributes.size_bytes)
    }

    /// Reads up to `count` bytes from `offset`; fewer only at the end of the file. Commits first, so that what was
    /// written is what is read even if the server has restarted in between.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::IsDirectory`]; those of [`NfsFile::commit`].
    pub async fn read_at(&mut self, offset: u64, count: u64) -> Result<Vec<u8>, Error> {
        self.commit().await?;
        let mut data = Vec::new();
        loop {
            let rest = count - data.len() as u64;
            let wanted = u32::try_from(rest.min(CHUNK_BYTES as u64)).unwrap_or(u32::MAX);
            if wanted == 0 {
                return Ok(data);
            }
            let offset = offset.saturating_add(data.len() as u64);
            let request = pb::ReadRequest {
                handle: self.handle.clone(),
                offset,
                count: wanted,
            };
            let answer = self
                .transport
                .call(request, &self.path, |mut c, r| async move { c.read(r).await })
                .await;
            let read = answered(answer)?;
            data.extend_from_slice(&read.data);
            if read.eof || read.data.is_empty() {
                return Ok(data);
            }
        }
    }

    /// Writes `data` at `offset`, unstable until [`NfsFile::commit`].
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::Stale`], [`Error::IsDirectory`]. Parts of the data may have been written.
    pub async fn write_at(&mut self, offset: u64, data: impl Into<Bytes>) -> Result<(), Error> {
        let (mut offset, mut data) = (offset, data.into());
        while !data.is_empty() {
            let chunk = data.split_to(data.len().min(CHUNK_BYTES));
            if self.pending_bytes + chunk.len() > MAX_PENDING_BYTES {
                self.commit().await?;
            }
            let length = chunk.len();
            let verifier = self.send(offset, chunk.clone()).await?;
            self.pending.push(Pending {
                offset,
                data: chunk,
                verifier,
            });
            self.pending_bytes += length;
            offset = offset.saturating_add(length as u64);
        }
        Ok(())
    }

    /// Cuts or extends with zeros; with all that was written before, on disk when it returns.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::Stale`]; those of [`NfsFile::commit`].
    pub async fn set_size(&mut self, size: u64) -> Result<(), Error> {
        // Sent again later, earlier writes would undo the cut.
        self.commit().await?;
        let request = pb::SetAttributesRequest {
            handle: self.handle.clone(),
            mode: None,
            size_bytes: Some(size),
        };
        let answer = self
            .transport
            .call(request, &self.path, |mut c, r| async move {
                c.set_attributes(r).await
            })
            .await;
        answered(answer).map(|_| ())
    }

    /// Returns once all that was written is on the server's disk; what the server lost is sent again.
    ///
    /// # Errors
    /// [`Error::Stale`], and [`Error::NoSpace`] where lost data no longer fits; [`Error::NotCommitted`]. The data is
    /// still kept then.
    pub async fn commit(&mut self) -> Result<(), Error> {
        for _ in 0..MAX_ROUNDS {
            if self.pending.is_empty() {
                return Ok(());
            }
            let request = pb::CommitRequest {
                handle: self.handle.clone(),
            };
            let answer = self
                .transport
                .call(request, &self.path, |mut c, r| async move { c.commit(r).await })
                .await;
            let verifier = answered(answer)?.verifier;
            if self.pending.iter().all(|write| self.is_kept(write, &verifier)) {
                self.pending.clear();
                self.pending_bytes = 0;
                return Ok(());
            }
            // All of it, in order: a lost write may lie under a later one that was kept.
            for index in 0..self.pending.len() {
                let Pending { offset, ref data, .. } = self.pending[index];
                let verifier = self.send(offset, data.clone()).await?;
                self.pending[index].verifier = verifier;
            }
        }
        Err(Error::NotCommitted {
            path: self.path.to_string(),
            rounds: MAX_ROUNDS,
        })
    }

    #[cfg(not(test))]
    fn is_kept(&self, write: &Pending, verifier: &Bytes) -> bool {
        write.verifier == *verifier
    }

    #[cfg(test)]
    fn is_kept(&self, write: &Pending, verifier: &Bytes) -> bool {
        self.trusts_any_verifier || write.verifier == *verifier
    }

    /// Writes one chunk, unstable; returns the verifier.
    async fn send(&self, offset: u64, data: Bytes) -> Result<Bytes, Error> {
        let handle = self.handle.clone();
        let request = pb::WriteRequest {
            handle,
            offset,
            data,
            stability: pb::Stability::Unstable.into(),
        };
        let answer = self
            .transport
            .call(request, &self.path, |mut c, r| async move { c.write(r).await })
            .await;
        Ok(answered(answer)?.verifier)
    }
}
