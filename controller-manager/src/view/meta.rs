//! Metadata, as far as controllers need it.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use coracle_api::{LabelSelector, Labels, Resource, view::or_default};
use coracle_runtime::{Key, ObjectRef};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::intern::Interner;
use crate::custom;

/// The metadata of any object, with what of its annotations `A` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[serde(bound(deserialize = "A: Default + Deserialize<'de>"))]
pub(crate) struct Meta<A = DeletionCost> {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) namespace: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) uid: Box<str>,
    #[serde(rename = "resourceVersion", deserialize_with = "coracle_api::view::revision")]
    pub(crate) revision: i64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) generation: i64,
    #[serde(rename = "creationTimestamp", deserialize_with = "or_default")]
    pub(crate) created: Timestamp,
    #[serde(rename = "deletionTimestamp")]
    pub(crate) deleting: Option<Timestamp>,
    /// Shared among objects that carry the same.
    #[serde(deserialize_with = "shared_labels")]
    pub(crate) labels: Arc<Labels>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) finalizers: Box<[Box<str>]>,
    /// Shared among objects that have the same.
    #[serde(rename = "ownerReferences", deserialize_with = "shared_owners")]
    pub(crate) owners: Arc<[Owner]>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) annotations: A,
}

/// The one annotation that pods are chosen by; zero for all but the few that say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "CostJson<'_>")]
pub(crate) struct DeletionCost(i32);

#[derive(Deserialize)]
struct CostJson<'a> {
    #[serde(rename = "controller.kubernetes.io/pod-deletion-cost", default, borrow)]
    cost: Option<Cow<'a, str>>,
}

impl From<CostJson<'_>> for DeletionCost {
    fn from(CostJson { cost }: CostJson<'_>) -> Self {
        Self(cost.and_then(|cost| cost.parse().ok()).unwrap_or(0))
    }
}

fn shared_labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Labels>, D::Error> {
    static KNOWN: LazyLock<Interner<Labels>> = LazyLock::new(Interner::default);
    Ok(KNOWN.share(Arc::new(or_default(deserializer)?)))
}

fn shared_owners<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Owner]>, D::Error> {
    static KNOWN: LazyLock<Interner<[Owner]>> = LazyLock::new(Interner::default);
    let owners: Vec<Owner> = or_default(deserializer)?;
    Ok(KNOWN.share(owners.into()))
}

/// A reference to an owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "OwnerJson")]
pub(crate) struct Owner {
    /// The owner's kind; `None` where it is not one of the served ones.
    pub(crate) resource: Option<&'static Resource>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
    /// It manages the object.
    pub(crate) controller: bool,
    /// Its foreground deletion waits for the object.
    pub(crate) blocks: bool,
}

impl Owner {
    /// The reference as the API has it; `None` where its kind is not known.
    pub(crate) fn to_json(&self) -> Option<serde_json::Value> {
        let resource = self.resource?;
        Some(serde_json::json!({
            "apiVersion": resource.api_version, "kind": resource.kind, "name": self.name, "uid": self.uid,
            "controller": self.controller, "blockOwnerDeletion": self.blocks,
        }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnerJson {
    api_version: Box<str>,
    kind: Box<str>,
    name: Box<str>,
    uid: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    controller: bool,
    #[serde(default, deserialize_with = "or_default")]
    block_owner_deletion: bool,
}

impl From<OwnerJson> for Owner {
    fn from(json: OwnerJson) -> Self {
        Self {
            resource: custom::of_owner(&json.api_version, &json.kind),
            name: json.name,
            uid: json.uid,
            controller: json.controller,
            blocks: json.block_owner_deletion,
        }
    }
}

impl<A> Meta<A> {
    /// The annotations apart.
    pub(super) fn split(self) -> (Meta, A) {
        let Self {
            name,
            namespace,
            uid,
            revision,
            generation,
            created,
            deleting,
            labels,
            finalizers,
            owners,
            annotations,
        } = self;
        let meta = Meta {
            name,
            namespace,
            uid,
            revision,
            generation,
            created,
            deleting,
            labels,
            finalizers,
            owners,
            annotations: DeletionCost::default(),
        };
        (meta, annotations)
    }
}

impl Meta {
    pub(crate) fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// The owner that manages the object.
    pub(crate) fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.deleting.is_some()
    }

    pub(crate) fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|own| &**own == name)
    }

    /// The finalizers but `name`.
    pub(crate) fn finalizers_without(&self, name: &str) -> Vec<&str> {
        self.finalizers
            .iter()
            .map(AsRef::as_ref)
            .filter(|own| *own != name)
            .collect()
    }

    /// For events about the object.
    pub(crate) fn reference(&self, resource: &Resource) -> ObjectRef {
        ObjectRef {
            api_version: resource.api_version().to_owned(),
            kind: resource.kind.to_owned(),
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
            uid: self.uid.to_string(),
            revision: self.revision,
        }
    }
}

/// A projection that holds metadata, so that generic controllers can use every cache.
pub(crate) trait HasMeta {
    fn meta(&self) -> &Meta;
}

/// A projection of an object that finds its dependents by their labels.
pub(crate) trait Selects: HasMeta {
    fn selector(&self) -> &LabelSelector;
}
