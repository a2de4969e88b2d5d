//! Rows of `policy`.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::{ALL_VERBS, META_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// PodDisruptionBudgets: how many pods of a group may be evicted at once.
pub static POD_DISRUPTION_BUDGET: &Resource = &Resource {
    place: Place::POD_DISRUPTION_BUDGET as usize,
    group: "policy",
    version: "v1",
    kind: "PodDisruptionBudget",
    plural: "poddisruptionbudgets",
    singular: "poddisruptionbudget",
    short_names: &["pdb"],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "PodDisruptionBudget", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/policy/poddisruptionbudgets/",
    api_version: "policy/v1",
    stored_as: None,
    decode: <PodDisruptionBudget as BuiltIn>::decode,
};
