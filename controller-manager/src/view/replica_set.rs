//! ReplicaSets.

use coracle_api::{ApiError, LabelSelector, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;
use serde_json::Value;

use super::{Condition, Meta, Template, object::Json};

#[derive(Clone, Debug, Default)]
pub(crate) struct ReplicaSet {
    pub(crate) meta: Meta,
    pub(crate) annotations: Labels,
    pub(crate) replicas: i32,
    pub(crate) min_ready_seconds: i64,
    pub(crate) selector: LabelSelector,
    pub(crate) template: Template,
    pub(crate) status: ReplicaSetStatus,
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ReplicaSetStatus {
    pub(crate) replicas: i32,
    pub(crate) fully_labeled_replicas: i32,
    pub(crate) ready_replicas: i32,
    pub(crate) available_replicas: i32,
    pub(crate) observed_generation: i64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    replicas: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    min_ready_seconds: i64,
    selector: Option<LabelSelector>,
    #[serde(deserialize_with = "or_default")]
    template: Template,
}

impl Project for ReplicaSet {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, ReplicaSetStatus, Labels> = object.read()?;
        let (meta, annotations) = metadata.split();
        Ok(Self {
            meta,
            annotations,
            replicas: spec.replicas.unwrap_or(1),
            min_ready_seconds: spec.min_ready_seconds,
            selector: spec.selector.unwrap_or_else(LabelSelector::nothing),
            template: spec.template,
            status,
        })
    }
}

impl ReplicaSet {
    /// The number in an annotation; `None` where it is missing or none.
    pub(crate) fn number(&self, annotation: &str) -> Option<i64> {
        self.annotations.get(annotation)?.parse().ok()
    }

    /// It wants pods.
    pub(crate) fn is_active(&self) -> bool {
        self.replicas > 0
    }
}

impl ReplicaSetStatus {
    /// As a patch of the whole status; what is zero is left out, as upstream does.
    pub(crate) fn to_patch(&self) -> Value {
        let count = |number: i32| if number == 0 { Value::Null } else { number.into() };
        serde_json::json!({"status": {
            "replicas": self.replicas,
            "fullyLabeledReplicas": count(self.fully_labeled_replicas),
            "readyReplicas": count(self.ready_replicas),
            "availableReplicas": count(self.available_replicas),
            "observedGeneration": self.observed_generation,
            "conditions": Condition::list(&self.conditions),
        }})
    }
}
