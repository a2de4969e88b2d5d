//! What differs between kinds: a file each, and the table that finds them.
//!
//! A file implements [`Strategy`] for its typed struct; the generic registry sees only [`Behaviour`], which speaks of
//! any object. Defaults and validation, which clients may want too, live in `coracle_api`.

use coracle_api::{
    ApiError, Labels, Object, Resource,
    object::{self, BuiltIn},
};
use coracle_store::Fence;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::watch::Attributes;

mod config_map;
mod deployment;
mod event;
mod lease;
mod namespace;
mod node;
mod persistent_volume;
mod persistent_volume_claim;
pub(super) mod pod;
mod replica_set;
mod secret;
pub(super) mod service;
mod service_account;
#[cfg(test)]
mod tests;

/// Every kind's behaviour; a new kind adds a line.
static ALL: &[&dyn Behaviour] = &[
    &pod::PodStrategy,
    &event::EventStrategy,
    &lease::LeaseStrategy,
    &config_map::ConfigMapStrategy,
    &replica_set::ReplicaSetStrategy,
    &deployment::DeploymentStrategy,
    &node::NodeStrategy,
    &service::ServiceStrategy,
    &secret::SecretStrategy,
    &namespace::NamespaceStrategy,
    &service_account::ServiceAccountStrategy,
    &persistent_volume::PersistentVolumeStrategy,
    &persistent_volume_claim::PersistentVolumeClaimStrategy,
];

/// A selectable field and its value.
pub type Field = (&'static str, String);

/// The replicas of a kind that can be scaled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`
    pub wanted: i32,
    /// `status.replicas`
    pub present: i32,
    /// The pod selector as text.
    pub selector: String,
}

/// What a kind does differently; every method has the default that most kinds want.
pub trait Strategy: Send + Sync + 'static {
    /// The typed struct.
    type Kind: BuiltIn;

    /// The kind's row.
    fn resource(&self) -> &'static Resource;

    /// Completes a new object: resets its status and adds what admission adds.
    fn prepare_create(&self, _object: &mut Self::Kind) {}

    /// Takes from the old object what an update of the main resource may not change, such as the status.
    fn prepare_update(&self, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// Takes from the old object all but what an update of `status` may change.
    fn prepare_status_update(&self, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// Takes from the old object all but what an update of `finalize` may change.
    fn prepare_finalize(&self, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// Whether the desired state differs, which raises `metadata.generation`. `None`: the kind has no generation.
    fn is_spec_changed(&self, _new: &Self::Kind, _old: &Self::Kind) -> Option<bool> {
        None
    }

    /// The values of the selectable fields beside name and namespace; empty ones may be left out.
    fn fields(&self, _object: &Self::Kind) -> Vec<Field> {
        Vec::new()
    }

    /// How long the object may take to end, in seconds, given what the caller asked for; zero for not at all.
    fn grace_seconds(&self, _object: &Self::Kind, _asked: Option<i64>) -> i64 {
        0
    }

    /// Whether nobody else has to do anything before a deleted object can go; beside `metadata.finalizers`.
    fn is_finalized(&self, _object: &Self::Kind) -> bool {
        true
    }

    /// Called when deletion begins and the object stays for now.
    fn mark_deleting(&self, _object: &mut Self::Kind) {}

    /// Why an object may not be deleted at all.
    fn refuse_delete(&self, _object: &Self::Kind) -> Option<&'static str> {
        None
    }

    /// The fence that a leader's writes are judged by.
    fn fence(&self, _object: &Self::Kind) -> Option<Fence> {
        None
    }

    /// The replicas, for a kind with the `scale` subresource.
    fn scale(&self, _object: &Self::Kind) -> Option<Scale> {
        None
    }

    /// Sets the wanted replicas.
    fn set_scale(&self, _object: &mut Self::Kind, _wanted: i32) {}

    /// Whether a PUT may create.
    fn creates_on_update(&self) -> bool {
        false
    }

    /// Whether the store seals objects of this kind.
    fn is_secret(&self) -> bool {
        false
    }
}

/// [`Strategy`] without the type: what the generic registry calls. Every object passed must be of the strategy's kind.
#[allow(
    missing_docs,
    reason = "each method is the one of Strategy with the same name"
)]
pub trait Behaviour: Send + Sync {
    fn resource(&self) -> &'static Resource;
    /// Reads an object that is known to be sound.
    fn parse(&self, json: &[u8]) -> Result<Box<dyn Object>, ApiError>;
    fn prepare_create(&self, object: &mut dyn Object);
    fn prepare_update(&self, new: &mut dyn Object, old: &dyn Object);
    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object);
    fn prepare_finalize(&self, new: &mut dyn Object, old: &dyn Object);
    fn is_spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool>;
    /// Whether objects of this kind have a generation.
    fn has_generation(&self, object: &dyn Object) -> bool;
    fn attributes(&self, object: &dyn Object) -> Attributes;
    fn grace_seconds(&self, object: &dyn Object, asked: Option<i64>) -> i64;
    fn is_finalized(&self, object: &dyn Object) -> bool;
    fn mark_deleting(&self, object: &mut dyn Object);
    fn refuse_delete(&self, object: &dyn Object) -> Option<&'static str>;
    fn fence(&self, object: &dyn Object) -> Option<Fence>;
    fn scale(&self, object: &dyn Object) -> Option<Scale>;
    fn set_scale(&self, object: &mut dyn Object, wanted: i32);
    fn creates_on_update(&self) -> bool;
    fn is_secret(&self) -> bool;
}

