//! Volumes of pods and what they are made from.

use k8s_openapi::api::core::v1::{KeyToPath, NFSVolumeSource, Volume};

use super::check::{Errors, form, required, text};
use super::container::{no_way_up, relative};
use super::resources::quantity;
use crate::field_error::{FieldError, Path};
use crate::names;

const MODE_MAX: i32 = 0o777;
const HOST_PATH_TYPES: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// The volumes of a pod.
pub(super) fn volumes(errors: &mut Errors, own: &[Volume], path: &Path) {
    for (index, volume) in own.iter().enumerate() {
        let path = path.index(index);
        source(errors, volume, &path);
        match volume.name.as_str() {
            "" => errors.push(FieldError::required(&path.child("name"), "")),
            name => {
                form(errors, &path, "name", name, names::label(name));
                if own[..index].iter().any(|other| other.name == name) {
                    errors.push(FieldError::duplicate(&path.child("name"), name));
                }
            }
        }
    }
}

/// Names of the sources that are set.
fn sources(volume: &Volume) -> Vec<&'static str> {
    let known = [
        ("emptyDir", volume.empty_dir.is_some()),
        ("hostPath", volume.host_path.is_some()),
        ("nfs", volume.nfs.is_some()),
        ("persistentVolumeClaim", volume.persistent_volume_claim.is_some()),
        ("configMap", volume.config_map.is_some()),
        ("secret", volume.secret.is_some()),
        ("downwardAPI", volume.downward_api.is_some()),
        ("projected", volume.projected.is_some()),
        ("csi", volume.csi.is_some()),
        ("ephemeral", volume.ephemeral.is_some()),
        ("image", volume.image.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("fc", volume.fc.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("cephfs", volume.cephfs.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("awsElasticBlockStore", volume.aws_elastic_block_store.is_some()),
        ("azureDisk", volume.azure_disk.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("photonPersistentDisk", volume.photon_persistent_disk.is_some()),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("storageos", volume.storageos.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
    ];
    known
        .into_iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(name, _)| name)
        .collect()
}

fn source(errors: &mut Errors, volume: &Volume, path: &Path) {
    let set = sources(volume);
    if set.is_empty() {
        errors.push(FieldError::required(path, "must specify a volume type"));
    }
    for name in set.iter().skip(1) {
        errors.push(FieldError::forbidden(
            &path.child(name),
            "may not specify more than 1 volume type",
        ));
    }
    if let Some(limit) = volume
        .empty_dir
        .as_ref()
        .and_then(|source| source.size_limit.as_ref())
    {
        quantity(errors, limit, || path.child("emptyDir").child("sizeLimit"));
    }
    if let Some(source) = &volume.host_path {
        let path = path.child("hostPath");
        host_path(errors, &source.path, text(&source.type_), &path);
    }
    if let Some(source) = &volume.nfs {
        nfs(errors, source, &path.child("nfs"));
    }
    if let Some(source) = &volume.persistent_volume_claim {
        required(
            errors,
            &path.child("persistentVolumeClaim"),
            "claimName",
            &source.claim_name,
        );
    }
    if let Some(source) = &volume.config_map {
        let path = path.child("configMap");
        required(errors, &path, "name", &source.name);
        files(errors, source.default_mode, source.items.as_deref(), &path);
    }
    if let Some(source) = &volume.secret {
        let path = path.child("secret");
        required(errors, &path, "secretName", text(&source.secret_name));
        files(errors, source.default_mode, source.items.as_deref(), &path);
    }
    if let Some(source) = &volume.downward_api {
        mode(
            errors,
            source.default_mode,
            "defaultMode",
            &path.child("downwardAPI"),
        );
    }
    if let Some(source) = &volume.projected {
        mode(
            errors,
            source.default_mode,
            "defaultMode",
            &path.child("projected"),
        );
    }
}

/// A path on the node.
pub(super) fn host_path(errors: &mut Errors, own: &str, kind: &str, path: &Path) {
    required(errors, path, "path", own);
    no_way_up(errors, &path.child("path"), own);
    if !HOST_PATH_TYPES.contains(&kind) {
        errors.push(FieldError::not_supported(
            &path.child("type"),
            kind,
            HOST_PATH_TYPES,
        ));
    }
}

/// An export of a storage server.
pub(super) fn nfs(errors: &mut Errors, own: &NFSVolumeSource, path: &Path) {
    required(errors, path, "server", &own.server);
    match own.path.as_str() {
        "" => errors.push(FieldError::required(&path.child("path"), "")),
        own if !own.starts_with('/') => {
            errors.push(FieldError::invalid(
                &path.child("path"),
                own,
                "must be an absolute path",
            ));
        }
        _ => {}
    }
}

fn files(errors: &mut Errors, default_mode: Option<i32>, items: Option<&[KeyToPath]>, path: &Path) {
    mode(errors, default_mode, "defaultMode", path);
    for (index, item) in items.into_iter().flatten().enumerate() {
        let path = path.child("items").index(index);
        required(errors, &path, "key", &item.key);
        required(errors, &path, "path", &item.path);
        relative(errors, &path.child("path"), &item.path);
        mode(errors, item.mode, "mode", &path);
    }
}

fn mode(errors: &mut Errors, mode: Option<i32>, field: &str, path: &Path) {
    if let Some(mode) = mode.filter(|mode| !(0..=MODE_MAX).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(FieldError::invalid(&path.child(field), mode, detail));
    }
}
