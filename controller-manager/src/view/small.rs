//! Kinds of which little is needed.

use coracle_api::{ApiError, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

use super::{Condition, Meta, object::Json};

/// An object of any kind, known by its metadata alone.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Bare {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
}

impl Project for Bare {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) meta: Meta,
    /// spec.finalizers
    pub(crate) spec_finalizers: Box<[Box<str>]>,
    /// What its deletion waits for.
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusJson {
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecJson {
    #[serde(deserialize_with = "or_default")]
    finalizers: Box<[Box<str>]>,
}

impl Project for Namespace {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, StatusJson> = object.read()?;
        Ok(Self {
            meta: metadata,
            spec_finalizers: spec.finalizers,
            conditions: status.conditions,
        })
    }
}
