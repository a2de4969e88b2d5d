//! Deployments.

use coracle_api::{ApiError, LabelSelector, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;
use serde_json::Value;

use super::{Condition, IntOrString, Meta, Template, object::Json, rolling::StrategyJson};

#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    pub(crate) meta: Meta,
    pub(crate) annotations: Labels,
    pub(crate) replicas: i32,
    pub(crate) selector: LabelSelector,
    /// spec.selector, as it is.
    pub(crate) selector_json: Value,
    pub(crate) template: Template,
    pub(crate) strategy: Strategy,
    pub(crate) min_ready_seconds: i64,
    /// `None` for no limit.
    pub(crate) revision_history_limit: Option<i32>,
    pub(crate) paused: bool,
    /// `None` for no deadline.
    pub(crate) progress_deadline_seconds: Option<i64>,
    pub(crate) status: DeploymentStatus,
}

/// spec.strategy
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    Recreate,
    RollingUpdate {
        max_surge: IntOrString,
        max_unavailable: IntOrString,
    },
}

impl Default for Strategy {
    fn default() -> Self {
        Self::RollingUpdate {
            max_surge: IntOrString::percent(25),
            max_unavailable: IntOrString::percent(25),
        }
    }
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentStatus {
    pub(crate) observed_generation: i64,
    pub(crate) replicas: i32,
    pub(crate) updated_replicas: i32,
    pub(crate) ready_replicas: i32,
    pub(crate) available_replicas: i32,
    pub(crate) unavailable_replicas: i32,
    pub(crate) collision_count: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    replicas: Option<i32>,
    selector: Value,
    #[serde(deserialize_with = "or_default")]
    template: Template,
    #[serde(deserialize_with = "or_default")]
    strategy: StrategyJson,
    #[serde(deserialize_with = "or_default")]
    min_ready_seconds: i64,
    revision_history_limit: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    paused: bool,
    progress_deadline_seconds: Option<i64>,
}

impl Project for Deployment {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, DeploymentStatus, Labels> = object.read()?;
        let (meta, annotations) = metadata.split();
        let selector = Option::<LabelSelector>::deserialize(&spec.selector)
            .map_err(|error| ApiError::internal(format!("read selector of deployment: {error}")))?;
        let rolling = spec.strategy.rolling_update;
        let usual = || IntOrString::percent(25);
        let strategy = match &*spec.strategy.kind {
            "Recreate" => Strategy::Recreate,
            _ => Strategy::RollingUpdate {
                max_surge: rolling.max_surge.unwrap_or_else(usual),
                max_unavailable: rolling.max_unavailable.unwrap_or_else(usual),
            },
        };
        Ok(Self {
            meta,
            annotations,
            replicas: spec.replicas.unwrap_or(1),
            selector: selector.unwrap_or_else(LabelSelector::nothing),
            selector_json: spec.selector,
            template: spec.template,
            strategy,
            min_ready_seconds: spec.min_ready_seconds,
            // The largest number means that there is no limit, as upstream has it.
            revision_history_limit: spec.revision_history_limit.filter(|limit| *limit != i32::MAX),
            paused: spec.paused,
            progress_deadline_seconds: spec
                .progress_deadline_seconds
                .filter(|seconds| *seconds != i64::from(i32::MAX)),
            status,
        })
    }
}

impl Deployment {
    /// How many pods there may be above, and how many may be missing below, the wanted number. Both shares rounded to
    /// zero would stand still, so one pod may be missing then.
    pub(crate) fn surge_and_unavailable(&self) -> (i32, i32) {
        let Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } = &self.strategy
        else {
            return (0, 0);
        };
        let surge = max_surge.resolve(self.replicas, true);
        let unavailable = max_unavailable.resolve(self.replicas, false);
        if surge == 0 && unavailable == 0 {
            (0, 1)
        } else {
            (surge, unavailable)
        }
    }
}
