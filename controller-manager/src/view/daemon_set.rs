//! DaemonSets.

use coracle_api::{ApiError, LabelSelector, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    IntOrString, Meta, Placement, Template, Toleration,
    object::Json,
    rolling::{REVISION_HISTORY, StrategyJson},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct DaemonSet {
    pub(crate) meta: Meta,
    pub(crate) annotations: Labels,
    pub(crate) selector: LabelSelector,
    pub(crate) template: Template,
    /// Where its pods may run, with the tolerations that they all get.
    pub(crate) placement: Placement,
    pub(crate) update: DaemonUpdate,
    pub(crate) min_ready_seconds: i64,
    pub(crate) revision_history_limit: i32,
    pub(crate) status: DaemonSetStatus,
}

/// spec.updateStrategy
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DaemonUpdate {
    OnDelete,
    RollingUpdate {
        max_surge: IntOrString,
        max_unavailable: IntOrString,
    },
}

impl Default for DaemonUpdate {
    fn default() -> Self {
        Self::RollingUpdate {
            max_surge: IntOrString::Int(0),
            max_unavailable: IntOrString::Int(1),
        }
    }
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DaemonSetStatus {
    pub(crate) observed_generation: i64,
    pub(crate) current_number_scheduled: i32,
    pub(crate) number_misscheduled: i32,
    pub(crate) desired_number_scheduled: i32,
    pub(crate) number_ready: i32,
    pub(crate) updated_number_scheduled: i32,
    pub(crate) number_available: i32,
    pub(crate) number_unavailable: i32,
    pub(crate) collision_count: Option<i32>,
}

impl DaemonSetStatus {
    /// As a patch of the whole status; what is zero is left out where upstream does so.
    pub(crate) fn to_patch(&self) -> Value {
        let count = |number: i32| if number == 0 { Value::Null } else { number.into() };
        json!({"status": {
            "observedGeneration": self.observed_generation,
            "currentNumberScheduled": self.current_number_scheduled,
            "numberMisscheduled": self.number_misscheduled,
            "desiredNumberScheduled": self.desired_number_scheduled,
            "numberReady": self.number_ready,
            "updatedNumberScheduled": count(self.updated_number_scheduled),
            "numberAvailable": count(self.number_available),
            "numberUnavailable": count(self.number_unavailable),
            "collisionCount": self.collision_count,
        }})
    }
}

/// What every daemon puts up with, by key and effect: it belongs to the node, well or not.
const DAEMON_TOLERATIONS: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
const NETWORK_UNAVAILABLE: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    selector: Option<LabelSelector>,
    #[serde(deserialize_with = "or_default")]
    template: Template,
    #[serde(deserialize_with = "or_default")]
    update_strategy: StrategyJson,
    #[serde(deserialize_with = "or_default")]
    min_ready_seconds: i64,
    revision_history_limit: Option<i32>,
}

impl Project for DaemonSet {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, DaemonSetStatus, Labels> = object.read()?;
        let (meta, annotations) = metadata.split();
        let mut placement: Placement = serde_json::from_str(&spec.template.spec).unwrap_or_default();
        let network = placement.host_network.then_some(NETWORK_UNAVAILABLE);
        for (key, effect) in DAEMON_TOLERATIONS.into_iter().chain(network) {
            let own = Toleration {
                key: key.into(),
                operator: "Exists".into(),
                value: "".into(),
                effect: effect.into(),
                seconds: None,
            };
            if !placement.tolerations.contains(&own) {
                placement.tolerations.push(own);
            }
        }
        let rolling = spec.update_strategy.rolling_update;
        Ok(Self {
            meta,
            annotations,
            selector: spec.selector.unwrap_or_else(LabelSelector::nothing),
            template: spec.template,
            placement,
            update: match &*spec.update_strategy.kind {
                "OnDelete" => DaemonUpdate::OnDelete,
                _ => DaemonUpdate::RollingUpdate {
                    max_surge: rolling.max_surge.unwrap_or(IntOrString::Int(0)),
                    max_unavailable: rolling.max_unavailable.unwrap_or(IntOrString::Int(1)),
                },
            },
            min_ready_seconds: spec.min_ready_seconds,
            revision_history_limit: spec.revision_history_limit.unwrap_or(REVISION_HISTORY),
            status,
        })
    }
}

impl DaemonSet {
    /// How many pods there may be beside, and how many may be missing from, the `wanted` ones; shares round up. Where both
    /// come to nothing, one may be missing.
    pub(crate) fn surge_and_unavailable(&self, wanted: i32) -> (usize, usize) {
        let DaemonUpdate::RollingUpdate {
            max_surge,
            max_unavailable,
        } = &self.update
        else {
            return (0, 0);
        };
        let count = |share: &IntOrString| usize::try_from(share.resolve(wanted, true)).unwrap_or(0);
        match (count(max_surge), count(max_unavailable)) {
            (0, 0) if wanted > 0 => (0, 1),
            both => both,
        }
    }
}
