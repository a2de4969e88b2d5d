//! Objects of one version become ones of another where that takes a webhook.
//!
//! Reads and watches ask the webhook when they have what they show ([`Converter`]). Planning is synchronous and cannot
//! wait: it looks into what has been converted for its caller ([`Converted`]), notes what is missing there and fails;
//! whoever carries out the plan has the missing converted and plans again. A write whose answer is of another version has
//! its answer before it is stored, so that a webhook that fails refuses the write and nothing is half done.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_admission::Dispatcher;
use coracle_api::{
    ApiError, Object, Resource, encode,
    object::{Custom, Duplicates},
};
use coracle_custom::conversion::{self, Conversion};
use coracle_service::Random;
use k8s_openapi::api::admissionregistration::v1::{ServiceReference, WebhookClientConfig};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;
use serde_json::Value;

use super::{Context, Entry, Registry, Target, admit::Admission, custom, strategy};
use crate::watch::Filter;

/// How long a webhook may take, as upstream has it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Objects in one review, and their bytes; one may be larger.
const MAX_OBJECTS: usize = 500;
const MAX_REVIEW_BYTES: usize = 1 << 20;

/// Metadata that a plan draws, or that depends on when it is made.
const DRAWN: [&str; 4] = ["creationTimestamp", "managedFields", "resourceVersion", "uid"];

/// Whether objects of this version are made of stored ones by a webhook, and the other way round.
pub(super) fn is_needed(resource: &Resource) -> bool {
    custom::conversion(resource).is_some()
}

/// Whether this object has to become one of another version, and a webhook must be asked for it.
fn is_foreign(json: &[u8], wanted: &Resource) -> bool {
    custom::is_custom(wanted)
        && encode::head(json).is_some_and(|(own, _)| own != wanted.api_version)
        && is_needed(wanted)
}

