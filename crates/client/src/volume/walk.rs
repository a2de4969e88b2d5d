//! From paths to handles, and the calls that several operations share.

use bytes::Bytes;
use coracle_proto::v1 as pb;
use futures::future::BoxFuture;

use super::{
    Attributes, NfsVolume,
    error::Error,
    wire::{Transport, answered},
};

/// How deep a path may lead.
const MAX_COMPONENTS: usize = 64;

/// A file's directory and its name there.
pub(super) struct Place<'a> {
    pub directory: Bytes,
    pub name: &'a str,
}

impl NfsVolume {
    /// Runs a call by path, once more after mounting anew where a handle on the way had turned stale.
    pub(super) async fn remounting<'a, T>(
        &self,
        call: impl Fn() -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, Error> {
        match call().await {
            Err(Error::Stale { .. }) => {
                let root = mount_root(&self.transport, &self.export, false).await?;
                *self.root.lock() = root;
                call().await
            }
            outcome => outcome,
        }
    }

    pub(super) async fn resolve(&self, path: &str) -> Result<Bytes, Error> {
        self.walk(&components(path)?, path).await
    }

    pub(super) async fn place<'a>(&self, path: &'a str) -> Result<Place<'a>, Error> {
        let names = components(path)?;
        let Some((name, above)) = names.split_last() else {
            return Err(Error::InvalidPath {
                path: path.to_owned(),
                why: "it names the volume itself",
            });
        };
        Ok(Place {
            directory: self.walk(above, path).await?,
            name,
        })
    }

    pub(super) async fn walk(&self, names: &[&str], path: &str) -> Result<Bytes, Error> {
        let mut handle = self.root.lock().clone();
        for name in names {
            let request = pb::LookupRequest {
                directory: handle,
                name: (*name).to_owned(),
            };
            let answer = self
                .transport
                .call(request, path, |mut c, r| async move { c.lookup(r).await })
                .await;
            handle = answered(answer)?.handle;
        }
        Ok(handle)
    }

    pub(super) async fn attributes_at(&self, path: &str) -> Result<Attributes, Error> {
        let request = pb::GetAttributesRequest {
            handle: self.resolve(path).await?,
        };
        let answer = self
            .transport
            .call(request, path, |mut c, r| async move { c.get_attributes(r).await })
            .await;
        Ok(answered(answer)?.attributes.into())
    }

    /// Makes a file: one that is ours alone where `identity` is given, else whichever has the name.
    pub(super) async fn create(
        &self,
        place: &Place<'_>,
        path: &str,
        identity: Option<u64>,
    ) -> Result<Bytes, Error> {
        let mode = if identity.is_some() {
            pb::CreateMode::Exclusive
        } else {
            pb::CreateMode::Unchecked
        };
        let request = pb::StorageServiceCreateRequest {
            directory: place.directory.clone(),
            name: place.name.to_owned(),
            mode: mode.into(),
            permissions: 0,
            verifier: identity.map_or_else(Bytes::new, |identity| {
                Bytes::copy_from_slice(&identity.to_be_bytes())
            }),
        };
        let answer = self
            .transport
            .call(request, path, |mut c, r| async move { c.create(r).await })
            .await;
        Ok(answered(answer)?.handle)
    }

    pub(super) async fn remove_place(
        &self,
        place: &Place<'_>,
        path: &str,
        is_directory: bool,
    ) -> Result<(), Error> {
        let request = pb::RemoveRequest {
            directory: place.directory.clone(),
            name: place.name.to_owned(),
            is_directory,
        };
        let answer = self
            .transport
            .call(request, path, |mut c, r| async move { c.remove(r).await })
            .await;
        match answer.outcome {
            // Removed by an attempt whose answer was lost.
            Err(Error::NotFound { .. }) if answer.retried => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    pub(super) async fn rename_place(
        &self,
        from: &Place<'_>,
        moved: &Bytes,
        to: &Place<'_>,
        path: &str,
    ) -> Result<(), Error> {
        let request = pb::RenameRequest {
            from_directory: from.directory.clone(),
            from_name: from.name.to_owned(),
            to_directory: to.directory.clone(),
            to_name: to.name.to_owned(),
        };
        let answer = self
            .transport
            .call(request, path, |mut c, r| async move { c.rename(r).await })
            .await;
        match answer.outcome {
            // Renamed by an attempt whose answer was lost, if the file is there now. A handle is the same bytes for
            // the same file every time.
            Err(Error::NotFound { .. }) if answer.retried => {
                let request = pb::LookupRequest {
                    directory: to.directory.clone(),
                    name: to.name.to_owned(),
                };
                let found = self
                    .transport
                    .call(request, path, |mut c, r| async move { c.lookup(r).await })
                    .await;
                if answered(found)?.handle == *moved {
                    Ok(())
                } else {
                    Err(Error::NotFound {
                        path: path.to_owned(),
                    })
                }
            }
            outcome => outcome.map(|_| ()),
        }
    }
}

pub(super) async fn mount_root(transport: &Transport, export: &str, create: bool) -> Result<Bytes, Error> {
    let request = pb::MountRequest {
        export: export.to_owned(),
        create,
    };
    Ok(answered(
        transport
            .call(request, export, |mut c, r| async move { c.mount(r).await })
            .await,
    )?
    .root)
}

pub(super) fn components(path: &str) -> Result<Vec<&str>, Error> {
    let components: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
    let why = if components.iter().any(|name| matches!(*name, "." | "..")) {
        "it has . or .. in it"
    } else if components.len() > MAX_COMPONENTS {
        "it leads more than 64 directories deep"
    } else {
        return Ok(components);
    };
    Err(Error::InvalidPath {
        path: path.to_owned(),
        why,
    })
}
