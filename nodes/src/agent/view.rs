//! What a node needs to know of Nodes.

use coracle_api::ApiError;
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

use crate::pods::view::or_default;

/// A Node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeView {
    /// Who it is.
    pub metadata: NodeMeta,
    /// What it was given.
    #[serde(deserialize_with = "or_default")]
    pub spec: NodeSpec,
    /// What it said, or others said of it.
    #[serde(deserialize_with = "or_default")]
    pub status: NodeStatus,
}

/// Who a Node is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeMeta {
    /// metadata.name
    pub name: Box<str>,
    /// metadata.uid
    pub uid: Box<str>,
    /// The labels that say where it is.
    #[serde(deserialize_with = "or_default")]
    pub labels: Topology,
}

/// Where a Node is, as its labels say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Topology {
    /// Its zone; empty where it is in none.
    #[serde(rename = "topology.kubernetes.io/zone", deserialize_with = "or_default")]
    pub zone: Box<str>,
}

/// What a Node was given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    /// Its pods' addresses; empty until it has some.
    #[serde(rename = "podCIDR", deserialize_with = "or_default")]
    pub pod_cidr: Box<str>,
}

/// What a Node said, or others said of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    /// Where it is.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Box<[NodeAddress]>,
    /// How it is.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Box<[NodeCondition]>,
}

/// One of a Node's addresses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    /// `InternalIP`, `Hostname`.
    pub r#type: Box<str>,
    /// The address.
    pub address: Box<str>,
}

/// One of a Node's conditions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeCondition {
    /// `Ready` and others.
    pub r#type: Box<str>,
    /// `True`, `False` or `Unknown`.
    pub status: Box<str>,
}

impl NodeView {
    /// The status of condition Ready; empty where there is none.
    #[must_use]
    pub fn ready(&self) -> &str {
        let ready = self
            .status
            .conditions
            .iter()
            .find(|condition| &*condition.r#type == "Ready");
        ready.map_or("", |condition| &*condition.status)
    }

    /// Its InternalIP; empty where it has none.
    #[must_use]
    pub fn internal_ip(&self) -> &str {
        let address = self
            .status
            .addresses
            .iter()
            .find(|address| &*address.r#type == "InternalIP");
        address.map_or("", |address| &*address.address)
    }
}

impl Project for NodeView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}
