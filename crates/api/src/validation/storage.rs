//! PersistentVolumes and PersistentVolumeClaims.

use k8s_openapi::api::core::v1::{
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec,
};

use super::affinity::node_selector;
use super::check::{Errors, IMMUTABLE, form, one_of, required, text};
use super::resources::amounts;
use super::selector::label_selector;
use super::volume::{host_path, nfs};
use crate::field_error::{FieldError, Path, Value};
use crate::names;
use crate::quantity::Quantity;

const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const RECLAIM_POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];
const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];

/// Mistakes in a PersistentVolume, outside its metadata.
pub fn volume(volume: &PersistentVolume) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &volume.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    access_modes(&mut errors, spec.access_modes.as_deref(), "", &path);
    match &spec.capacity {
        Some(capacity) if !capacity.is_empty() => {
            let path = path.child("capacity");
            if !capacity.contains_key("storage") || capacity.len() > 1 {
                errors.push(FieldError::not_supported(
                    &path,
                    Value::json(capacity),
                    &["storage"],
                ));
            }
            amounts(&mut errors, capacity, &path);
            positive(&mut errors, capacity.get("storage"), &path.key("storage"));
        }
        _ => errors.push(FieldError::required(&path.child("capacity"), "")),
    }
    one_of(
        &mut errors,
        &path,
        "persistentVolumeReclaimPolicy",
        &spec.persistent_volume_reclaim_policy,
        RECLAIM_POLICIES,
    );
    one_of(&mut errors, &path, "volumeMode", &spec.volume_mode, VOLUME_MODES);
    storage_class(&mut errors, text(&spec.storage_class_name), &path);
    if let Some(required) = spec
        .node_affinity
        .as_ref()
        .and_then(|affinity| affinity.required.as_ref())
    {
        node_selector(
            &mut errors,
            required,
            &path.child("nodeAffinity").child("required"),
        );
    }
    source(&mut errors, spec, &path);
    errors
}

fn source(errors: &mut Errors, spec: &PersistentVolumeSpec, path: &Path) {
    let known = [
        ("hostPath", spec.host_path.is_some()),
        ("nfs", spec.nfs.is_some()),
        ("local", spec.local.is_some()),
        ("csi", spec.csi.is_some()),
        ("iscsi", spec.iscsi.is_some()),
        ("fc", spec.fc.is_some()),
        ("cephfs", spec.cephfs.is_some()),
        ("rbd", spec.rbd.is_some()),
        ("glusterfs", spec.glusterfs.is_some()),
        ("flexVolume", spec.flex_volume.is_some()),
        ("awsElasticBlockStore", spec.aws_elastic_block_store.is_some()),
        ("azureDisk", spec.azure_disk.is_some()),
        ("azureFile", spec.azure_file.is_some()),
        ("cinder", spec.cinder.is_some()),
        ("gcePersistentDisk", spec.gce_persistent_disk.is_some()),
        ("vsphereVolume", spec.vsphere_volume.is_some()),
    ];
    let mut set = known.iter().filter(|(_, is_set)| *is_set);
    if set.next().is_none() {
        errors.push(FieldError::required(path, "must specify a volume type"));
    }
    for (name, _) in set {
        errors.push(FieldError::forbidden(
            &path.child(name),
            "may not specify more than 1 volume type",
        ));
    }
    if let Some(own) = &spec.host_path {
        host_path(errors, &own.path, text(&own.type_), &path.child("hostPath"));
    }
    if let Some(own) = &spec.nfs {
        nfs(errors, own, &path.child("nfs"));
    }
    if let Some(own) = &spec.csi {
        let path = path.child("csi");
        required(errors, &path, "driver", &own.driver);
        required(errors, &path, "volumeHandle", &own.volume_handle);
    }
    let recycles = text(&spec.persistent_volume_reclaim_policy) == "Recycle";
    if recycles && spec.host_path.as_ref().is_some_and(|own| own.path == "/") {
        let detail = "may not be 'recycle' for a hostPath mount of '/'";
        errors.push(FieldError::forbidden(
            &path.child("persistentVolumeReclaimPolicy"),
            detail,
        ));
    }
    if let Some(own) = &spec.local {
        if own.path.is_empty() {
            errors.push(FieldError::required(&path.child("local").child("path"), ""));
        }
        if spec.node_affinity.is_none() {
            let detail = "Local volume requires node affinity";
            errors.push(FieldError::required(&path.child("nodeAffinity"), detail));
        }
    }
}

