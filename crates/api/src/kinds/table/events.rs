//! Rows of events.k8s.io: another view of the core group's Events.

use k8s_openapi::api::events::v1::Event;

use super::{ALL_VERBS, EVENT, Place, Resource, StoredAs};
use crate::conversion;
use crate::object::BuiltIn;

/// Events as `events.k8s.io/v1` has them; stored as those of the core group.
pub static EVENTS_EVENT: &Resource = &Resource {
    place: Place::EVENTS_EVENT as usize,
    group: "events.k8s.io",
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
        "regarding.kind",
        "regarding.namespace",
        "regarding.name",
        "regarding.uid",
        "regarding.apiVersion",
        "regarding.resourceVersion",
        "regarding.fieldPath",
        "reason",
        "reportingController",
        "type",
    ],
    store_prefix: "/events/",
    api_version: "events.k8s.io/v1",
    stored_as: Some(&StoredAs {
        resource: EVENT,
        convert: conversion::event,
        fields: conversion::EVENT_FIELDS,
    }),
    decode: <Event as BuiltIn>::decode,
};
