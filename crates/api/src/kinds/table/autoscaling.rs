//! Rows of `autoscaling`: two versions of one kind, of which `v2` is stored.

use k8s_openapi::api::autoscaling::{v1, v2};

use super::{ALL_VERBS, META_FIELDS, Place, READ_WRITE, Resource, StoredAs, own};
use crate::object::BuiltIn;

/// HorizontalPodAutoscalers: how many replicas there shall be, by what they use.
pub static HORIZONTAL_POD_AUTOSCALER: &Resource = &Resource {
    place: Place::HORIZONTAL_POD_AUTOSCALER as usize,
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    singular: "horizontalpodautoscaler",
    short_names: &["hpa"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "HorizontalPodAutoscaler", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/autoscaling/horizontalpodautoscalers/",
    api_version: "autoscaling/v2",
    stored_as: None,
    decode: <v2::HorizontalPodAutoscaler as BuiltIn>::decode,
};

/// HorizontalPodAutoscalers as `autoscaling/v1` has them: a target for CPU, and annotations for all else.
pub static HORIZONTAL_POD_AUTOSCALER_V1: &Resource = &Resource {
    place: Place::HORIZONTAL_POD_AUTOSCALER_V1 as usize,
    group: "autoscaling",
    version: "v1",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    singular: "horizontalpodautoscaler",
    short_names: &["hpa"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "HorizontalPodAutoscaler", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/autoscaling/horizontalpodautoscalers/",
    api_version: "autoscaling/v1",
    stored_as: Some(&StoredAs {
        resource: HORIZONTAL_POD_AUTOSCALER,
        convert: crate::conversion::horizontal_pod_autoscaler,
        fields: &[],
    }),
    decode: <v1::HorizontalPodAutoscaler as BuiltIn>::decode,
};
