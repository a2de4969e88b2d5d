//! How custom resources behave: as their definition of the moment says.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use coracle_api::object::{Custom, DecodeError, Decoded, Duplicates};
use coracle_api::schema::View;
use coracle_api::{ApiError, FieldError, Object, Resource, defaults, validation};
use coracle_custom::cel::{Budget, OBJECT_BUDGET};
use coracle_custom::conversion::Conversion;
use coracle_custom::{Definition, Version, defaulting, prune, ratchet, rules, validate};
use coracle_service::Peer;
use coracle_store::Fence;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::registry::strategy::{Behaviour, Scale, attributes_of};
use crate::watch::Attributes;

/// The behaviour of a custom kind, for all its versions. A changed definition takes effect without a new row.
#[derive(Default)]
pub struct CustomBehaviour {
    now: ArcSwapOption<Served>,
}

/// A definition as it is served.
pub struct Served {
    definition: Arc<Definition>,
    storage: &'static Resource,
    is_terminating: bool,
}

impl Served {
    pub(super) fn new(definition: Arc<Definition>, storage: &'static Resource, is_terminating: bool) -> Self {
        Self {
            definition,
            storage,
            is_terminating,
        }
    }

    /// A version by its name.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.definition
            .versions
            .iter()
            .find(|version| *version.name == *name)
    }

    /// The webhook that converts between the versions.
    #[must_use]
    pub fn conversion(&self) -> Option<&Conversion> {
        self.definition.conversion.as_ref()
    }

    /// Whether the definition is being deleted, so that nothing new may come.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.is_terminating
    }
}

impl CustomBehaviour {
    pub(super) fn serve(&self, served: Served) {
        self.now.store(Some(Arc::new(served)));
    }

    /// What is wrong with an object by the schema of its own version, before it becomes one of another.
    pub(in crate::registry) fn judge_asked(&self, object: &Custom) -> Vec<FieldError> {
        let judged = self.with(object, |version| validate::validate(&object.body, &version.root));
        judged.unwrap_or_default()
    }

    /// The definition of the moment.
    #[must_use]
    pub fn now(&self) -> Option<Arc<Served>> {
        self.now.load_full()
    }

    /// What `use_it` makes of the version that an object was written in, or of the stored one where that is gone.
    fn with<T>(&self, object: &Custom, use_it: impl FnOnce(&Version) -> T) -> Option<T> {
        let now = self.now()?;
        let asked = object.asked.unwrap_or(object.resource);
        let version = now.version(asked.version).or_else(|| now.definition.storage())?;
        Some(use_it(version))
    }
}

fn custom(object: &dyn Object) -> &Custom {
    match object.downcast_ref() {
        Some(custom) => custom,
        None => unreachable!("the behaviour of a custom kind is found by the object's own row"),
    }
}

fn custom_mut(object: &mut dyn Object) -> &mut Custom {
    match object.downcast_mut() {
        Some(custom) => custom,
        None => unreachable!("the behaviour of a custom kind is found by the object's own row"),
    }
}

/// Whether two bodies are the same but for the status.
fn is_same_but_status(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let without = |body: &'_ Map<String, Value>| body.len() - usize::from(body.contains_key("status"));
    without(one) == without(other)
        && one
            .iter()
            .filter(|(name, _)| *name != "status")
            .all(|(name, value)| other.get(name) == Some(value))
}

/// Takes the status from another body.
fn take_status(to: &mut Map<String, Value>, from: &Map<String, Value>) {
    match from.get("status") {
        Some(status) => drop(to.insert("status".to_owned(), status.clone())),
        None => drop(to.remove("status")),
    }
}

