//! What the generic registry sees of a strategy: any object, no type.

use coracle_api::{
    ApiError, FieldError, Labels, Object, Resource, defaults,
    object::{self, BuiltIn, DecodeError, Decoded, Duplicates},
    validation,
};
use coracle_service::Peer;
use coracle_store::Fence;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Field, Scale, Strategy};
use crate::watch::Attributes;

/// [`Strategy`] without the type: what the generic registry calls. Every object passed must be of the strategy's kind.
#[allow(
    missing_docs,
    reason = "each method is the one of Strategy with the same name"
)]
pub trait Behaviour: Send + Sync {
    fn resource(&self) -> &'static Resource;
    /// Reads an object that is known to be sound.
    fn parse(&self, json: &[u8]) -> Result<Box<dyn Object>, ApiError>;
    /// Reads an object that a client sent, and tells what is strange about it.
    fn decode(
        &self,
        resource: &'static Resource,
        json: &[u8],
        duplicates: Duplicates,
    ) -> Result<Decoded, DecodeError> {
        object::decode(resource, json, duplicates)
    }
    /// Sets the defaults.
    fn complete(&self, object: &mut dyn Object) {
        defaults::apply(object);
    }
    /// What is wrong with an object, and with the change from `old` to it where there is one.
    fn validate(&self, new: &dyn Object, old: Option<&dyn Object>) -> Vec<FieldError> {
        match old {
            None => validation::create(new),
            Some(old) => validation::update(new, old),
        }
    }
    /// Why nothing of this kind may be created now.
    fn refuse_create(&self) -> Option<ApiError> {
        None
    }
    fn prepare_create(&self, object: &mut dyn Object);
    fn prepare_update(&self, new: &mut dyn Object, old: &dyn Object);
    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object);
    fn prepare_finalize(&self, new: &mut dyn Object, old: &dyn Object);
    fn prepare_approval(&self, new: &mut dyn Object, old: &dyn Object, now: Timestamp);
    fn name_caller(&self, object: &mut dyn Object, caller: &Peer);
    fn prepare_part(&self, part: &str, new: &mut dyn Object, old: &dyn Object);
    fn validate_part(&self, part: &str, new: &dyn Object, old: &dyn Object) -> Vec<FieldError>;
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
    fn orphans_dependents(&self) -> bool {
        false
    }
    fn creates_on_update(&self) -> bool;
    fn is_secret(&self) -> bool;
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
    fn refuse_create(&self) -> Option<ApiError> {
        Strategy::refuse_create(self)
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
    fn prepare_approval(&self, new: &mut dyn Object, old: &dyn Object, now: Timestamp) {
        Strategy::prepare_approval(self, typed_mut(new), typed(old), now);
    }
    fn name_caller(&self, object: &mut dyn Object, caller: &Peer) {
        Strategy::name_caller(self, typed_mut(object), caller);
    }
    fn prepare_part(&self, part: &str, new: &mut dyn Object, old: &dyn Object) {
        Strategy::prepare_part(self, part, typed_mut(new), typed(old));
    }
    fn validate_part(&self, part: &str, new: &dyn Object, old: &dyn Object) -> Vec<FieldError> {
        Strategy::validate_part(self, part, typed(new), typed(old))
    }
    fn is_spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool> {
        Strategy::is_spec_changed(self, typed(new), typed(old))
    }
    fn has_generation(&self, object: &dyn Object) -> bool {
        let object = typed(object);
        Strategy::is_spec_changed(self, object, object).is_some()
    }
    fn attributes(&self, object: &dyn Object) -> Attributes {
        attributes_of(object.metadata(), Strategy::fields(self, typed(object)))
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
    fn orphans_dependents(&self) -> bool {
        Strategy::orphans_dependents(self)
    }
    fn creates_on_update(&self) -> bool {
        Strategy::creates_on_update(self)
    }
    fn is_secret(&self) -> bool {
        Strategy::is_secret(self)
    }
}

/// What selectors need to know of an object with this metadata and these fields.
pub(in crate::registry) fn attributes_of(metadata: &ObjectMeta, fields: Vec<Field>) -> Attributes {
    let present = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let ObjectMeta {
        namespace,
        name,
        uid,
        labels,
        deletion_timestamp,
        ..
    } = metadata;
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
