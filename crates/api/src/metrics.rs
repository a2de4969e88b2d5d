//! The kinds of `metrics.k8s.io/v1beta1`, for which `k8s-openapi` has no structs.
//!
//! They are never stored: the apiserver makes them when they are asked for, of what nodes tell.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Serialize};

/// `metrics.k8s.io/v1beta1`
pub const API_VERSION: &str = "metrics.k8s.io/v1beta1";

/// What a node uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeMetrics {
    /// Always [`API_VERSION`].
    #[serde(default)]
    pub api_version: String,
    /// Always `NodeMetrics`.
    #[serde(default)]
    pub kind: String,
    /// The node's name and labels.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// When it was measured.
    pub timestamp: Option<Time>,
    /// Over how long, for example `10s`.
    #[serde(default)]
    pub window: String,
    /// `cpu` and `memory`.
    #[serde(default)]
    pub usage: BTreeMap<String, Quantity>,
}

/// What a pod uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodMetrics {
    /// Always [`API_VERSION`].
    #[serde(default)]
    pub api_version: String,
    /// Always `PodMetrics`.
    #[serde(default)]
    pub kind: String,
    /// The pod's name, namespace and labels.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// When it was measured.
    pub timestamp: Option<Time>,
    /// Over how long, for example `10s`.
    #[serde(default)]
    pub window: String,
    /// Its running containers.
    #[serde(default)]
    pub containers: Vec<ContainerMetrics>,
}

/// What a container uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerMetrics {
    /// The container's name.
    pub name: String,
    /// `cpu` and `memory`.
    #[serde(default)]
    pub usage: BTreeMap<String, Quantity>,
}

/// An amount of CPU and memory as `usage` shows it.
#[must_use]
pub fn usage(cpu_nanocores: i64, memory_bytes: i64) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), Quantity(format!("{cpu_nanocores}n"))),
        (
            "memory".to_owned(),
            Quantity(format!("{}Ki", memory_bytes / 1024)),
        ),
    ])
}