/// An object, and the version that it is to become.
type Wanted = (&'static Resource, Bytes);
/// By the version's name, which is as good as the version and can be hashed.
type Done = HashMap<(&'static str, Bytes), Result<Bytes, ApiError>>;

/// What webhooks have made of objects for one caller, and what they still have to.
#[derive(Debug, Default)]
pub(super) struct Converted {
    done: Mutex<Done>,
    wanted: Mutex<Vec<Wanted>>,
}

impl Converted {
    /// The object as one of `wanted`; as it is, where that takes no webhook.
    ///
    /// # Errors
    /// The webhook's, or that it has not been asked yet.
    pub fn json(&self, json: &Bytes, wanted: &'static Resource) -> Result<Bytes, ApiError> {
        if !is_foreign(json, wanted) {
            return Ok(json.clone());
        }
        let (metadata, settled) = settled(json).map_err(ApiError::internal)?;
        if let Some(done) = self.done.lock().get(&(wanted.api_version, settled.clone())) {
            return with_metadata(wanted, done.as_ref().map_err(Clone::clone)?, metadata);
        }
        self.wanted.lock().push((wanted, settled));
        Err(ApiError::internal("an object is still to be converted"))
    }

    /// As [`Converted::json`], for a cached object.
    pub fn entry(&self, entry: Entry, wanted: &'static Resource) -> Result<Entry, ApiError> {
        let json = self.json(&entry.json, wanted)?;
        Ok(Entry { json, ..entry })
    }

    /// What the writer of an object is answered, where a webhook has to make it.
    pub fn answer(&self, stored: &Bytes, wanted: &'static Resource) -> Result<Option<Bytes>, ApiError> {
        if is_foreign(stored, wanted) {
            self.json(stored, wanted).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether more is wanted than `before`, which is brought up to date.
    pub fn takes_more(&self, before: &mut usize) -> bool {
        let now = self.wanted.lock().len();
        std::mem::replace(before, now) < now
    }
}

/// An object's metadata, and the object without what every planning draws anew: what a webhook is asked about is the same
/// each time, and what it is not asked about it may not change.
fn settled(json: &[u8]) -> serde_json::Result<(ObjectMeta, Bytes)> {
    let mut object: Value = serde_json::from_slice(json)?;
    let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone())?;
    if let Some(own) = object["metadata"].as_object_mut() {
        own.retain(|name, _| !DRAWN.contains(&name.as_str()));
        if metadata
            .generate_name
            .as_deref()
            .is_some_and(|prefix| !prefix.is_empty())
        {
            own.remove("name");
        }
    }
    Ok((metadata, object.to_string().into()))
}

/// A converted object with the metadata that it has in truth; labels and annotations are the webhook's.
fn with_metadata(resource: &'static Resource, json: &[u8], metadata: ObjectMeta) -> Result<Bytes, ApiError> {
    let mut object = Custom::stored(resource, json).map_err(ApiError::internal)?;
    let (labels, annotations) = (object.metadata.labels.take(), object.metadata.annotations.take());
    object.metadata = ObjectMeta {
        labels,
        annotations,
        ..metadata
    };
    Ok(object.to_json().into())
}

/// The body of a write as an object of the stored version. What is wrong with it is told in terms of its own.
pub(super) fn body(
    ctx: &Context,
    resource: &'static Resource,
    object: &dyn Object,
    stored: &'static Resource,
) -> Result<Box<dyn Object>, ApiError> {
    if let (Some(own), Some(behaviour)) = (object.downcast_ref::<Custom>(), custom::of(resource)) {
        let errors = behaviour.judge_asked(own);
        if !errors.is_empty() {
            return Err(ApiError::invalid(resource, object.name(), errors));
        }
    }
    let json = ctx.converted.json(&object.to_json().into(), stored)?;
    let decoded = strategy::of(stored).decode(stored, &json, Duplicates::Ignore);
    // That it cannot be read is the webhook's fault, not the caller's.
    let decoded = decoded.map_err(|error| ApiError::internal(error.into_api_error(stored)))?;
    Ok(decoded.object)
}

/// An answer of `resource` that was made before its revision was known.
pub(super) fn at_revision(
    json: &[u8],
    resource: &'static Resource,
    revision: i64,
) -> Result<Bytes, ApiError> {
    let mut object = Custom::stored(resource, json).map_err(ApiError::internal)?;
    object.metadata.resource_version = Some(revision.to_string());
    Ok(object.to_json().into())
}

/// Has webhooks convert objects.
pub struct Converter {
    admission: Arc<Admission>,
    random: Random,
}

impl Converter {
    /// One object as `wanted` has it.
    ///
    /// # Errors
    /// [`ApiError`] of the webhook.
    pub(super) async fn entry(&self, mut entry: Entry, wanted: &'static Resource) -> Result<Entry, ApiError> {
        self.in_place(vec![&mut entry], wanted).await?;
        Ok(entry)
    }

    /// The JSON of one object of any version, also of a built-in kind, as `wanted` has it.
    ///
    /// # Errors
    /// [`ApiError`] of the webhook, or where it is no object of its kind.
    pub(super) async fn json(&self, json: &Bytes, wanted: &'static Resource) -> Result<Bytes, ApiError> {
        let TypeMeta { own, kind } = serde_json::from_slice(json).map_err(ApiError::internal)?;
        let (own, kind) = (own.as_str(), kind.as_str());
        if own == wanted.api_version {
            return Ok(json.clone());
        }
        if custom::is_custom(wanted) {
            if is_needed(wanted) {
                let converted = self.ask(wanted, std::slice::from_ref(json)).await?;
                return Ok(converted.into_iter().next().unwrap_or_default());
            }
            let renamed = Custom::stored(wanted, json).map_err(ApiError::internal)?;
            return Ok(renamed.to_json().into());
        }
        let Some(source) = coracle_api::kinds::of_object(own, kind) else {
            return Err(ApiError::internal(format!("{own} has no kind {kind}")));
        };
        let mut object = (source.decode)(json).map_err(ApiError::internal)?;
        if let Some(stored) = source.stored_as {
            object = (stored.convert)(object, stored.resource);
        }
        if let Some(other) = wanted.stored_as {
            object = (other.convert)(object, wanted);
        }
        Ok(object.to_json().into())
    }

    /// Several.
    ///
    /// # Errors
    /// [`ApiError`] of the webhook.
    pub(super) async fn entries(
        &self,
        mut entries: Vec<Entry>,
        wanted: &'static Resource,
    ) -> Result<Vec<Entry>, ApiError> {
        self.in_place(entries.iter_mut().collect(), wanted).await?;
        Ok(entries)
    }

    /// Makes every object one of `wanted` that is not yet, in as few reviews as there may be.
    ///
    /// # Errors
    /// [`ApiError`] of the webhook.
    pub(crate) async fn in_place(
        &self,
        entries: Vec<&mut Entry>,
        wanted: &'static Resource,
    ) -> Result<(), ApiError> {
        if !custom::is_custom(wanted) || !is_needed(wanted) {
            return Ok(());
        }
        let mut foreign: Vec<&mut Entry> = entries
            .into_iter()
            .filter(|entry| is_foreign(&entry.json, wanted))
            .collect();
        let mut rest = foreign.as_mut_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |entry: &&&mut Entry| {
                bytes += entry.json.len();
                bytes <= MAX_REVIEW_BYTES
            };
            let count = rest.iter().take(MAX_OBJECTS).take_while(fits).count().max(1);
            let (now, later) = rest.split_at_mut(count);
            let objects: Vec<Bytes> = now.iter().map(|entry| entry.json.clone()).collect();
            let converted = self.ask(wanted, &objects).await?;
            for (entry, json) in now.iter_mut().zip(converted) {
                entry.json = json;
            }
            rest = later;
        }
        Ok(())
    }

    /// Asks the webhook once.
    async fn ask(&self, wanted: &'static Resource, objects: &[Bytes]) -> Result<Vec<Bytes>, ApiError> {
        let Some(webhook) = custom::conversion(wanted) else {
            return Ok(objects.to_vec());
        };
        let uid = self.random.uuid();
        let body = conversion::review(&uid, wanted.api_version, objects);
        let dispatcher: &Dispatcher = &self.admission.dispatcher;
        let answer = dispatcher.post(client(webhook), TIMEOUT, body).await;
        let read = answer
            .map_err(|why| format!("failed: {why}"))
            .and_then(|answer| conversion::read(&answer, &uid, wanted.api_version, objects));
        let mut read = read.map_err(|why| {
            let (version, kind) = objects
                .first()
                .and_then(|json| encode::head(json))
                .unwrap_or((wanted.api_version, wanted.kind));
            let why = format!("conversion webhook for {version}, Kind={kind} {why}");
            // Upstream has no reason for it, only the code.
            ApiError::new(coracle_api::Reason::Unknown, why).with_code(500)
        })?;
        for json in &mut read {
            *json = completed(wanted, json)?;
        }
        Ok(read)
    }
}

/// What an object says it is, wherever it says so.
#[derive(serde::Deserialize)]
struct TypeMeta {
    #[serde(rename = "apiVersion")]
    own: String,
    kind: String,
}

/// Where the webhook is. The group of definitions has types of its own for the same fields.
fn client(webhook: Conversion) -> WebhookClientConfig {
    let own = webhook.client;
    WebhookClientConfig {
        ca_bundle: own.ca_bundle,
        service: own.service.map(|service| ServiceReference {
            name: service.name,
            namespace: service.namespace,
            path: service.path,
            port: service.port,
        }),
        url: own.url,
    }
}

/// A converted object as the schema of its version leaves it: pruned, and with its defaults.
fn completed(resource: &'static Resource, json: &Bytes) -> Result<Bytes, ApiError> {
    let decoded = strategy::of(resource).decode(resource, json, Duplicates::Ignore);
    let decoded = decoded.map_err(|error| ApiError::internal(error.into_api_error(resource)))?;
    Ok(decoded.object.to_json().into())
}

impl Registry {
    /// Who converts objects.
    pub(super) fn converter(&self) -> Converter {
        Converter {
            admission: Arc::clone(&self.admission),
            random: self.env.random.clone(),
        }
    }

    /// Has converted what planning missed. Says whether it missed anything, so that it is worth planning again.
    pub(super) async fn convert_wanted(&self, converted: &Converted) -> bool {
        let wanted = std::mem::take(&mut *converted.wanted.lock());
        let is_worth_it = !wanted.is_empty();
        let converter = self.converter();
        for (resource, json) in wanted {
            let key = (resource.api_version, json.clone());
            if converted.done.lock().contains_key(&key) {
                continue;
            }
            let answer = converter.ask(resource, &[json]).await;
            let answer = answer.map(|mut all| all.pop().unwrap_or_default());
            converted.done.lock().insert(key, answer);
        }
        is_worth_it
    }

    /// Stores anew what was stored in another version than the one that is stored now, until nothing is left or
    /// something fails; another change of the definition tries again.
    pub(super) async fn store_anew(&self, storage: &'static Resource) -> Result<usize, ApiError> {
        let mut count = 0;
        let all = self.cache.list(storage, &Filter::default(), None, 0, None);
        for entry in all.into_iter().flat_map(|page| page.entries) {
            if !is_foreign(&entry.json, storage) {
                continue;
            }
            let target = Target::new(storage, &*entry.attributes.namespace, &*entry.attributes.name);
            let current = self.converter().entry(entry, storage).await?;
            let mut body: Value = serde_json::from_slice(&current.json).map_err(ApiError::internal)?;
            body["metadata"]["resourceVersion"] = current.revision.to_string().into();
            let written = self
                .update(&Context::internal(), target, "", body.to_string().into())
                .await;
            match written {
                Ok(_) => count += 1,
                // Whoever changed it stored it anew.
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}