/// The behaviour of a kind.
#[must_use]
pub fn of(resource: &Resource) -> &'static dyn Behaviour {
    match ALL.iter().find(|behaviour| behaviour.resource() == resource) {
        Some(behaviour) => *behaviour,
        None => unreachable!("{resource} is in the table of kinds and has no strategy"),
    }
}

/// What selectors need to know of an object, read from its JSON.
#[must_use]
pub fn describe(resource: &'static Resource, json: &[u8]) -> Option<Attributes> {
    let behaviour = of(resource);
    Some(behaviour.attributes(&*behaviour.parse(json).ok()?))
}

fn typed<T: BuiltIn>(object: &dyn Object) -> &T {
    match object.downcast_ref() {
        Some(typed) => typed,
        None => unreachable!("a strategy is found by the object's own kind"),
    }
}

fn typed_mut<T: BuiltIn>(object: &mut dyn Object) -> &mut T {
    match object.downcast_mut() {
        Some(typed) => typed,
        None => unreachable!("a strategy is found by the object's own kind"),
    }
}

impl<S: Strategy> Behaviour for S {
    fn resource(&self) -> &'static Resource {
        Strategy::resource(self)
    }
    fn parse(&self, json: &[u8]) -> Result<Box<dyn Object>, ApiError> {
        let object = object::typed::<S::Kind>(json).map_err(ApiError::internal)?;
        Ok(Box::new(object))
    }
    fn prepare_create(&self, object: &mut dyn Object) {
        Strategy::prepare_create(self, typed_mut(object));
    }
    fn prepare_update(&self, new: &mut dyn Object, old: &dyn Object) {
        Strategy::prepare_update(self, typed_mut(new), typed(old));
    }
    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object) {
        Strategy::prepare_status_update(self, typed_mut(new), typed(old));
    }
    fn prepare_finalize(&self, new: &mut dyn Object, old: &dyn Object) {
        Strategy::prepare_finalize(self, typed_mut(new), typed(old));
    }
    fn is_spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool> {
        Strategy::is_spec_changed(self, typed(new), typed(old))
    }
    fn has_generation(&self, object: &dyn Object) -> bool {
        let object = typed(object);
        Strategy::is_spec_changed(self, object, object).is_some()
    }
    fn attributes(&self, object: &dyn Object) -> Attributes {
        let fields = Strategy::fields(self, typed(object));
        let present = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let ObjectMeta {
            namespace,
            name,
            uid,
            labels,
            deletion_timestamp,
            ..
        } = object.metadata();
        let text = |field: &Option<String>| field.as_deref().unwrap_or_default().into();
        Attributes {
            namespace: text(namespace),
            name: text(name),
            uid: text(uid),
            labels: labels
                .iter()
                .flatten()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect::<Labels>(),
            fields: present
                .map(|(name, value)| (name, value.into_boxed_str()))
                .collect(),
            deleting: deletion_timestamp.is_some(),
        }
    }
    fn grace_seconds(&self, object: &dyn Object, asked: Option<i64>) -> i64 {
        Strategy::grace_seconds(self, typed(object), asked)
    }
    fn is_finalized(&self, object: &dyn Object) -> bool {
        Strategy::is_finalized(self, typed(object))
    }
    fn mark_deleting(&self, object: &mut dyn Object) {
        Strategy::mark_deleting(self, typed_mut(object));
    }
    fn refuse_delete(&self, object: &dyn Object) -> Option<&'static str> {
        Strategy::refuse_delete(self, typed(object))
    }
    fn fence(&self, object: &dyn Object) -> Option<Fence> {
        Strategy::fence(self, typed(object))
    }
    fn scale(&self, object: &dyn Object) -> Option<Scale> {
        Strategy::scale(self, typed(object))
    }
    fn set_scale(&self, object: &mut dyn Object, wanted: i32) {
        Strategy::set_scale(self, typed_mut(object), wanted);
    }
    fn creates_on_update(&self) -> bool {
        Strategy::creates_on_update(self)
    }
    fn is_secret(&self) -> bool {
        Strategy::is_secret(self)
    }
}

/// A field's text, empty where it is not set.
fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

/// Adds a finalizer where it is missing.
fn add_finalizer(metadata: &mut ObjectMeta, finalizer: &str) {
    let finalizers = metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|own| own == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
}
