//! Finding and making what a pod mounts, before its containers start.
//!
//! It may take long (a claim that is not bound, a storage service that is down) and is then tried again; each attempt
//! ends with all volumes or with the reason why not, which becomes an event.

use std::{collections::BTreeMap, fs, io, path::PathBuf, sync::Arc};

use coracle_api::{ApiError, kinds, view::MetaView};
use coracle_client::ObjectApi;
use coracle_service::Env;
use serde::Deserialize;

use super::{Store, Volume, Volumes, local::LocalStore, nfs::Mounter, relative};
use crate::{
    pods::view::{ClaimSource, FilesSource, NfsSource, PodView, VolumeSpec, or_default},
    volumes::local,
};

/// The port of a volume's server that names none.
const STORAGE_PORT: u16 = 2049;
/// The server name that stands for the cluster's own storage service.
const STORAGE_NAME: &str = "storage";

/// What preparing volumes needs.
#[derive(Clone)]
pub struct Preparer {
    /// The apiserver.
    pub api: Arc<dyn ObjectApi>,
    /// The process's surroundings.
    pub env: Env,
    /// How it mounts exports.
    pub mounter: Mounter,
    /// Below it, `pods/UID` is a pod's and `host/NODE` a node's.
    pub data_dir: PathBuf,
    /// Where the cluster's own storage service is, `HOST:PORT`.
    pub storage: Option<String>,
}

/// Why a pod's volumes are not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An object that a volume refers to cannot be had.
    #[error("MountVolume.SetUp failed for volume {volume:?} : {source}")]
    Object {
        /// The volume.
        volume: Box<str>,
        /// Why.
        source: ApiError,
    },
    /// A claim has no volume yet.
    #[error(
        "MountVolume.SetUp failed for volume {volume:?} : persistentvolumeclaim {claim:?} is not bound yet"
    )]
    Unbound {
        /// The volume.
        volume: Box<str>,
        /// The claim.
        claim: Box<str>,
    },
    /// The claim of an ephemeral volume belongs to somebody else.
    #[error(
        "MountVolume.SetUp failed for volume {volume:?} : PVC {claim} was not created for pod {pod} (pod is not owner)"
    )]
    NotOwner {
        /// The volume.
        volume: Box<str>,
        /// The claim.
        claim: Box<str>,
        /// The pod.
        pod: Box<str>,
    },
    /// A kind of volume that is not known here.
    #[error("MountVolume.SetUp failed for volume {0:?} : this kind of volume is not supported")]
    Unsupported(Box<str>),
    /// The disk or the storage service.
    #[error("MountVolume.SetUp failed for volume {volume:?} : {source}")]
    Io {
        /// The volume.
        volume: Box<str>,
        /// Why.
        source: io::Error,
    },
}

