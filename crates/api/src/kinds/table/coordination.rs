//! Rows of `coordination.k8s.io`.

use k8s_openapi::api::coordination::v1::Lease;

use super::{ALL_VERBS, META_FIELDS, Place, Resource};
use crate::object::BuiltIn;

/// Leases: who leads, and which node is alive.
pub static LEASE: &Resource = &Resource {
    place: Place::LEASE as usize,
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
    stored_as: None,
    decode: <Lease as BuiltIn>::decode,
};
