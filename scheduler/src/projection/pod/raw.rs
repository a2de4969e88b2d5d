//! A Pod's JSON, as far as the scheduler reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    projection::{
        Text,
        requests::{RawAmounts, RawContainer, RawResources},
    },
    requirements::Operator,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawPod<'a> {
    #[serde(borrow)]
    pub(super) metadata: RawMetadata<'a>,
    #[serde(borrow)]
    pub(super) spec: RawSpec<'a>,
    #[serde(borrow, default)]
    pub(super) status: RawStatus<'a>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawMetadata<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) labels: BTreeMap<Text<'a>, Text<'a>>,
    pub(super) deletion_timestamp: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) owner_references: Vec<RawOwner<'a>>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawOwner<'a> {
    #[serde(borrow)]
    pub(super) api_version: Text<'a>,
    #[serde(borrow)]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) uid: Text<'a>,
    #[serde(default)]
    pub(super) controller: bool,
}

/// What only waiting pods are asked for stays raw, so that the many bound ones cost no more than their load.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawSpec<'a> {
    #[serde(borrow, default)]
    pub(super) node_name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) scheduler_name: Option<Text<'a>>,
    #[serde(default)]
    pub(super) priority: i32,
    #[serde(borrow)]
    pub(super) containers: Vec<RawContainer<'a>>,
    #[serde(borrow, default)]
    pub(super) init_containers: Vec<RawContainer<'a>>,
    #[serde(borrow, default)]
    pub(super) overhead: RawAmounts<'a>,
    #[serde(borrow)]
    pub(super) resources: Option<RawResources<'a>>,
    #[serde(borrow)]
    pub(super) node_selector: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) affinity: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tolerations: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) scheduling_gates: Vec<IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) preemption_policy: Text<'a>,
    #[serde(borrow)]
    pub(super) topology_spread_constraints: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) volumes: Vec<RawVolume<'a>>,
}

/// A volume, if it is a claim.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawVolume<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow)]
    persistent_volume_claim: Option<RawClaim<'a>>,
    ephemeral: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClaim<'a> {
    #[serde(borrow, default)]
    claim_name: Text<'a>,
}

impl RawVolume<'_> {
    /// The claim's name; that of a generic ephemeral volume is made of the pod's name and the volume's.
    pub(super) fn claim_of(&self, pod: &str) -> Option<Box<str>> {
        match (&self.persistent_volume_claim, &self.ephemeral) {
            (Some(claim), _) => Some((*claim.claim_name).into()),
            (None, Some(_)) => Some(format!("{pod}-{}", &*self.name).into()),
            (None, None) => None,
        }
    }
}

#[derive(Default, Deserialize)]
pub(super) struct RawStatus<'a> {
    #[serde(borrow, default)]
    pub(super) phase: Text<'a>,
    #[serde(borrow, default, rename = "nominatedNodeName")]
    pub(super) nominated_node_name: Text<'a>,
    #[serde(borrow, default, rename = "startTime")]
    pub(super) start_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) conditions: Vec<RawCondition<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawCondition<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    #[serde(borrow, default)]
    pub(super) reason: Text<'a>,
    #[serde(borrow, default)]
    pub(super) message: Text<'a>,
    #[serde(borrow, default)]
    pub(super) last_transition_time: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawAffinity<'a> {
    #[serde(borrow, default)]
    pub(super) node_affinity: Option<RawNodeAffinity<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawNodeAffinity<'a> {
    #[serde(borrow, default, rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub(super) required: Option<RawNodeSelector<'a>>,
    #[serde(borrow, default, rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    pub(super) preferred: Vec<RawPreferred<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::projection) struct RawNodeSelector<'a> {
    #[serde(borrow)]
    pub(in crate::projection) node_selector_terms: Vec<RawTerm<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawPreferred<'a> {
    pub(super) weight: i64,
    #[serde(borrow)]
    pub(super) preference: RawTerm<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::projection) struct RawTerm<'a> {
    #[serde(borrow, default)]
    pub(super) match_expressions: Vec<RawExpression<'a>>,
    #[serde(borrow, default)]
    pub(super) match_fields: Vec<RawExpression<'a>>,
}

#[derive(Deserialize)]
pub(in crate::projection) struct RawExpression<'a> {
    #[serde(borrow)]
    pub(super) key: Text<'a>,
    pub(super) operator: Operator,
    #[serde(borrow, default)]
    pub(super) values: Vec<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawToleration<'a> {
    #[serde(borrow, default)]
    pub(super) key: Text<'a>,
    #[serde(borrow, default)]
    pub(super) operator: Text<'a>,
    #[serde(borrow, default)]
    pub(super) value: Text<'a>,
    #[serde(borrow, default)]
    pub(super) effect: Text<'a>,
}

impl<'a> RawMetadata<'a> {
    pub(super) fn controller(&self) -> Option<&RawOwner<'a>> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}
