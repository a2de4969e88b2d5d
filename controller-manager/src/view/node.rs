//! Nodes.

use coracle_api::{ApiError, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Meta, object::Json};

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) meta: Meta,
    /// Empty until it is assigned.
    pub(crate) pod_cidr: Box<str>,
    pub(crate) unschedulable: bool,
    pub(crate) taints: Vec<Taint>,
    pub(crate) conditions: Vec<NodeCondition>,
}

/// spec.taints
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Taint {
    #[serde(deserialize_with = "or_default")]
    pub(crate) key: Box<str>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub(crate) value: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) effect: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_added: Option<Timestamp>,
}

/// status.conditions
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeCondition {
    #[serde(rename = "type")]
    pub(crate) kind: Box<str>,
    pub(crate) status: Box<str>,
    pub(crate) last_heartbeat_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(rename = "podCIDR", deserialize_with = "or_default")]
    pod_cidr: Box<str>,
    #[serde(deserialize_with = "or_default")]
    unschedulable: bool,
    #[serde(deserialize_with = "or_default")]
    taints: Vec<Taint>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusJson {
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<NodeCondition>,
}

impl Project for Node {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, StatusJson> = object.read()?;
        let SpecJson {
            pod_cidr,
            unschedulable,
            taints,
        } = spec;
        Ok(Self {
            meta: metadata,
            pod_cidr,
            unschedulable,
            taints,
            conditions: status.conditions,
        })
    }
}

impl Node {
    pub(crate) fn condition(&self, kind: &str) -> Option<&NodeCondition> {
        self.conditions.iter().find(|condition| &*condition.kind == kind)
    }

    /// The taints that end pods.
    pub(crate) fn evicting_taints(&self) -> impl Iterator<Item = &Taint> {
        self.taints.iter().filter(|taint| &*taint.effect == "NoExecute")
    }
}
