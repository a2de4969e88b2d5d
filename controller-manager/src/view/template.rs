//! A pod template: in a form to compare, and in a form to make pods of.

use coracle_api::hash::pod_template_hash;
use k8s_openapi::api::core::v1::{PodTemplateSpec, ResourceRequirements};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The label that tells the pods of one template from those of another.
pub(crate) const HASH_LABEL: &str = "pod-template-hash";

/// A pod template, read once per change of its owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    /// The typed template without the hash label, as JSON with sorted maps: equal texts mean equal templates.
    canonical: Box<str>,
    /// metadata, as it is.
    pub(crate) metadata: Value,
    /// spec, as JSON text.
    pub(crate) spec: Box<str>,
}

impl Template {
    /// Whether pods of either would be the same, but for the hash label.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }

    /// The value of the hash label for this template.
    pub(crate) fn hash(&self, collisions: Option<i32>) -> String {
        pod_template_hash(&self.typed(), collisions)
    }

    /// The template's labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.metadata["labels"].as_object().into_iter().flatten();
        labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// The whole template as JSON, with the hash label.
    pub(crate) fn with_hash(&self, hash: &str) -> Value {
        let mut metadata = self.metadata.clone();
        metadata["labels"][HASH_LABEL] = hash.into();
        let spec: Value = serde_json::from_str(&self.spec).unwrap_or_default();
        serde_json::json!({"metadata": metadata, "spec": spec})
    }

    fn typed(&self) -> PodTemplateSpec {
        serde_json::from_str(&self.canonical).unwrap_or_default()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical && self.metadata == other.metadata
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let mut typed = PodTemplateSpec::deserialize(&value).map_err(serde::de::Error::custom)?;
        let metadata = typed.metadata.get_or_insert_default();
        // The server stamps nothing into a template, but clients may send an empty timestamp.
        metadata.creation_timestamp = None;
        if let Some(labels) = &mut metadata.labels {
            labels.remove(HASH_LABEL);
        }
        drop_empty_resources(&mut typed);
        let canonical = serde_json::to_string(&typed).map_err(serde::de::Error::custom)?;
        let mut metadata = value["metadata"].clone();
        match metadata.as_object_mut() {
            Some(metadata) => _ = metadata.remove("creationTimestamp"),
            None => metadata = Value::Object(serde_json::Map::new()),
        }
        Ok(Self {
            canonical: canonical.into(),
            metadata,
            spec: value["spec"].to_string().into(),
        })
    }
}

/// Resources of a container that say nothing mean the same as none; clients written in Go send them always.
fn drop_empty_resources(template: &mut PodTemplateSpec) {
    let Some(spec) = &mut template.spec else { return };
    let inits = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(inits) {
        container
            .resources
            .take_if(|resources| *resources == ResourceRequirements::default());
    }
}
