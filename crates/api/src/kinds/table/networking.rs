//! Rows of networking.k8s.io: the way in, and who may talk to whom.

use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};

use super::{ALL_VERBS, CLUSTER_FIELDS, META_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// IngressClasses: which controller serves an Ingress.
pub static INGRESS_CLASS: &Resource = &Resource {
    place: Place::INGRESS_CLASS as usize,
    group: "networking.k8s.io",
    version: "v1",
    kind: "IngressClass",
    plural: "ingressclasses",
    singular: "ingressclass",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/networking.k8s.io/ingressclasses/",
    api_version: "networking.k8s.io/v1",
    stored_as: None,
    decode: <IngressClass as BuiltIn>::decode,
};

/// Ingresses: HTTP from outside to Services.
pub static INGRESS: &Resource = &Resource {
    place: Place::INGRESS as usize,
    group: "networking.k8s.io",
    version: "v1",
    kind: "Ingress",
    plural: "ingresses",
    singular: "ingress",
    short_names: &["ing"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "Ingress", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/networking.k8s.io/ingresses/",
    api_version: "networking.k8s.io/v1",
    stored_as: None,
    decode: <Ingress as BuiltIn>::decode,
};

/// NetworkPolicies: which pods may talk to which.
pub static NETWORK_POLICY: &Resource = &Resource {
    place: Place::NETWORK_POLICY as usize,
    group: "networking.k8s.io",
    version: "v1",
    kind: "NetworkPolicy",
    plural: "networkpolicies",
    singular: "networkpolicy",
    short_names: &["netpol"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/networking.k8s.io/networkpolicies/",
    api_version: "networking.k8s.io/v1",
    stored_as: None,
    decode: <NetworkPolicy as BuiltIn>::decode,
};
