//! The scheduler's view of a Node: heartbeats change nothing in it.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::ApiError;
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

use super::{Text, labels, requests};
use crate::requirements::{Effect, Label, Taint};

/// The taints that the node lifecycle controller gives to nodes by their Ready condition.
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// A node as far as scheduling goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// metadata.name
    pub name: Arc<str>,
    /// Sorted by key.
    pub labels: Box<[Label]>,
    /// Sorted; with the taint that a missing Ready condition implies.
    pub taints: Box<[Taint]>,
    /// spec.unschedulable
    pub is_unschedulable: bool,
    /// What it offers to pods.
    pub allocatable: Allocatable,
    /// Names of the images it has, with their sizes in bytes; sorted.
    pub images: Box<[(Box<str>, i64)]>,
}

/// status.allocatable
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocatable {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Bytes.
    pub ephemeral_storage_bytes: i64,
    /// How many pods.
    pub pods: i64,
    /// Other resources by name, sorted, in whole units.
    pub extended: Box<[(Box<str>, i64)]>,
}

#[derive(Deserialize)]
struct RawNode<'a> {
    #[serde(borrow)]
    metadata: RawMetadata<'a>,
    #[serde(borrow, default)]
    spec: RawSpec<'a>,
    #[serde(borrow, default)]
    status: RawStatus<'a>,
}

#[derive(Deserialize)]
struct RawMetadata<'a> {
    #[serde(borrow, default)]
    labels: BTreeMap<Text<'a>, Text<'a>>,
}

#[derive(Default, Deserialize)]
struct RawSpec<'a> {
    #[serde(borrow, default)]
    taints: Vec<RawTaint<'a>>,
    #[serde(default)]
    unschedulable: bool,
}

#[derive(Deserialize)]
struct RawTaint<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow, default)]
    value: Text<'a>,
    effect: Effect,
}

#[derive(Default, Deserialize)]
struct RawStatus<'a> {
    #[serde(borrow, default)]
    allocatable: Option<requests::RawAmounts<'a>>,
    #[serde(borrow, default)]
    capacity: Option<requests::RawAmounts<'a>>,
    #[serde(borrow, default)]
    conditions: Vec<RawCondition<'a>>,
    #[serde(borrow, default)]
    images: Vec<RawImage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawImage<'a> {
    #[serde(borrow, default)]
    names: Vec<Text<'a>>,
    #[serde(default)]
    size_bytes: i64,
}

#[derive(Deserialize)]
struct RawCondition<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
}

impl Project for Node {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawNode {
            metadata,
            spec,
            status,
        } = object.read()?;
        let taints = taints(spec.taints, &status.conditions);
        let offered = status.allocatable.or(status.capacity).unwrap_or_default();
        let amounts = requests::amounts(&offered).map_err(ApiError::internal)?;
        let images = status.images.into_iter().flat_map(|image| {
            let size = image.size_bytes;
            image.names.into_iter().map(move |name| (name, size))
        });
        let images: BTreeMap<Text<'_>, i64> = images.collect();
        Ok(Self {
            name: object.name.as_str().into(),
            labels: labels(metadata.labels),
            taints,
            is_unschedulable: spec.unschedulable,
            allocatable: amounts.into_allocatable(),
            images: images
                .into_iter()
                .map(|(name, size)| (name.into(), size))
                .collect(),
        })
    }
}

/// The node's taints, and the one that its Ready condition calls for.
///
/// The node lifecycle controller adds that taint a moment after the condition changes; in between, and before it
/// first looks at a new node, no pod shall slip through.
fn taints(listed: Vec<RawTaint<'_>>, conditions: &[RawCondition<'_>]) -> Box<[Taint]> {
    let mut taints: Vec<Taint> = listed
        .into_iter()
        .map(|taint| Taint {
            key: taint.key.into(),
            value: taint.value.into(),
            effect: taint.effect,
        })
        .collect();
    let ready = conditions
        .iter()
        .find(|condition| &*condition.kind == "Ready")
        .map(|ready| &*ready.status);
    let implied = match ready {
        Some("True") => None,
        Some("Unknown") => Some(UNREACHABLE),
        _ => Some(NOT_READY),
    };
    if let Some(key) = implied
        && !taints
            .iter()
            .any(|taint| &*taint.key == key && taint.effect == Effect::NoSchedule)
    {
        taints.push(Taint {
            key: key.into(),
            value: "".into(),
            effect: Effect::NoSchedule,
        });
    }
    taints.sort();
    taints.into()
}
