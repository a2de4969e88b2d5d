//! PersistentVolumeClaims.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::persistent_volume::{phase, storage_class};
use super::{AGE, Column, NAME, Printer, format, or_else};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Status", "Whether the claim has its volume."),
        Column::text("Volume", "The volume that it is bound to."),
        Column::text("Capacity", "How much that volume holds."),
        Column::text("Access Modes", "How that volume may be mounted."),
        Column::text("StorageClass", "The class that it asks for."),
        Column::text("VolumeAttributesClass", "The class of its changeable attributes."),
        AGE,
        Column::text("VolumeMode", "Whether it is a file system or a block device.").wide(),
    ],
    cells: |json, now| {
        let View {
            metadata,
            spec,
            status,
        } = serde_json::from_slice(json)?;
        let bound = !spec.volume_name.is_empty();
        let capacity = status
            .capacity
            .get("storage")
            .filter(|_| bound)
            .map_or("", String::as_str);
        let modes = if bound {
            format::access_modes(&status.access_modes)
        } else {
            String::new()
        };
        Ok(vec![
            metadata.name.as_str().into(),
            phase(&metadata, &status.phase).into(),
            spec.volume_name.as_str().into(),
            capacity.into(),
            modes.into(),
            storage_class(&metadata, &spec.storage_class_name).into(),
            or_else(&spec.volume_attributes_class_name, "<unset>"),
            metadata.age(now).into(),
            or_else(&spec.volume_mode, "<unset>"),
        ])
    },
};

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    volume_name: String,
    storage_class_name: String,
    volume_attributes_class_name: String,
    volume_mode: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    capacity: BTreeMap<String, String>,
    access_modes: Vec<String>,
}
