//! Rows of discovery.k8s.io: where a Service's endpoints are.

use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{ALL_VERBS, META_FIELDS, Place, Resource};
use crate::object::BuiltIn;

/// EndpointSlices: a part of a Service's endpoints.
pub static ENDPOINT_SLICE: &Resource = &Resource {
    place: Place::ENDPOINT_SLICE as usize,
    group: "discovery.k8s.io",
    version: "v1",
    kind: "EndpointSlice",
    plural: "endpointslices",
    singular: "endpointslice",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: META_FIELDS,
    store_prefix: "/discovery.k8s.io/endpointslices/",
    api_version: "discovery.k8s.io/v1",
    stored_as: None,
    decode: <EndpointSlice as BuiltIn>::decode,
};
