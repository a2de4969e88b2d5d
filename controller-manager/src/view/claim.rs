//! PersistentVolumeClaims and PersistentVolumes.

use coracle_api::{ApiError, LabelSelector, Quantity, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

use super::{Meta, object::Json};

#[derive(Clone, Debug, Default)]
pub(crate) struct Claim {
    pub(crate) meta: Meta,
    pub(crate) class: Box<str>,
    /// Empty until it is bound, unless a person chose a volume.
    pub(crate) volume_name: Box<str>,
    pub(crate) access_modes: Vec<Box<str>>,
    pub(crate) volume_mode: Box<str>,
    pub(crate) request: Quantity,
    pub(crate) selector: Option<LabelSelector>,
    pub(crate) phase: Box<str>,
    /// status.capacity and status.accessModes were written.
    pub(crate) has_capacity: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Volume {
    pub(crate) meta: Meta,
    pub(crate) class: Box<str>,
    pub(crate) access_modes: Vec<Box<str>>,
    pub(crate) volume_mode: Box<str>,
    pub(crate) capacity: Quantity,
    pub(crate) claim: Option<ClaimRef>,
    pub(crate) reclaim_policy: Box<str>,
    pub(crate) phase: Box<str>,
}

/// spec.claimRef
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimRef {
    #[serde(deserialize_with = "or_default")]
    pub(crate) namespace: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    /// Empty where a person reserved the volume for a claim of that name.
    #[serde(deserialize_with = "or_default")]
    pub(crate) uid: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClaimSpecJson {
    #[serde(deserialize_with = "or_default")]
    storage_class_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    volume_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    access_modes: Vec<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    volume_mode: Box<str>,
    #[serde(deserialize_with = "or_default")]
    resources: ResourcesJson,
    selector: Option<LabelSelector>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourcesJson {
    #[serde(deserialize_with = "or_default")]
    requests: AmountJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AmountJson {
    storage: Option<Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClaimStatusJson {
    #[serde(deserialize_with = "or_default")]
    phase: Box<str>,
    #[serde(deserialize_with = "or_default")]
    capacity: AmountJson,
}

impl Project for Claim {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<ClaimSpecJson, ClaimStatusJson> = object.read()?;
        Ok(Self {
            meta: metadata,
            class: spec.storage_class_name,
            volume_name: spec.volume_name,
            access_modes: spec.access_modes,
            volume_mode: mode(spec.volume_mode),
            request: spec.resources.requests.storage.unwrap_or_default(),
            selector: spec.selector,
            phase: status.phase,
            has_capacity: status.capacity.storage.is_some(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct VolumeSpecJson {
    #[serde(deserialize_with = "or_default")]
    storage_class_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    access_modes: Vec<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    volume_mode: Box<str>,
    #[serde(deserialize_with = "or_default")]
    capacity: AmountJson,
    claim_ref: Option<ClaimRef>,
    #[serde(deserialize_with = "or_default")]
    persistent_volume_reclaim_policy: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VolumeStatusJson {
    #[serde(deserialize_with = "or_default")]
    phase: Box<str>,
}

impl Project for Volume {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<VolumeSpecJson, VolumeStatusJson> = object.read()?;
        Ok(Self {
            meta: metadata,
            class: spec.storage_class_name,
            access_modes: spec.access_modes,
            volume_mode: mode(spec.volume_mode),
            capacity: spec.capacity.storage.unwrap_or_default(),
            claim: spec.claim_ref,
            reclaim_policy: spec.persistent_volume_reclaim_policy,
            phase: status.phase,
        })
    }
}

fn mode(text: Box<str>) -> Box<str> {
    if text.is_empty() {
        "Filesystem".into()
    } else {
        text
    }
}

impl ClaimRef {
    /// It names this very claim, or reserves the volume for whichever claim has the name.
    pub(crate) fn is_of(&self, claim: &Claim) -> bool {
        self.namespace == claim.meta.namespace
            && self.name == claim.meta.name
            && (self.uid.is_empty() || self.uid == claim.meta.uid)
    }
}
