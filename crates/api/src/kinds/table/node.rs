//! Rows of node.k8s.io: runtimes to choose from.

use k8s_openapi::api::node::v1::RuntimeClass;

use super::{ALL_VERBS, CLUSTER_FIELDS, Place, Resource};
use crate::object::BuiltIn;

/// RuntimeClasses: names of container runtimes.
pub static RUNTIME_CLASS: &Resource = &Resource {
    place: Place::RUNTIME_CLASS as usize,
    group: "node.k8s.io",
    version: "v1",
    kind: "RuntimeClass",
    plural: "runtimeclasses",
    singular: "runtimeclass",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/node.k8s.io/runtimeclasses/",
    api_version: "node.k8s.io/v1",
    stored_as: None,
    decode: <RuntimeClass as BuiltIn>::decode,
};
