//! Rows of the core group that others build on: namespaces, nodes, storage, configuration, Services, Events.

use k8s_openapi::api::core::v1::{
    ComponentStatus, ConfigMap, Event, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Secret,
    Service, ServiceAccount,
};

use super::{
    ALL_VERBS, CLUSTER_FIELDS, META_FIELDS, PROXY_VERBS, Place, READ_WRITE, Resource, Subresource, own,
};
use crate::object::BuiltIn;

/// Namespaces: the scope of most names.
pub static NAMESPACE: &Resource = &Resource {
    place: Place::NAMESPACE as usize,
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    singular: "namespace",
    short_names: &["ns"],
    categories: &[],
    namespaced: false,
    verbs: &["create", "delete", "get", "list", "patch", "update", "watch"],
    subresources: &[
        own("finalize", "Namespace", &["update"]),
        own("status", "Namespace", READ_WRITE),
    ],
    selectable_fields: &["metadata.name", "status.phase"],
    store_prefix: "/namespaces/",
    api_version: "v1",
    stored_as: None,
    decode: <Namespace as BuiltIn>::decode,
};

/// Nodes: the machines that run pods.
pub static NODE: &Resource = &Resource {
    place: Place::NODE as usize,
    group: "",
    version: "v1",
    kind: "Node",
    plural: "nodes",
    singular: "node",
    short_names: &["no"],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[
        own("proxy", "NodeProxyOptions", PROXY_VERBS),
        own("status", "Node", READ_WRITE),
    ],
    selectable_fields: &["metadata.name", "spec.unschedulable"],
    store_prefix: "/nodes/",
    api_version: "v1",
    stored_as: None,
    decode: <Node as BuiltIn>::decode,
};

/// PersistentVolumes: storage that outlives pods.
pub static PERSISTENT_VOLUME: &Resource = &Resource {
    place: Place::PERSISTENT_VOLUME as usize,
    group: "",
    version: "v1",
    kind: "PersistentVolume",
    plural: "persistentvolumes",
    singular: "persistentvolume",
    short_names: &["pv"],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "PersistentVolume", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/persistentvolumes/",
    api_version: "v1",
    stored_as: None,
    decode: <PersistentVolume as BuiltIn>::decode,
};

/// ServiceAccounts: identities of pods.
pub static SERVICE_ACCOUNT: &Resource = &Resource {
    place: Place::SERVICE_ACCOUNT as usize,
    group: "",
    version: "v1",
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    singular: "serviceaccount",
    short_names: &["sa"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[Subresource {
        name: "token",
        group: "authentication.k8s.io",
        version: "v1",
        kind: "TokenRequest",
        verbs: &["create"],
    }],
    selectable_fields: META_FIELDS,
    store_prefix: "/serviceaccounts/",
    api_version: "v1",
    stored_as: None,
    decode: <ServiceAccount as BuiltIn>::decode,
};

/// Secrets: data that the store seals.
pub static SECRET: &Resource = &Resource {
    place: Place::SECRET as usize,
    group: "",
    version: "v1",
    kind: "Secret",
    plural: "secrets",
    singular: "secret",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: &["metadata.name", "metadata.namespace", "type"],
    store_prefix: "/secrets/",
    api_version: "v1",
    stored_as: None,
    decode: <Secret as BuiltIn>::decode,
};

/// ConfigMaps: data that is not secret.
pub static CONFIG_MAP: &Resource = &Resource {
    place: Place::CONFIG_MAP as usize,
    group: "",
    version: "v1",
    kind: "ConfigMap",
    plural: "configmaps",
    singular: "configmap",
    short_names: &["cm"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/configmaps/",
    api_version: "v1",
    stored_as: None,
    decode: <ConfigMap as BuiltIn>::decode,
};

/// PersistentVolumeClaims: requests for storage.
pub static PERSISTENT_VOLUME_CLAIM: &Resource = &Resource {
    place: Place::PERSISTENT_VOLUME_CLAIM as usize,
    group: "",
    version: "v1",
    kind: "PersistentVolumeClaim",
    plural: "persistentvolumeclaims",
    singular: "persistentvolumeclaim",
    short_names: &["pvc"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "PersistentVolumeClaim", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/persistentvolumeclaims/",
    api_version: "v1",
    stored_as: None,
    decode: <PersistentVolumeClaim as BuiltIn>::decode,
};

/// Services: stable addresses of pods.
pub static SERVICE: &Resource = &Resource {
    place: Place::SERVICE as usize,
    group: "",
    version: "v1",
    kind: "Service",
    plural: "services",
    singular: "service",
    short_names: &["svc"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[
        own("proxy", "ServiceProxyOptions", PROXY_VERBS),
        own("status", "Service", READ_WRITE),
    ],
    selectable_fields: &[
        "metadata.name",
        "metadata.namespace",
        "spec.clusterIP",
        "spec.type",
    ],
    store_prefix: "/services/",
    api_version: "v1",
    stored_as: None,
    decode: <Service as BuiltIn>::decode,
};

/// Events: what happened to objects, for people to read.
pub static EVENT: &Resource = &Resource {
    place: Place::EVENT as usize,
    group: "",
    version: "v1",
    kind: "Event",
    plural: "events",
    singular: "event",
    short_names: &["ev"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: &[
        "metadata.name",
        "metadata.namespace",
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ],
    store_prefix: "/events/",
    api_version: "v1",
    stored_as: None,
    decode: <Event as BuiltIn>::decode,
};

/// ComponentStatuses: whether the control plane's parts are well, found out when it is asked. Deprecated upstream.
pub static COMPONENT_STATUS: &Resource = &Resource {
    place: Place::COMPONENT_STATUS as usize,
    group: "",
    version: "v1",
    kind: "ComponentStatus",
    plural: "componentstatuses",
    singular: "componentstatus",
    short_names: &["cs"],
    categories: &[],
    namespaced: false,
    verbs: &["get", "list"],
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/componentstatuses/",
    api_version: "v1",
    stored_as: None,
    decode: <ComponentStatus as BuiltIn>::decode,
};
