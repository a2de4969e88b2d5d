//! Rows of scheduling.k8s.io: which pods come first.

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{ALL_VERBS, CLUSTER_FIELDS, Place, Resource};
use crate::object::BuiltIn;

/// PriorityClasses: names of priorities.
pub static PRIORITY_CLASS: &Resource = &Resource {
    place: Place::PRIORITY_CLASS as usize,
    group: "scheduling.k8s.io",
    version: "v1",
    kind: "PriorityClass",
    plural: "priorityclasses",
    singular: "priorityclass",
    short_names: &["pc"],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/scheduling.k8s.io/priorityclasses/",
    api_version: "scheduling.k8s.io/v1",
    stored_as: None,
    decode: <PriorityClass as BuiltIn>::decode,
};
