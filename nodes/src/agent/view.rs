//! What a node needs to know of Nodes and Services.

use coracle_api::{ApiError, Labels};
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

/// A Service, as far as its selector.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServiceView {
    #[serde(deserialize_with = "or_default")]
    spec: ServiceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    #[serde(deserialize_with = "or_default")]
    selector: Labels,
}

impl ServiceView {
    /// Whether pods with these labels are its endpoints.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        let selector = &self.spec.selector;
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl Project for ServiceView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}
