//! Rows of storage.k8s.io: classes of storage, and drivers.

use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};

use super::{ALL_VERBS, CLUSTER_FIELDS, META_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// StorageClasses: how volumes are provisioned.
pub static STORAGE_CLASS: &Resource = &Resource {
    place: Place::STORAGE_CLASS as usize,
    group: "storage.k8s.io",
    version: "v1",
    kind: "StorageClass",
    plural: "storageclasses",
    singular: "storageclass",
    short_names: &["sc"],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/storage.k8s.io/storageclasses/",
    api_version: "storage.k8s.io/v1",
    stored_as: None,
    decode: <StorageClass as BuiltIn>::decode,
};

/// VolumeAttachments: which volume is attached to which node.
pub static VOLUME_ATTACHMENT: &Resource = &Resource {
    place: Place::VOLUME_ATTACHMENT as usize,
    group: "storage.k8s.io",
    version: "v1",
    kind: "VolumeAttachment",
    plural: "volumeattachments",
    singular: "volumeattachment",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "VolumeAttachment", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/storage.k8s.io/volumeattachments/",
    api_version: "storage.k8s.io/v1",
    stored_as: None,
    decode: <VolumeAttachment as BuiltIn>::decode,
};

/// CSIDrivers: what a storage driver can do.
pub static CSI_DRIVER: &Resource = &Resource {
    place: Place::CSI_DRIVER as usize,
    group: "storage.k8s.io",
    version: "v1",
    kind: "CSIDriver",
    plural: "csidrivers",
    singular: "csidriver",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/storage.k8s.io/csidrivers/",
    api_version: "storage.k8s.io/v1",
    stored_as: None,
    decode: <CSIDriver as BuiltIn>::decode,
};

/// CSINodes: which storage drivers a node has.
pub static CSI_NODE: &Resource = &Resource {
    place: Place::CSI_NODE as usize,
    group: "storage.k8s.io",
    version: "v1",
    kind: "CSINode",
    plural: "csinodes",
    singular: "csinode",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/storage.k8s.io/csinodes/",
    api_version: "storage.k8s.io/v1",
    stored_as: None,
    decode: <CSINode as BuiltIn>::decode,
};

/// CSIStorageCapacities: how much a class can still provide.
pub static CSI_STORAGE_CAPACITY: &Resource = &Resource {
    place: Place::CSI_STORAGE_CAPACITY as usize,
    group: "storage.k8s.io",
    version: "v1",
    kind: "CSIStorageCapacity",
    plural: "csistoragecapacities",
    singular: "csistoragecapacity",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/storage.k8s.io/csistoragecapacities/",
    api_version: "storage.k8s.io/v1",
    stored_as: None,
    decode: <CSIStorageCapacity as BuiltIn>::decode,
};
