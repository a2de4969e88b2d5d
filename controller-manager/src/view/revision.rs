//! ControllerRevisions: the pod templates that a StatefulSet or DaemonSet has had.

use coracle_api::{ApiError, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;
use serde_json::Value;

use super::{Meta, Template};

#[derive(Clone, Debug, Default)]
pub(crate) struct Revision {
    pub(crate) meta: Meta,
    /// Its place in the history: the highest is the present one.
    pub(crate) number: i64,
    /// The template in `data`, which is a patch of the set.
    pub(crate) template: Template,
}

#[derive(Deserialize)]
struct Json {
    metadata: Meta,
    #[serde(default, deserialize_with = "or_default")]
    revision: i64,
    #[serde(default)]
    data: Value,
}

impl Project for Revision {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            revision,
            data,
        } = object.read()?;
        // A revision of somebody else's kind has no template there, and is of no interest.
        let template = data.pointer("/spec/template").cloned().unwrap_or_default();
        Ok(Self {
            meta: metadata,
            number: revision,
            template: Template::deserialize(template).unwrap_or_default(),
        })
    }
}
