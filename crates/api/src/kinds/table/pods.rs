//! Rows of the core group about pods.

use k8s_openapi::api::core::v1::Pod;

use super::{ALL_VERBS, Place, READ_WRITE, Resource, Subresource, own};
use crate::object::BuiltIn;

/// Pods: what runs.
pub static POD: &Resource = &Resource {
    place: Place::POD as usize,
    group: "",
    version: "v1",
    kind: "Pod",
    plural: "pods",
    singular: "pod",
    short_names: &["po"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[
        own("binding", "Binding", &["create"]),
        Subresource {
            name: "eviction",
            group: "policy",
            version: "v1",
            kind: "Eviction",
            verbs: &["create"],
        },
        own("log", "Pod", &["get"]),
        own("status", "Pod", READ_WRITE),
    ],
    selectable_fields: &[
        "metadata.name",
        "metadata.namespace",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ],
    store_prefix: "/pods/",
    api_version: "v1",
    stored_as: None,
    decode: <Pod as BuiltIn>::decode,
};