impl Behaviour for CustomBehaviour {
    fn resource(&self) -> &'static Resource {
        match self.now() {
            Some(now) => now.storage,
            None => unreachable!("a row is handed out after its definition is served"),
        }
    }

    fn decode(
        &self,
        resource: &'static Resource,
        json: &[u8],
        duplicates: Duplicates,
    ) -> Result<Decoded, DecodeError> {
        let now = self.now();
        let version = now.as_deref().and_then(|now| now.version(resource.version));
        let shape = version.map_or(View::any(), |version| version.graph.at(version.shape));
        let mut decoded = Custom::decode(resource, json, shape, duplicates)?;
        if let (Some(version), Some(object)) = (version, decoded.object.downcast_mut::<Custom>()) {
            prune::prune(&mut object.body, &version.root, &mut Vec::new());
            defaulting::apply(&mut object.body, &version.root);
        }
        Ok(decoded)
    }

    fn parse(&self, json: &[u8]) -> Result<Box<dyn Object>, ApiError> {
        let object = Custom::stored(self.resource(), json).map_err(ApiError::internal)?;
        Ok(Box::new(object))
    }

    fn complete(&self, object: &mut dyn Object) {
        defaults::metadata(object.metadata_mut());
        let object = custom_mut(object);
        let mut body = std::mem::take(&mut object.body);
        self.with(object, |version| defaulting::apply(&mut body, &version.root));
        object.body = body;
    }

    fn validate(&self, new: &dyn Object, old: Option<&dyn Object>) -> Vec<FieldError> {
        let mut errors = validation::object_meta(new.resource(), new.metadata());
        if let Some(old) = old {
            errors.extend(validation::object_meta_update(new.metadata(), old.metadata()));
        }
        let own = custom(new);
        let judged = self.with(own, |version| {
            let mut errors = validate::validate(&own.body, &version.root);
            if let Some(old) = old {
                errors = ratchet::new_mistakes(errors, &own.body, &custom(old).body, &version.root);
            }
            if !version.root.has_rules {
                return errors;
            }
            if validate::is_blocking(&errors) {
                errors.push(validate::rules_not_checked());
                return errors;
            }
            let former = old.map(|old| custom(old).to_map());
            let mut budget = Budget::new(OBJECT_BUDGET);
            errors.extend(rules::judge(
                &own.to_map(),
                former.as_ref(),
                &version.root,
                &mut budget,
            ));
            errors
        });
        errors.extend(judged.into_iter().flatten());
        errors
    }

    fn refuse_create(&self) -> Option<ApiError> {
        let now = self.now()?;
        now.is_terminating().then(|| {
            let why = "create not allowed while custom resource definition is terminating";
            ApiError::new(coracle_api::Reason::MethodNotAllowed, why)
        })
    }

    fn prepare_create(&self, object: &mut dyn Object) {
        let object = custom_mut(object);
        if self.with(object, |version| version.has_status) == Some(true) {
            object.body.remove("status");
        }
    }

    fn prepare_update(&self, new: &mut dyn Object, old: &dyn Object) {
        let new = custom_mut(new);
        if self.with(new, |version| version.has_status) == Some(true) {
            take_status(&mut new.body, &custom(old).body);
        }
    }

    fn prepare_status_update(&self, new: &mut dyn Object, old: &dyn Object) {
        let (new, old) = (custom_mut(new), custom(old));
        let mut body = old.body.clone();
        take_status(&mut body, &new.body);
        new.body = body;
        let managed_fields = new.metadata.managed_fields.take();
        new.metadata = old.metadata.clone();
        new.metadata.managed_fields = managed_fields;
    }

    fn prepare_finalize(&self, _new: &mut dyn Object, _old: &dyn Object) {}

    fn prepare_approval(&self, _new: &mut dyn Object, _old: &dyn Object, _now: Timestamp) {}

    fn name_caller(&self, _object: &mut dyn Object, _caller: &Peer) {}

    fn prepare_part(&self, _part: &str, _new: &mut dyn Object, _old: &dyn Object) {}

    fn validate_part(&self, _part: &str, new: &dyn Object, old: &dyn Object) -> Vec<FieldError> {
        self.validate(new, Some(old))
    }

    fn is_spec_changed(&self, new: &dyn Object, old: &dyn Object) -> Option<bool> {
        let (new, old) = (custom(new), custom(old));
        let has_status = self.with(new, |version| version.has_status) == Some(true);
        Some(if has_status {
            !is_same_but_status(&new.body, &old.body)
        } else {
            new.body != old.body
        })
    }

    fn has_generation(&self, _object: &dyn Object) -> bool {
        true
    }

    fn attributes(&self, object: &dyn Object) -> Attributes {
        let own = custom(object);
        let fields = self.now().and_then(|now| {
            let version = now.version(own.resource.version)?;
            let found = version.selectable.iter().filter_map(|field| {
                let name = own
                    .resource
                    .selectable_fields
                    .iter()
                    .find(|name| **name == &*field.name)?;
                let text = match field.path.find(&own.body)? {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                Some((*name, text))
            });
            Some(found.collect::<Vec<_>>())
        });
        attributes_of(object.metadata(), fields.unwrap_or_default())
    }

    fn grace_seconds(&self, _object: &dyn Object, _asked: Option<i64>) -> i64 {
        0
    }

    fn is_finalized(&self, _object: &dyn Object) -> bool {
        true
    }

    fn mark_deleting(&self, _object: &mut dyn Object) {}

    fn refuse_delete(&self, _object: &dyn Object) -> Option<&'static str> {
        None
    }

    fn fence(&self, _object: &dyn Object) -> Option<Fence> {
        None
    }

    fn scale(&self, object: &dyn Object) -> Option<Scale> {
        let object = custom(object);
        self.with(object, |version| {
            let paths = version.scale.as_ref()?;
            let number = |path: &coracle_custom::JsonPath| {
                let found = path.find(&object.body).and_then(Value::as_i64);
                found.and_then(|number| i32::try_from(number).ok())
            };
            let selector = paths.selector.as_ref().and_then(|path| path.find(&object.body));
            Some(Scale {
                wanted: number(&paths.wanted).unwrap_or(0),
                present: number(&paths.present).unwrap_or(0),
                selector: selector.and_then(Value::as_str).unwrap_or_default().to_owned(),
            })
        })
        .flatten()
    }

    fn set_scale(&self, object: &mut dyn Object, wanted: i32) {
        let object = custom_mut(object);
        let path = self.with(object, |version| {
            version.scale.as_ref().map(|paths| paths.wanted.clone())
        });
        if let Some(path) = path.flatten() {
            path.set(&mut object.body, wanted.into());
        }
    }

    fn creates_on_update(&self) -> bool {
        false
    }

    fn is_secret(&self) -> bool {
        false
    }
}
