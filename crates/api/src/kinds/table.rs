//! The rows. Names, verbs, short names and subresources are those that discovery of Kubernetes 1.33 answers; a
//! subresource that nothing serves yet is left out, because clients act on what discovery promises.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service,
    ServiceAccount,
};

use super::{ALL_VERBS, Resource, Subresource};
use crate::object::BuiltIn;

const META_FIELDS: &[&str] = &["metadata.name", "metadata.namespace"];
const CLUSTER_FIELDS: &[&str] = &["metadata.name"];
const READ_WRITE: &[&str] = &["get", "patch", "update"];

const fn own(name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Subresource {
    Subresource {
        name,
        group: "",
        version: "",
        kind,
        verbs,
    }
}

const SCALE: Subresource = Subresource {
    name: "scale",
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
    verbs: READ_WRITE,
};

/// Every built-in resource, in the order in which they should be created: what others need comes first.
pub static RESOURCES: &[&Resource] = &[
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    SERVICE_ACCOUNT,
    SECRET,
    CONFIG_MAP,
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    POD,
    REPLICA_SET,
    DEPLOYMENT,
    LEASE,
    EVENT,
];

/// Namespaces: the scope of most names.
pub static NAMESPACE: &Resource = &Resource {
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
    decode: <Namespace as BuiltIn>::decode,
};

/// Nodes: the machines that run pods.
pub static NODE: &Resource = &Resource {
    group: "",
    version: "v1",
    kind: "Node",
    plural: "nodes",
    singular: "node",
    short_names: &["no"],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "Node", READ_WRITE)],
    selectable_fields: &["metadata.name", "spec.unschedulable"],
    store_prefix: "/nodes/",
    api_version: "v1",
    decode: <Node as BuiltIn>::decode,
};

/// PersistentVolumes: storage that outlives pods.
pub static PERSISTENT_VOLUME: &Resource = &Resource {
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
    decode: <PersistentVolume as BuiltIn>::decode,
};

/// ServiceAccounts: identities of pods.
pub static SERVICE_ACCOUNT: &Resource = &Resource {
    group: "",
    version: "v1",
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    singular: "serviceaccount",
    short_names: &["sa"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/serviceaccounts/",
    api_version: "v1",
    decode: <ServiceAccount as BuiltIn>::decode,
};

/// Secrets: data that the store seals.
pub static SECRET: &Resource = &Resource {
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
    decode: <Secret as BuiltIn>::decode,
};

/// ConfigMaps: data that is not secret.
pub static CONFIG_MAP: &Resource = &Resource {
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
    decode: <ConfigMap as BuiltIn>::decode,
};

/// PersistentVolumeClaims: requests for storage.
pub static PERSISTENT_VOLUME_CLAIM: &Resource = &Resource {
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
    decode: <PersistentVolumeClaim as BuiltIn>::decode,
};

/// Services: stable addresses of pods.
pub static SERVICE: &Resource = &Resource {
    group: "",
    version: "v1",
    kind: "Service",
    plural: "services",
    singular: "service",
    short_names: &["svc"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "Service", READ_WRITE)],
    selectable_fields: &[
        "metadata.name",
        "metadata.namespace",
        "spec.clusterIP",
        "spec.type",
    ],
    store_prefix: "/services/",
    api_version: "v1",
    decode: <Service as BuiltIn>::decode,
};

/// Pods: what runs.
pub static POD: &Resource = &Resource {
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
    decode: <Pod as BuiltIn>::decode,
};

/// ReplicaSets: a number of equal pods.
pub static REPLICA_SET: &Resource = &Resource {
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
    decode: <ReplicaSet as BuiltIn>::decode,
};

/// Deployments: ReplicaSets that roll.
pub static DEPLOYMENT: &Resource = &Resource {
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
    decode: <Deployment as BuiltIn>::decode,
};

/// Leases: who leads, and which node is alive.
pub static LEASE: &Resource = &Resource {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    plural: "leases",
    singular: "lease",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/coordination.k8s.io/leases/",
    api_version: "coordination.k8s.io/v1",
    decode: <Lease as BuiltIn>::decode,
};

/// Events: what happened to objects, for people to read.
pub static EVENT: &Resource = &Resource {
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
    decode: <Event as BuiltIn>::decode,
};
