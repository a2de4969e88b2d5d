//! The scheduler's view of claims, volumes, storage classes, drivers, budgets and namespaces.

use std::collections::BTreeMap;

use coracle_api::{ApiError, LabelSelector, Quantity, view::or_default};
use coracle_client::Object;
use coracle_runtime::{Key, Project};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Text, labels,
    pod::{RawNodeSelector, RawTerm, term},
};
use crate::{
    requirements::{Expression, Label, NodeSelectorTerm, Operator},
    storage::{Claim, Drivers, StorageClass, Volume},
};

const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Tells a provisioner for which node a volume is wanted.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata<'a> {
    #[serde(borrow, default)]
    labels: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(borrow, default)]
    annotations: BTreeMap<Text<'a>, Text<'a>>,
    deletion_timestamp: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawClaim<'a> {
    #[serde(borrow, default)]
    metadata: RawMetadata<'a>,
    #[serde(default, deserialize_with = "or_default")]
    spec: RawClaimSpec,
    #[serde(default, deserialize_with = "or_default")]
    status: RawClaimStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawClaimSpec {
    storage_class_name: Option<Box<str>>,
    volume_name: Option<Box<str>>,
    access_modes: Option<Vec<Box<str>>>,
    volume_mode: Option<Box<str>>,
    resources: RawResources,
    selector: Option<LabelSelector>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawClaimStatus {
    phase: Option<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawResources {
    requests: RawAmount,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawAmount {
    storage: Option<Quantity>,
}

impl RawAmount {
    fn bytes(&self) -> i64 {
        self.storage.map_or(0, Quantity::bytes)
    }
}

fn is_block(mode: Option<Box<str>>) -> bool {
    mode.as_deref() == Some("Block")
}

impl Project for Claim {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawClaim {
            metadata,
            spec,
            status,
        } = object.read()?;
        let annotation = |name: &str| {
            let mut all = metadata.annotations.iter();
            all.find(|(key, _)| &***key == name).map(|(_, value)| &**value)
        };
        let volume = spec.volume_name.unwrap_or_default();
        Ok(Self {
            uid: object.uid.as_str().into(),
            revision: object.revision,
            class: spec.storage_class_name.unwrap_or_default(),
            is_bound: !volume.is_empty() && annotation(BIND_COMPLETED).is_some(),
            volume,
            is_lost: status.phase.as_deref() == Some("Lost"),
            is_deleting: metadata.deletion_timestamp.is_some(),
            selected_node: annotation(SELECTED_NODE).unwrap_or_default().into(),
            access_modes: spec.access_modes.unwrap_or_default().into(),
            is_block: is_block(spec.volume_mode),
            bytes: spec.resources.requests.bytes(),
            selector: spec.selector,
        })
    }
}

#[derive(Deserialize)]
struct RawVolume<'a> {
    #[serde(borrow, default)]
    metadata: RawMetadata<'a>,
    #[serde(borrow)]
    spec: RawVolumeSpec<'a>,
    #[serde(default, deserialize_with = "or_default")]
    status: RawClaimStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawVolumeSpec<'a> {
    storage_class_name: Option<Box<str>>,
    access_modes: Option<Vec<Box<str>>>,
    volume_mode: Option<Box<str>>,
    capacity: RawAmount,
    claim_ref: Option<RawClaimRef>,
    #[serde(borrow)]
    node_affinity: Option<RawVolumeAffinity<'a>>,
    csi: Option<RawCsi>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawClaimRef {
    namespace: Option<Box<str>>,
    name: Option<Box<str>>,
    uid: Option<Box<str>>,
}

#[derive(Deserialize)]
struct RawVolumeAffinity<'a> {
    #[serde(borrow)]
    required: Option<RawNodeSelector<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawCsi {
    driver: Box<str>,
    volume_handle: Box<str>,
}

impl Project for Volume {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawVolume {
            metadata,
            spec,
            status,
        } = object.read()?;
        let claim = spec.claim_ref.unwrap_or_default();
        let name = claim.name.unwrap_or_default();
        let csi = spec.csi.unwrap_or_default();
        let required = spec.node_affinity.and_then(|affinity| affinity.required);
        let terms = |selector: RawNodeSelector<'_>| {
            let terms = selector.node_selector_terms.into_iter();
            terms.map(|raw: RawTerm<'_>| term(raw)).collect()
        };
        Ok(Self {
            name: object.name.as_str().into(),
            uid: object.uid.as_str().into(),
            revision: object.revision,
            labels: labels(metadata.labels),
            class: spec.storage_class_name.unwrap_or_default(),
            claim: (!name.is_empty()).then(|| Key::new(&claim.namespace.unwrap_or_default(), &name)),
            is_bound: claim.uid.is_some_and(|uid| !uid.is_empty()),
            is_available: metadata.deletion_timestamp.is_none()
                && matches!(status.phase.as_deref(), None | Some("" | "Available" | "Pending")),
            access_modes: spec.access_modes.unwrap_or_default().into(),
            is_block: is_block(spec.volume_mode),
            bytes: spec.capacity.bytes(),
            node_terms: required.map(terms),
            driver: csi.driver,
            handle: csi.volume_handle,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStorageClass {
    #[serde(default, deserialize_with = "or_default")]
    provisioner: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    volume_binding_mode: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    allowed_topologies: Vec<RawTopologyTerm>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawTopologyTerm {
    match_label_expressions: Option<Vec<RawTopologyLabel>>,
}

#[derive(Deserialize)]
struct RawTopologyLabel {
    key: Box<str>,
    values: Box<[Box<str>]>,
}

impl Project for StorageClass {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let raw: RawStorageClass = object.read()?;
        let expression = |label: RawTopologyLabel| Expression {
            key: label.key,
            operator: Operator::In,
            values: label.values,
        };
        let term = |raw: RawTopologyTerm| NodeSelectorTerm {
            expressions: (raw.match_label_expressions.into_iter().flatten())
                .map(expression)
                .collect(),
            fields: Box::default(),
        };
        Ok(Self {
            provisioner: raw.provisioner,
            waits_for_consumer: &*raw.volume_binding_mode == "WaitForFirstConsumer",
            topologies: raw.allowed_topologies.into_iter().map(term).collect(),
        })
    }
}

#[derive(Deserialize)]
struct RawCsiNode {
    #[serde(default, deserialize_with = "or_default")]
    spec: RawCsiNodeSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCsiNodeSpec {
    drivers: Option<Vec<RawDriver>>,
}

#[derive(Deserialize)]
struct RawDriver {
    name: Box<str>,
    allocatable: Option<RawCount>,
}

#[derive(Deserialize)]
struct RawCount {
    count: Option<i64>,
}

impl Project for Drivers {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let raw: RawCsiNode = object.read()?;
        let limit = |driver: RawDriver| Some((driver.name, driver.allocatable?.count?));
        let drivers = raw.spec.drivers.into_iter().flatten();
        Ok(Self(drivers.filter_map(limit).collect()))
    }
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// metadata.namespace
    pub namespace: Box<str>,
    /// Which pods; an empty one protects none here, as upstream.
    pub selector: LabelSelector,
    /// status.disruptionsAllowed
    pub allowed: i64,
    /// Names of pods whose disruption has been counted already.
    pub disrupted: Box<[Box<str>]>,
}

#[derive(Deserialize)]
struct RawBudget {
    #[serde(default, deserialize_with = "or_default")]
    spec: RawBudgetSpec,
    #[serde(default, deserialize_with = "or_default")]
    status: RawBudgetStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawBudgetSpec {
    selector: Option<LabelSelector>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawBudgetStatus {
    disruptions_allowed: i64,
    disrupted_pods: Option<BTreeMap<Box<str>, IgnoredAny>>,
}

impl Project for Budget {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let raw: RawBudget = object.read()?;
        let disrupted = raw.status.disrupted_pods.unwrap_or_default();
        Ok(Self {
            namespace: object.namespace.as_str().into(),
            selector: raw.spec.selector.unwrap_or_else(LabelSelector::nothing),
            allowed: raw.status.disruptions_allowed,
            disrupted: disrupted.into_keys().collect(),
        })
    }
}

/// A namespace: only its labels matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// metadata.labels, sorted.
    pub labels: Box<[Label]>,
}

#[derive(Deserialize)]
struct RawNamespace<'a> {
    #[serde(borrow, default)]
    metadata: RawMetadata<'a>,
}

impl Project for Namespace {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawNamespace { metadata } = object.read()?;
        Ok(Self {
            labels: labels(metadata.labels),
        })
    }
}
