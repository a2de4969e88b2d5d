//! HorizontalPodAutoscalers. There are few, so their spec is kept as the API's own type.

use coracle_api::{ApiError, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerSpec;
use serde::Deserialize;
use serde_json::Value;

use super::{Condition, Meta};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Autoscaler {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) spec: Box<HorizontalPodAutoscalerSpec>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) status: AutoscalerStatus,
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AutoscalerStatus {
    pub(crate) observed_generation: Option<i64>,
    pub(crate) last_scale_time: Option<Timestamp>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) current_replicas: i32,
    #[serde(deserialize_with = "or_default")]
    pub(crate) desired_replicas: i32,
    /// As JSON, the way it is written.
    #[serde(deserialize_with = "or_default")]
    pub(crate) current_metrics: Vec<Value>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

impl Project for Autoscaler {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}
