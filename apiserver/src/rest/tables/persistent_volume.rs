//! PersistentVolumes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer, format, or_else};

/// The older way to name a storage class.
pub(super) const STORAGE_CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Capacity", "How much the volume holds."),
        Column::text("Access Modes", "How it may be mounted."),
        Column::text("Reclaim Policy", "What becomes of it when its claim is deleted."),
        Column::text("Status", "Whether it is free, bound or released."),
        Column::text("Claim", "The claim that it is bound to."),
        Column::text("StorageClass", "The class that it belongs to."),
        Column::text("VolumeAttributesClass", "The class of its changeable attributes."),
        Column::text("Reason", "Why it failed, where it did."),
        AGE,
        Column::text("VolumeMode", "Whether it is a file system or a block device.").wide(),
    ],
    cells: |json, now| {
        let View {
            metadata,
            spec,
            status,
        } = serde_json::from_slice(json)?;
        let claim = spec
            .claim_ref
            .map(|claim| format!("{}/{}", claim.namespace, claim.name))
            .unwrap_or_default();
        Ok(vec![
            metadata.name.as_str().into(),
            spec.capacity.get("storage").map_or("", String::as_str).into(),
            format::access_modes(&spec.access_modes).into(),
            spec.persistent_volume_reclaim_policy.into(),
            phase(&metadata, &status.phase).into(),
            claim.into(),
            storage_class(&metadata, &spec.storage_class_name).into(),
            or_else(&spec.volume_attributes_class_name, "<unset>"),
            status.reason.into(),
            metadata.age(now).into(),
            or_else(&spec.volume_mode, "<unset>"),
        ])
    },
};

/// The phase, overruled by a deletion under way.
pub(super) fn phase(metadata: &Metadata, phase: &str) -> String {
    if metadata.deletion_timestamp.is_some() {
        "Terminating".to_owned()
    } else {
        phase.to_owned()
    }
}

/// The storage class, by annotation or by field.
pub(super) fn storage_class(metadata: &Metadata, field: &str) -> String {
    metadata
        .annotations
        .get(STORAGE_CLASS_ANNOTATION)
        .map_or(field, String::as_str)
        .to_owned()
}

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    capacity: BTreeMap<String, String>,
    access_modes: Vec<String>,
    persistent_volume_reclaim_policy: String,
    claim_ref: Option<Claim>,
    storage_class_name: String,
    volume_attributes_class_name: String,
    volume_mode: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Claim {
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    phase: String,
    reason: String,
}
