//! Rows of the core group about pods: what runs them, bounds them and finds them.

use k8s_openapi::api::core::v1::{
    Binding, Endpoints, LimitRange, Pod, PodTemplate, ReplicationController, ResourceQuota,
};

use super::{ALL_VERBS, META_FIELDS, PROXY_VERBS, Place, READ_WRITE, Resource, SCALE, Subresource, own};
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
        own("attach", "PodAttachOptions", &["create", "get"]),
        own("binding", "Binding", &["create"]),
        own("ephemeralcontainers", "Pod", READ_WRITE),
        Subresource {
            name: "eviction",
            group: "policy",
            version: "v1",
            kind: "Eviction",
            verbs: &["create"],
        },
        own("exec", "PodExecOptions", &["create", "get"]),
        own("log", "Pod", &["get"]),
        own("portforward", "PodPortForwardOptions", &["create", "get"]),
        own("proxy", "PodProxyOptions", PROXY_VERBS),
        own("resize", "Pod", READ_WRITE),
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

/// Bindings: only ever created, each for the pod of its own name.
pub static BINDING: &Resource = &Resource {
    place: Place::BINDING as usize,
    group: "",
    version: "v1",
    kind: "Binding",
    plural: "bindings",
    singular: "binding",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: &["create"],
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/bindings/",
    api_version: "v1",
    stored_as: None,
    decode: <Binding as BuiltIn>::decode,
};

/// ReplicationControllers: what ReplicaSets were before labels had expressions.
pub static REPLICATION_CONTROLLER: &Resource = &Resource {
    place: Place::REPLICATION_CONTROLLER as usize,
    group: "",
    version: "v1",
    kind: "ReplicationController",
    plural: "replicationcontrollers",
    singular: "replicationcontroller",
    short_names: &["rc"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[SCALE, own("status", "ReplicationController", READ_WRITE)],
    selectable_fields: &["metadata.name", "metadata.namespace", "status.replicas"],
    store_prefix: "/replicationcontrollers/",
    api_version: "v1",
    stored_as: None,
    decode: <ReplicationController as BuiltIn>::decode,
};

/// PodTemplates: templates that stand alone.
pub static POD_TEMPLATE: &Resource = &Resource {
    place: Place::POD_TEMPLATE as usize,
    group: "",
    version: "v1",
    kind: "PodTemplate",
    plural: "podtemplates",
    singular: "podtemplate",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/podtemplates/",
    api_version: "v1",
    stored_as: None,
    decode: <PodTemplate as BuiltIn>::decode,
};

/// Endpoints: the addresses behind a Service, all in one object.
pub static ENDPOINTS: &Resource = &Resource {
    place: Place::ENDPOINTS as usize,
    group: "",
    version: "v1",
    kind: "Endpoints",
    plural: "endpoints",
    singular: "endpoints",
    short_names: &["ep"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/endpoints/",
    api_version: "v1",
    stored_as: None,
    decode: <Endpoints as BuiltIn>::decode,
};

/// LimitRanges: what one object in a namespace may ask for.
pub static LIMIT_RANGE: &Resource = &Resource {
    place: Place::LIMIT_RANGE as usize,
    group: "",
    version: "v1",
    kind: "LimitRange",
    plural: "limitranges",
    singular: "limitrange",
    short_names: &["limits"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/limitranges/",
    api_version: "v1",
    stored_as: None,
    decode: <LimitRange as BuiltIn>::decode,
};

/// ResourceQuotas: what all objects in a namespace may ask for together.
pub static RESOURCE_QUOTA: &Resource = &Resource {
    place: Place::RESOURCE_QUOTA as usize,
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    plural: "resourcequotas",
    singular: "resourcequota",
    short_names: &["quota"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "ResourceQuota", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/resourcequotas/",
    api_version: "v1",
    stored_as: None,
    decode: <ResourceQuota as BuiltIn>::decode,
};
