//! StatefulSets.

use coracle_api::{ApiError, LabelSelector, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    IntOrString, Meta, Template,
    object::Json,
    rolling::{REVISION_HISTORY, StrategyJson},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct StatefulSet {
    pub(crate) meta: Meta,
    pub(crate) annotations: Labels,
    pub(crate) replicas: i32,
    /// spec.ordinals.start
    pub(crate) start: i32,
    pub(crate) selector: LabelSelector,
    /// spec.selector.matchLabels, which claims get.
    pub(crate) match_labels: Labels,
    pub(crate) template: Template,
    pub(crate) service_name: Box<str>,
    /// spec.volumeClaimTemplates
    pub(crate) claims: Vec<ClaimTemplate>,
    /// Pods need not wait for each other.
    pub(crate) is_parallel: bool,
    pub(crate) update: Update,
    pub(crate) min_ready_seconds: i64,
    pub(crate) revision_history_limit: i32,
    pub(crate) retention: Retention,
    pub(crate) status: StatefulSetStatus,
}

/// spec.updateStrategy
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    OnDelete,
    RollingUpdate {
        /// Pods of lower ordinals, counted from the first, stay as they are.
        partition: i32,
        /// `None` for one after the other.
        max_unavailable: Option<IntOrString>,
    },
}

impl Default for Update {
    fn default() -> Self {
        Self::RollingUpdate {
            partition: 0,
            max_unavailable: None,
        }
    }
}

/// spec.persistentVolumeClaimRetentionPolicy: whether claims go with what used them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) deletes_when_deleted: bool,
    pub(crate) deletes_when_scaled: bool,
}

/// One of spec.volumeClaimTemplates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimTemplate {
    #[serde(deserialize_with = "or_default")]
    pub(crate) metadata: ClaimTemplateMeta,
    pub(crate) spec: Value,
}

/// What of its metadata a claim gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimTemplateMeta {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: Labels,
    #[serde(deserialize_with = "or_default")]
    pub(crate) annotations: Labels,
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StatefulSetStatus {
    pub(crate) observed_generation: i64,
    pub(crate) replicas: i32,
    pub(crate) ready_replicas: i32,
    pub(crate) current_replicas: i32,
    pub(crate) updated_replicas: i32,
    pub(crate) available_replicas: i32,
    #[serde(deserialize_with = "or_default")]
    pub(crate) current_revision: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) update_revision: Box<str>,
    pub(crate) collision_count: Option<i32>,
}

impl StatefulSetStatus {
    /// As a patch of the whole status; what is zero is left out where upstream does so.
    pub(crate) fn to_patch(&self) -> Value {
        let count = |number: i32| if number == 0 { Value::Null } else { number.into() };
        json!({"status": {
            "observedGeneration": self.observed_generation,
            "replicas": self.replicas,
            "readyReplicas": count(self.ready_replicas),
            "currentReplicas": count(self.current_replicas),
            "updatedReplicas": count(self.updated_replicas),
            "availableReplicas": self.available_replicas,
            "currentRevision": self.current_revision,
            "updateRevision": self.update_revision,
            "collisionCount": self.collision_count,
        }})
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    replicas: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    ordinals: OrdinalsJson,
    selector: Value,
    #[serde(deserialize_with = "or_default")]
    template: Template,
    #[serde(deserialize_with = "or_default")]
    service_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    volume_claim_templates: Vec<ClaimTemplate>,
    #[serde(deserialize_with = "or_default")]
    pod_management_policy: Box<str>,
    #[serde(deserialize_with = "or_default")]
    update_strategy: StrategyJson,
    #[serde(deserialize_with = "or_default")]
    min_ready_seconds: i64,
    revision_history_limit: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    persistent_volume_claim_retention_policy: RetentionJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OrdinalsJson {
    #[serde(deserialize_with = "or_default")]
    start: i32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RetentionJson {
    #[serde(deserialize_with = "or_default")]
    when_deleted: Box<str>,
    #[serde(deserialize_with = "or_default")]
    when_scaled: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SelectorJson {
    #[serde(deserialize_with = "or_default")]
    match_labels: Labels,
}

impl Project for StatefulSet {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, StatefulSetStatus, Labels> = object.read()?;
        let (meta, annotations) = metadata.split();
        let selector = Option::<LabelSelector>::deserialize(&spec.selector)
            .map_err(|error| ApiError::internal(format!("read selector of stateful set: {error}")))?;
        let labels = Option::<SelectorJson>::deserialize(&spec.selector).unwrap_or_default();
        let rolling = spec.update_strategy.rolling_update;
        let retention = spec.persistent_volume_claim_retention_policy;
        Ok(Self {
            meta,
            annotations,
            replicas: spec.replicas.unwrap_or(1),
            start: spec.ordinals.start,
            selector: selector.unwrap_or_else(LabelSelector::nothing),
            match_labels: labels.unwrap_or_default().match_labels,
            template: spec.template,
            service_name: spec.service_name,
            claims: spec.volume_claim_templates,
            is_parallel: &*spec.pod_management_policy == "Parallel",
            update: match &*spec.update_strategy.kind {
                "OnDelete" => Update::OnDelete,
                _ => Update::RollingUpdate {
                    partition: rolling.partition,
                    max_unavailable: rolling.max_unavailable,
                },
            },
            min_ready_seconds: spec.min_ready_seconds,
            revision_history_limit: spec.revision_history_limit.unwrap_or(REVISION_HISTORY),
            retention: Retention {
                deletes_when_deleted: &*retention.when_deleted == "Delete",
                deletes_when_scaled: &*retention.when_scaled == "Delete",
            },
            status,
        })
    }
}
