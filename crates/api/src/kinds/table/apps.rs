//! Rows of `apps`.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::{ALL_VERBS, META_FIELDS, Place, READ_WRITE, Resource, SCALE, own};
use crate::object::BuiltIn;

/// ReplicaSets: a number of equal pods.
pub static REPLICA_SET: &Resource = &Resource {
    place: Place::REPLICA_SET as usize,
    group: "apps",
    version: "v1",
    kind: "ReplicaSet",
    plural: "replicasets",
    singular: "replicaset",
    short_names: &["rs"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[SCALE, own("status", "ReplicaSet", READ_WRITE)],
    selectable_fields: &["metadata.name", "metadata.namespace", "status.replicas"],
    store_prefix: "/apps/replicasets/",
    api_version: "apps/v1",
    stored_as: None,
    decode: <ReplicaSet as BuiltIn>::decode,
};

/// Deployments: ReplicaSets that roll.
pub static DEPLOYMENT: &Resource = &Resource {
    place: Place::DEPLOYMENT as usize,
    group: "apps",
    version: "v1",
    kind: "Deployment",
    plural: "deployments",
    singular: "deployment",
    short_names: &["deploy"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[SCALE, own("status", "Deployment", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/apps/deployments/",
    api_version: "apps/v1",
    stored_as: None,
    decode: <Deployment as BuiltIn>::decode,
};
