//! ReplicationControllers: ReplicaSets of an earlier age, which select by plain labels.

use std::sync::Arc;

use coracle_api::{ApiError, LabelSelector, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

use super::{ReplicaSet, ReplicaSetStatus, Template, object::Json};

/// Seen as the ReplicaSet that it amounts to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplicationController {
    pub(crate) set: Arc<ReplicaSet>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    replicas: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    min_ready_seconds: i64,
    #[serde(deserialize_with = "or_default")]
    selector: Labels,
    #[serde(deserialize_with = "or_default")]
    template: Template,
}

impl Project for ReplicationController {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        }: Json<SpecJson, ReplicaSetStatus, Labels> = object.read()?;
        let (meta, annotations) = metadata.split();
        let selector = if spec.selector.is_empty() {
            LabelSelector::nothing()
        } else {
            LabelSelector::from_labels(spec.selector.iter())
        };
        Ok(Self {
            set: Arc::new(ReplicaSet {
                meta,
                annotations,
                replicas: spec.replicas.unwrap_or(1),
                min_ready_seconds: spec.min_ready_seconds,
                selector,
                template: spec.template,
                status,
            }),
        })
    }
}
