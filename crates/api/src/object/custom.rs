//! Objects without a struct of their own: custom resources, as their metadata and the rest of their JSON.

use std::any::Any;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{DecodeError, Decoded, Duplicates, Object};
use crate::kinds::Resource;
use crate::scan;
use crate::schema::View;

/// An object whose kind is known at run time only.
#[derive(Clone, Debug)]
pub struct Custom {
    /// Its row.
    pub resource: &'static Resource,
    /// The version that a client wrote it in, where this is not the one it is stored in.
    pub asked: Option<&'static Resource>,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// All other fields but apiVersion and kind.
    pub body: Map<String, Value>,
}

/// The type of an object and its metadata, which clients may leave out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<ObjectMeta>,
}

impl Custom {
    /// Reads an object of `resource` from JSON; fields that `shape` does not know are told, and stay.
    pub fn decode(
        resource: &'static Resource,
        json: &[u8],
        shape: View<'_>,
        duplicates: Duplicates,
    ) -> Result<Decoded, DecodeError> {
        let broken = |source: serde_json::Error| DecodeError::broken(json, &source);
        let head: Head = serde_json::from_slice(json).map_err(broken)?;
        let wrong_kind = head.kind.filter(|kind| !kind.is_empty() && kind != resource.kind);
        let own_version = head.api_version.unwrap_or_default();
        if let Some(kind) = wrong_kind {
            return Err(DecodeError::WrongKind {
                api_version: own_version,
                kind,
                expected: resource.kind.to_owned(),
            });
        }
        if !own_version.is_empty() && own_version != resource.api_version {
            return Err(DecodeError::WrongVersion {
                found: own_version,
                expected: resource.api_version.to_owned(),
            });
        }
        let object = Self {
            resource,
            asked: None,
            metadata: head.metadata.unwrap_or_default(),
            body: body(json).map_err(broken)?,
        };
        let strange = scan::strange_fields(json, shape);
        Ok(Decoded {
            object: Box::new(object),
            unknown_fields: strange.unknown,
            duplicate_fields: match duplicates {
                Duplicates::Find => strange.duplicate,
                Duplicates::Ignore => Vec::new(),
            },
        })
    }

    /// Reads a stored object, whichever version of its kind it was stored in.
    pub fn stored(resource: &'static Resource, json: &[u8]) -> Result<Self, DecodeError> {
        let broken = |source: serde_json::Error| DecodeError::broken(json, &source);
        let head: Head = serde_json::from_slice(json).map_err(broken)?;
        Ok(Self {
            resource,
            asked: None,
            metadata: head.metadata.unwrap_or_default(),
            body: body(json).map_err(broken)?,
        })
    }

    /// The whole object as a JSON object.
    pub fn to_map(&self) -> Map<String, Value> {
        let mut whole = Map::new();
        whole.insert("apiVersion".to_owned(), self.resource.api_version.into());
        whole.insert("kind".to_owned(), self.resource.kind.into());
        let metadata = serde_json::to_value(&self.metadata).unwrap_or_default();
        whole.insert("metadata".to_owned(), metadata);
        whole.extend(
            self.body
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        whole
    }

    /// For rows that are made at run time: their objects are read by [`Custom::decode`], never through the row.
    pub fn not_typed(_json: &[u8]) -> Result<Box<dyn Object>, serde_json::Error> {
        Err(serde::de::Error::custom("objects of this kind have no struct"))
    }

    /// Makes an object one of another version that differs in nothing else.
    pub fn rename(mut object: Box<dyn Object>, resource: &'static Resource) -> Box<dyn Object> {
        if let Some(custom) = object.downcast_mut::<Self>() {
            custom.asked.get_or_insert(custom.resource);
            custom.resource = resource;
        }
        object
    }
}

/// All fields but those that every object has.
fn body(json: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    let mut body: Map<String, Value> = serde_json::from_slice(json)?;
    for name in ["apiVersion", "kind", "metadata"] {
        body.remove(name);
    }
    Ok(body)
}

impl serde::Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.body.len() + 3))?;
        map.serialize_entry("apiVersion", self.resource.api_version)?;
        map.serialize_entry("kind", self.resource.kind)?;
        map.serialize_entry("metadata", &self.metadata)?;
        for (name, value) in &self.body {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Object for Custom {
    fn resource(&self) -> &'static Resource {
        self.resource
    }
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
    fn to_json(&self) -> Vec<u8> {
        match serde_json::to_vec(self) {
            Ok(json) => json,
            Err(error) => unreachable!("JSON values have only string keys and finite numbers: {error}"),
        }
    }
    fn clone_box(&self) -> Box<dyn Object> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
