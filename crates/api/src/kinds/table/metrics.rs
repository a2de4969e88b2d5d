//! Rows of metrics.k8s.io: what nodes and pods use. They are read, and never stored.

use super::{CLUSTER_FIELDS, META_FIELDS, Place, Resource};
use crate::metrics::{NodeMetrics, PodMetrics};
use crate::object::BuiltIn;

/// NodeMetrics: what a node uses.
pub static NODE_METRICS: &Resource = &Resource {
    place: Place::NODE_METRICS as usize,
    group: "metrics.k8s.io",
    version: "v1beta1",
    kind: "NodeMetrics",
    plural: "nodes",
    singular: "nodemetrics",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: &["get", "list"],
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/metrics.k8s.io/nodes/",
    api_version: "metrics.k8s.io/v1beta1",
    stored_as: None,
    decode: <NodeMetrics as BuiltIn>::decode,
};

/// PodMetrics: what a pod uses.
pub static POD_METRICS: &Resource = &Resource {
    place: Place::POD_METRICS as usize,
    group: "metrics.k8s.io",
    version: "v1beta1",
    kind: "PodMetrics",
    plural: "pods",
    singular: "podmetrics",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: &["get", "list"],
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/metrics.k8s.io/pods/",
    api_version: "metrics.k8s.io/v1beta1",
    stored_as: None,
    decode: <PodMetrics as BuiltIn>::decode,
};
