//! PodDisruptionBudgets.

use std::collections::BTreeMap;

use coracle_api::{ApiError, LabelSelector, time, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Condition, IntOrString, Meta, object::Json};

#[derive(Clone, Debug, Default)]
pub(crate) struct DisruptionBudget {
    pub(crate) meta: Meta,
    pub(crate) min_available: Option<IntOrString>,
    pub(crate) max_unavailable: Option<IntOrString>,
    pub(crate) selector: LabelSelector,
    pub(crate) status: DisruptionBudgetStatus,
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DisruptionBudgetStatus {
    pub(crate) observed_generation: i64,
    /// Pods whose eviction was granted and that are still there, with when it was.
    #[serde(deserialize_with = "or_default")]
    pub(crate) disrupted_pods: BTreeMap<Box<str>, Timestamp>,
    pub(crate) disruptions_allowed: i32,
    pub(crate) current_healthy: i32,
    pub(crate) desired_healthy: i32,
    pub(crate) expected_pods: i32,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    min_available: Option<IntOrString>,
    max_unavailable: Option<IntOrString>,
    selector: Option<LabelSelector>,
}

impl Project for DisruptionBudget {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, DisruptionBudgetStatus> = object.read()?;
        Ok(Self {
            meta: metadata,
            min_available: spec.min_available,
            max_unavailable: spec.max_unavailable,
            selector: spec.selector.unwrap_or_else(LabelSelector::nothing),
            status,
        })
    }
}

impl DisruptionBudgetStatus {
    /// As a patch from `old` to this, in which pods that are no longer listed are null.
    pub(crate) fn to_patch(&self, old: &Self) -> Value {
        let gone = old
            .disrupted_pods
            .keys()
            .filter(|pod| !self.disrupted_pods.contains_key(*pod));
        let mut pods: serde_json::Map<String, Value> =
            gone.map(|pod| (pod.to_string(), Value::Null)).collect();
        pods.extend(
            self.disrupted_pods
                .iter()
                .map(|(pod, at)| (pod.to_string(), time::format(*at).into())),
        );
        let conditions = self.conditions.iter().map(|condition| {
            let mut json = condition.to_json();
            json["observedGeneration"] = self.observed_generation.into();
            // This kind of condition always has both.
            json["reason"] = json!(condition.reason);
            json["message"] = json!(condition.message);
            json
        });
        json!({"status": {
            "observedGeneration": self.observed_generation,
            "disruptedPods": pods,
            "disruptionsAllowed": self.disruptions_allowed,
            "currentHealthy": self.current_healthy,
            "desiredHealthy": self.desired_healthy,
            "expectedPods": self.expected_pods,
            "conditions": conditions.collect::<Value>(),
        }})
    }
}
