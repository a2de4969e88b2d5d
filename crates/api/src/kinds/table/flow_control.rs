//! Rows of flowcontrol.apiserver.k8s.io: which requests come first.

use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};

use super::{ALL_VERBS, CLUSTER_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// FlowSchemas: which requests belong together.
pub static FLOW_SCHEMA: &Resource = &Resource {
    place: Place::FLOW_SCHEMA as usize,
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "FlowSchema",
    plural: "flowschemas",
    singular: "flowschema",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "FlowSchema", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/flowcontrol.apiserver.k8s.io/flowschemas/",
    api_version: "flowcontrol.apiserver.k8s.io/v1",
    stored_as: None,
    decode: <FlowSchema as BuiltIn>::decode,
};

/// PriorityLevelConfigurations: how many requests of a kind run at a time.
pub static PRIORITY_LEVEL_CONFIGURATION: &Resource = &Resource {
    place: Place::PRIORITY_LEVEL_CONFIGURATION as usize,
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "PriorityLevelConfiguration",
    plural: "prioritylevelconfigurations",
    singular: "prioritylevelconfiguration",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "PriorityLevelConfiguration", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/flowcontrol.apiserver.k8s.io/prioritylevelconfigurations/",
    api_version: "flowcontrol.apiserver.k8s.io/v1",
    stored_as: None,
    decode: <PriorityLevelConfiguration as BuiltIn>::decode,
};
