//! Rows of rbac.authorization.k8s.io: who may do what.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use super::{ALL_VERBS, CLUSTER_FIELDS, META_FIELDS, Place, Resource};
use crate::object::BuiltIn;

/// Roles: what may be done in a namespace.
pub static ROLE: &Resource = &Resource {
    place: Place::ROLE as usize,
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "Role",
    plural: "roles",
    singular: "role",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/rbac.authorization.k8s.io/roles/",
    api_version: "rbac.authorization.k8s.io/v1",
    stored_as: None,
    decode: <Role as BuiltIn>::decode,
};

/// RoleBindings: who holds a role in a namespace.
pub static ROLE_BINDING: &Resource = &Resource {
    place: Place::ROLE_BINDING as usize,
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "RoleBinding",
    plural: "rolebindings",
    singular: "rolebinding",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/rbac.authorization.k8s.io/rolebindings/",
    api_version: "rbac.authorization.k8s.io/v1",
    stored_as: None,
    decode: <RoleBinding as BuiltIn>::decode,
};

/// ClusterRoles: what may be done anywhere.
pub static CLUSTER_ROLE: &Resource = &Resource {
    place: Place::CLUSTER_ROLE as usize,
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRole",
    plural: "clusterroles",
    singular: "clusterrole",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/rbac.authorization.k8s.io/clusterroles/",
    api_version: "rbac.authorization.k8s.io/v1",
    stored_as: None,
    decode: <ClusterRole as BuiltIn>::decode,
};

/// ClusterRoleBindings: who holds a role everywhere.
pub static CLUSTER_ROLE_BINDING: &Resource = &Resource {
    place: Place::CLUSTER_ROLE_BINDING as usize,
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    singular: "clusterrolebinding",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/rbac.authorization.k8s.io/clusterrolebindings/",
    api_version: "rbac.authorization.k8s.io/v1",
    stored_as: None,
    decode: <ClusterRoleBinding as BuiltIn>::decode,
};
