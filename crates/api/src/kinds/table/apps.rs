//! Rows of `apps`.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};

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

/// DaemonSets: a pod on every node.
pub static DAEMON_SET: &Resource = &Resource {
    place: Place::DAEMON_SET as usize,
    group: "apps",
    version: "v1",
    kind: "DaemonSet",
    plural: "daemonsets",
    singular: "daemonset",
    short_names: &["ds"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "DaemonSet", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/apps/daemonsets/",
    api_version: "apps/v1",
    stored_as: None,
    decode: <DaemonSet as BuiltIn>::decode,
};

/// StatefulSets: pods with names and storage of their own.
pub static STATEFUL_SET: &Resource = &Resource {
    place: Place::STATEFUL_SET as usize,
    group: "apps",
    version: "v1",
    kind: "StatefulSet",
    plural: "statefulsets",
    singular: "statefulset",
    short_names: &["sts"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[SCALE, own("status", "StatefulSet", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/apps/statefulsets/",
    api_version: "apps/v1",
    stored_as: None,
    decode: <StatefulSet as BuiltIn>::decode,
};

/// ControllerRevisions: earlier states of DaemonSets and StatefulSets.
pub static CONTROLLER_REVISION: &Resource = &Resource {
    place: Place::CONTROLLER_REVISION as usize,
    group: "apps",
    version: "v1",
    kind: "ControllerRevision",
    plural: "controllerrevisions",
    singular: "controllerrevision",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/apps/controllerrevisions/",
    api_version: "apps/v1",
    stored_as: None,
    decode: <ControllerRevision as BuiltIn>::decode,
};