#[derive(Deserialize)]
struct ClaimView {
    #[serde(default)]
    metadata: MetaView,
    #[serde(default)]
    spec: ClaimSpec,
    #[serde(default)]
    status: PhaseView,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClaimSpec {
    #[serde(deserialize_with = "or_default")]
    volume_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PhaseView {
    phase: String,
}

#[derive(Deserialize)]
struct PersistentVolumeView {
    spec: PersistentVolumeSpec,
}

#[derive(Deserialize)]
struct PersistentVolumeSpec {
    nfs: Option<NfsSource>,
    #[serde(rename = "hostPath")]
    host_path: Option<crate::pods::view::HostPath>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DataView {
    #[serde(deserialize_with = "or_default")]
    data: BTreeMap<String, String>,
}

impl Preparer {
    /// A pod's own folder.
    #[must_use]
    pub fn pod_folder(&self, uid: &str) -> PathBuf {
        self.data_dir.join("pods").join(uid)
    }

    /// All volumes of a pod.
    ///
    /// # Errors
    /// The first that cannot be had.
    pub async fn prepare(&self, pod: &PodView) -> Result<Volumes, Error> {
        let mut volumes = Volumes::new();
        for volume in &pod.spec.volumes {
            volumes.insert(volume.name.clone(), self.volume(pod, volume).await?);
        }
        Ok(volumes)
    }

    async fn volume(&self, pod: &PodView, volume: &VolumeSpec) -> Result<Volume, Error> {
        let writable = |store| Volume {
            store,
            read_only: false,
        };
        if volume.empty_dir.is_some() {
            return Ok(writable(self.own_folder(pod, volume)));
        }
        if let Some(source) = &volume.host_path {
            return self.host_path(pod, volume, &source.path).map(writable);
        }
        if let Some(source) = &volume.nfs {
            return self.nfs(volume, source).await;
        }
        if let Some(source) = &volume.persistent_volume_claim {
            return self.claim(pod, volume, source, false).await;
        }
        if volume.ephemeral.is_some() {
            let source = ClaimSource {
                claim_name: format!("{}-{}", pod.metadata.name, volume.name).into(),
                read_only: false,
            };
            return self.claim(pod, volume, &source, true).await;
        }
        if let Some(source) = &volume.config_map {
            return self.files(pod, volume, source, false).await;
        }
        if let Some(source) = &volume.secret {
            return self.files(pod, volume, source, true).await;
        }
        Err(Error::Unsupported(volume.name.clone()))
    }

    fn own_folder(&self, pod: &PodView, volume: &VolumeSpec) -> Arc<dyn Store> {
        let folder = self
            .pod_folder(&pod.metadata.uid)
            .join("volumes")
            .join(&*volume.name);
        Arc::new(LocalStore::new(folder, self.env.spawn))
    }

    fn host_path(&self, pod: &PodView, volume: &VolumeSpec, path: &str) -> Result<Arc<dyn Store>, Error> {
        let inside = relative("", path).map_err(|source| Error::Io {
            volume: volume.name.clone(),
            source,
        })?;
        let folder = self.data_dir.join("host").join(&*pod.spec.node_name).join(inside);
        Ok(Arc::new(LocalStore::new(folder, self.env.spawn)))
    }

    /// A claim's volume; with `own`, only that of a claim which was made for the pod.
    async fn claim(
        &self,
        pod: &PodView,
        volume: &VolumeSpec,
        source: &ClaimSource,
        own: bool,
    ) -> Result<Volume, Error> {
        let failed = |source| Error::Object {
            volume: volume.name.clone(),
            source,
        };
        let claim = self
            .api
            .get(
                kinds::PERSISTENT_VOLUME_CLAIM,
                &pod.metadata.namespace,
                &source.claim_name,
            )
            .await
            .map_err(failed)?;
        let claim: ClaimView = claim.read().map_err(failed)?;
        if own
            && claim
                .metadata
                .controller()
                .is_none_or(|owner| *owner.uid != *pod.metadata.uid)
        {
            return Err(Error::NotOwner {
                volume: volume.name.clone(),
                claim: source.claim_name.clone(),
                pod: pod.metadata.name.clone(),
            });
        }
        if claim.spec.volume_name.is_empty() || claim.status.phase != "Bound" {
            return Err(Error::Unbound {
                volume: volume.name.clone(),
                claim: source.claim_name.clone(),
            });
        }
        let found = self
            .api
            .get(kinds::PERSISTENT_VOLUME, "", &claim.spec.volume_name)
            .await
            .map_err(failed)?;
        let found: PersistentVolumeView = found.read().map_err(failed)?;
        let mut mounted = match (&found.spec.nfs, &found.spec.host_path) {
            (Some(nfs), _) => self.nfs(volume, nfs).await?,
            (None, Some(host)) => Volume {
                store: self.host_path(pod, volume, &host.path)?,
                read_only: false,
            },
            (None, None) => return Err(Error::Unsupported(volume.name.clone())),
        };
        mounted.read_only |= source.read_only;
        Ok(mounted)
    }

    async fn nfs(&self, volume: &VolumeSpec, source: &NfsSource) -> Result<Volume, Error> {
        let server = storage_address(&source.server, self.storage.as_deref());
        let store = self.mounter.mount(&server, &source.path).await;
        let store = store.map_err(|source| Error::Io {
            volume: volume.name.clone(),
            source,
        })?;
        Ok(Volume {
            store,
            read_only: source.read_only,
        })
    }

    async fn files(
        &self,
        pod: &PodView,
        volume: &VolumeSpec,
        source: &FilesSource,
        secret: bool,
    ) -> Result<Volume, Error> {
        let (resource, name) = match secret {
            true => (kinds::SECRET, &source.secret_name),
            false => (kinds::CONFIG_MAP, &source.name),
        };
        let data = match self.api.get(resource, &pod.metadata.namespace, name).await {
            Ok(object) => object.read::<DataView>().map(|view| view.data),
            Err(error) if error.is_not_found() && source.optional => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        };
        let data = data.map_err(|source| Error::Object {
            volume: volume.name.clone(),
            source,
        })?;
        let folder = self
            .pod_folder(&pod.metadata.uid)
            .join("volumes")
            .join(&*volume.name);
        let written = self.env.spawn.blocking({
            let (source, folder) = (source.clone(), folder.clone());
            move || write_files(&folder, &data, &source, secret)
        });
        let written = async { written.await? }.await;
        written.map_err(|source| Error::Io {
            volume: volume.name.clone(),
            source,
        })?;
        Ok(Volume {
            store: Arc::new(LocalStore::new(folder, self.env.spawn)),
            read_only: true,
        })
    }
}

/// `HOST:PORT` of a volume's server.
fn storage_address(server: &str, storage: Option<&str>) -> String {
    match storage {
        Some(storage) if server == STORAGE_NAME => storage.to_owned(),
        _ if server.contains(':') => server.to_owned(),
        _ => format!("{server}:{STORAGE_PORT}"),
    }
}

fn write_files(
    folder: &std::path::Path,
    data: &BTreeMap<String, String>,
    source: &FilesSource,
    secret: bool,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let all = data.iter().map(|(key, value)| (key.as_str(), value));
    let chosen: Vec<(&str, &String)> = match source.items.is_empty() {
        true => all.collect(),
        false => {
            let items = source.items.iter();
            items
                .filter_map(|item| Some((&*item.path, data.get(&*item.key)?)))
                .collect()
        }
    };
    for (path, value) in chosen {
        let contents = if secret {
            decode_secret(value)?
        } else {
            value.clone().into_bytes()
        };
        local::replace(&folder.join(relative("", path)?), &contents)?;
    }
    Ok(())
}

/// A Secret's value, which travels in base64.
pub(crate) fn decode_secret(value: &str) -> io::Result<Vec<u8>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD
        .decode(value)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_own_storage_has_a_name() {
        let check = |server: &str, storage: Option<&str>, expected: &str| {
            assert_eq!(storage_address(server, storage), expected, "{server} {storage:?}");
        };
        check("storage", None, "storage:2049");
        check("storage", Some("127.0.0.1:4711"), "127.0.0.1:4711");
        check("nfs.example.com", Some("127.0.0.1:4711"), "nfs.example.com:2049");
        check("10.0.0.1:111", None, "10.0.0.1:111");
    }
}
