//! Rows of apiextensions.k8s.io and apiregistration.k8s.io: what else the API serves.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::{ALL_VERBS, CLUSTER_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// CustomResourceDefinitions: kinds that users add.
pub static CUSTOM_RESOURCE_DEFINITION: &Resource = &Resource {
    place: Place::CUSTOM_RESOURCE_DEFINITION as usize,
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    singular: "customresourcedefinition",
    short_names: &["crd", "crds"],
    categories: &["api-extensions"],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "CustomResourceDefinition", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/apiextensions.k8s.io/customresourcedefinitions/",
    api_version: "apiextensions.k8s.io/v1",
    stored_as: None,
    decode: <CustomResourceDefinition as BuiltIn>::decode,
};

/// APIServices: who serves a version of a group.
pub static API_SERVICE: &Resource = &Resource {
    place: Place::API_SERVICE as usize,
    group: "apiregistration.k8s.io",
    version: "v1",
    kind: "APIService",
    plural: "apiservices",
    singular: "apiservice",
    short_names: &[],
    categories: &["api-extensions"],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "APIService", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/apiregistration.k8s.io/apiservices/",
    api_version: "apiregistration.k8s.io/v1",
    stored_as: None,
    decode: <APIService as BuiltIn>::decode,
};
