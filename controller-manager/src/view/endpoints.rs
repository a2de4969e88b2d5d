//! EndpointSlices and Endpoints, in a form that is read, compared and written as it is.

use coracle_api::{ApiError, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::Meta;

/// A port of all endpoints of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EndpointPort {
    /// That of the Service's port.
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) port: u16,
    #[serde(deserialize_with = "or_default")]
    pub(crate) protocol: Box<str>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub(crate) app_protocol: Option<Box<str>>,
}

/// endpoints.conditions
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Conditions {
    pub(crate) ready: Option<bool>,
    pub(crate) serving: Option<bool>,
    pub(crate) terminating: Option<bool>,
}

/// The pod behind an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TargetRef {
    pub(crate) kind: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
}

/// Whom an endpoint is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Hints {
    pub(crate) for_zones: Vec<Zone>,
}

/// The name of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Zone {
    pub(crate) name: Box<str>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Endpoint {
    #[serde(deserialize_with = "or_default")]
    pub(crate) addresses: Vec<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Conditions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node_name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_ref: Option<TargetRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hints: Option<Hints>,
}

/// An EndpointSlice.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointSlice {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
    #[serde(deserialize_with = "or_default")]
    pub(crate) ports: Vec<EndpointPort>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) endpoints: Vec<Endpoint>,
}

impl Project for EndpointSlice {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}

/// An address of Endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Address {
    pub(crate) ip: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node_name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_ref: Option<TargetRef>,
}

/// Addresses that have the same ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Subset {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<Address>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_ready_addresses: Vec<Address>,
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "without_empty_names"
    )]
    pub(crate) ports: Vec<EndpointPort>,
}

/// Endpoints leave out the name of a port that has none; EndpointSlices write it.
fn without_empty_names<S: Serializer>(ports: &[EndpointPort], serializer: S) -> Result<S::Ok, S::Error> {
    let ports: Value = ports.iter().map(|port| json!(port)).collect();
    let mut ports = ports;
    for port in ports.as_array_mut().into_iter().flatten() {
        if port["name"] == "" {
            port.as_object_mut().map(|fields| fields.remove("name"));
        }
    }
    ports.serialize(serializer)
}

/// Endpoints, the older form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Endpoints {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
    #[serde(deserialize_with = "or_default")]
    pub(crate) subsets: Vec<Subset>,
}

impl Project for Endpoints {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}