/// Mistakes in the change of a PersistentVolume: what it is made from stands for ever.
pub fn volume_update(new: &PersistentVolume, old: &PersistentVolume) -> Vec<FieldError> {
    let mut errors = volume(new);
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else {
        return errors;
    };
    let path = Path::new("spec");
    let same_source = PersistentVolumeSpec {
        access_modes: new.access_modes.clone(),
        capacity: new.capacity.clone(),
        claim_ref: new.claim_ref.clone(),
        mount_options: new.mount_options.clone(),
        node_affinity: new.node_affinity.clone(),
        persistent_volume_reclaim_policy: new.persistent_volume_reclaim_policy.clone(),
        storage_class_name: new.storage_class_name.clone(),
        volume_attributes_class_name: new.volume_attributes_class_name.clone(),
        volume_mode: new.volume_mode.clone(),
        ..old.clone()
    };
    if *new != same_source {
        let detail = "spec.persistentvolumesource is immutable after creation";
        errors.push(FieldError::forbidden(
            &path.child("persistentvolumesource"),
            detail,
        ));
    }
    if new.volume_mode != old.volume_mode {
        errors.push(FieldError::invalid(
            &path.child("volumeMode"),
            text(&new.volume_mode),
            IMMUTABLE,
        ));
    }
    if old.node_affinity.is_some() && new.node_affinity != old.node_affinity {
        let detail = "field is immutable, except for updating from beta label to GA";
        let shown = Value::json(&new.node_affinity);
        errors.push(FieldError::invalid(&path.child("nodeAffinity"), shown, detail));
    }
    errors
}

/// Mistakes in a PersistentVolumeClaim, outside its metadata.
pub fn claim(claim: &PersistentVolumeClaim) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &claim.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    access_modes(
        &mut errors,
        spec.access_modes.as_deref(),
        "at least 1 access mode is required",
        &path,
    );
    if let Some(selector) = &spec.selector {
        errors.extend(label_selector(selector, &path.child("selector")));
    }
    let requests_path = path.child("resources");
    match spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref())
    {
        Some(requests) if requests.contains_key("storage") => {
            amounts(&mut errors, requests, &requests_path.child("requests"));
            let path = requests_path.child("requests").key("storage");
            positive(&mut errors, requests.get("storage"), &path);
        }
        _ => errors.push(FieldError::required(&requests_path.key("storage"), "")),
    }
    storage_class(&mut errors, text(&spec.storage_class_name), &path);
    one_of(&mut errors, &path, "volumeMode", &spec.volume_mode, VOLUME_MODES);
    if let Some(source) = &spec.data_source {
        let path = path.child("dataSource");
        required(&mut errors, &path, "name", &source.name);
        required(&mut errors, &path, "kind", &source.kind);
        if text(&source.api_group).is_empty() && !matches!(source.kind.as_str(), "" | "PersistentVolumeClaim")
        {
            let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            errors.push(FieldError::invalid(&path, &source.kind, detail));
        }
    }
    errors
}

/// Mistakes in the change of a PersistentVolumeClaim: only its size may grow, and its volume be filled in.
pub fn claim_update(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> Vec<FieldError> {
    let mut errors = claim(new);
    let (Some(spec), Some(had)) = (&new.spec, &old.spec) else {
        return errors;
    };
    let path = Path::new("spec");
    let mut allowed = PersistentVolumeClaimSpec {
        resources: spec.resources.clone(),
        volume_attributes_class_name: spec.volume_attributes_class_name.clone(),
        ..had.clone()
    };
    if text(&had.volume_name).is_empty() {
        allowed.volume_name.clone_from(&spec.volume_name);
    }
    if had.storage_class_name.is_none() {
        allowed.storage_class_name.clone_from(&spec.storage_class_name);
    }
    if *spec != allowed {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden(&path, detail));
    }
    let size = |spec: &PersistentVolumeClaimSpec| {
        let requests = spec.resources.as_ref()?.requests.as_ref()?;
        Quantity::from_api(requests.get("storage")?).ok()
    };
    if size(spec) < size(had) {
        let path = path.child("resources").child("requests").child("storage");
        errors.push(FieldError::forbidden(
            &path,
            "field can not be less than status.capacity",
        ));
    }
    errors
}

fn access_modes(errors: &mut Errors, modes: Option<&[String]>, none: &str, path: &Path) {
    let path = path.child("accessModes");
    let modes = modes.unwrap_or_default();
    if modes.is_empty() {
        errors.push(FieldError::required(&path, none));
    }
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(&mode.as_str())) {
        errors.push(FieldError::not_supported(&path, mode, ACCESS_MODES));
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(&path, detail));
    }
}

fn positive(
    errors: &mut Errors,
    amount: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>,
    path: &Path,
) {
    if let Some(Ok(parsed)) = amount.map(Quantity::from_api)
        && parsed <= Quantity::ZERO
    {
        errors.push(FieldError::invalid(
            path,
            parsed.to_string(),
            "must be greater than zero",
        ));
    }
}

fn storage_class(errors: &mut Errors, class: &str, path: &Path) {
    if !class.is_empty() {
        form(errors, path, "storageClassName", class, names::subdomain(class));
    }
}
