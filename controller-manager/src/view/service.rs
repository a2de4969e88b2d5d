//! Services.

use coracle_api::{ApiError, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

use super::{Meta, object::Json};

/// spec.ports
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServicePort {
    /// Empty where it is the only one.
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) protocol: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) port: u16,
    #[serde(deserialize_with = "or_default")]
    pub(crate) target_port: TargetPort,
    #[serde(deserialize_with = "or_default")]
    pub(crate) app_protocol: Option<Box<str>>,
}

/// Where on its endpoints a Service's port leads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum TargetPort {
    /// 0 is the Service's own port.
    Number(u16),
    /// A port of each pod's containers, by name.
    Name(Box<str>),
}

impl Default for TargetPort {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// A Service, as far as its endpoints go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    pub(crate) meta: Meta,
    pub(crate) selector: Labels,
    pub(crate) ports: Box<[ServicePort]>,
    pub(crate) publish_not_ready: bool,
    /// It has no address of its own.
    pub(crate) headless: bool,
    /// It is another name for something outside, and has no endpoints.
    pub(crate) external_name: bool,
    /// Traffic should stay in its zone where it can.
    pub(crate) prefers_close: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(deserialize_with = "or_default")]
    selector: Labels,
    #[serde(deserialize_with = "or_default")]
    ports: Box<[ServicePort]>,
    #[serde(deserialize_with = "or_default")]
    publish_not_ready_addresses: bool,
    #[serde(rename = "clusterIP", deserialize_with = "or_default")]
    cluster_ip: Box<str>,
    #[serde(rename = "type", deserialize_with = "or_default")]
    kind: Box<str>,
    #[serde(deserialize_with = "or_default")]
    traffic_distribution: Box<str>,
}

impl Project for Service {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json { metadata, spec, .. }: Json<SpecJson> = object.read()?;
        Ok(Self {
            meta: metadata,
            selector: spec.selector,
            ports: spec.ports,
            publish_not_ready: spec.publish_not_ready_addresses,
            headless: &*spec.cluster_ip == "None",
            external_name: &*spec.kind == "ExternalName",
            prefers_close: matches!(
                &*spec.traffic_distribution,
                "PreferClose" | "PreferSameZone" | "PreferSameNode"
            ),
        })
    }
}

impl Service {
    /// Whether the controllers find its endpoints, rather than a person.
    pub(crate) fn has_selector(&self) -> bool {
        !self.selector.is_empty() && !self.external_name
    }

    /// Whether pods with these labels are its endpoints.
    pub(crate) fn selects(&self, labels: &Labels) -> bool {
        self.has_selector()
            && self
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    }
}
