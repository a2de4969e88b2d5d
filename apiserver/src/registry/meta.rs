//! `metadata`: what the server writes into it, and what a client may not change.
//!
//! Source: `rest.BeforeCreate` and `rest.BeforeUpdate` of the Kubernetes apiserver library.

use coracle_api::{ApiError, Object, Resource, names, time};
use coracle_service::Random;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Where a new object got its name from, which decides what a taken name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameSource {
    /// The client chose it.
    Given,
    /// The server drew it from `generateName`, and may draw again.
    Generated,
}

/// Fits the object's namespace and name to those of the request, which may be empty.
pub(super) fn place(
    object: &mut dyn Object,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    let metadata = object.metadata_mut();
    if resource.namespaced {
        let own = metadata.namespace.get_or_insert_default();
        if own.is_empty() {
            namespace.clone_into(own);
        } else if !namespace.is_empty() && own != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if own.is_empty() {
            return Err(ApiError::bad_request(
                "an empty namespace may not be set during creation",
            ));
        }
    } else {
        metadata.namespace = None;
    }
    let own = metadata.name.get_or_insert_default();
    if own.is_empty() {
        name.clone_into(own);
    } else if !name.is_empty() && own != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}

/// Completes the metadata of a new object.
pub(super) fn stamp_create(
    object: &mut dyn Object,
    has_generation: bool,
    now: Timestamp,
    random: &Random,
) -> Result<NameSource, ApiError> {
    let metadata = object.metadata_mut();
    if metadata
        .resource_version
        .as_deref()
        .is_some_and(|own| !own.is_empty())
    {
        return Err(ApiError::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let mut source = NameSource::Given;
    let prefix = metadata.generate_name.clone().unwrap_or_default();
    let name = metadata.name.get_or_insert_default();
    if name.is_empty() && !prefix.is_empty() {
        *name = names::generate_name(&prefix, random.next_u64());
        source = NameSource::Generated;
    }
    metadata.uid = Some(random.uuid());
    metadata.creation_timestamp = Some(time::time(now));
    metadata.deletion_timestamp = None;
    metadata.deletion_grace_period_seconds = None;
    metadata.generation = has_generation.then_some(1);
    tidy(metadata);
    Ok(source)
}

/// Keeps what a client may not change.
pub(super) fn stamp_update(new: &mut dyn Object, old: &dyn Object) {
    let old = old.metadata();
    let metadata = new.metadata_mut();
    metadata.uid.clone_from(&old.uid);
    metadata.creation_timestamp.clone_from(&old.creation_timestamp);
    metadata.deletion_timestamp.clone_from(&old.deletion_timestamp);
    metadata.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    metadata.generate_name.clone_from(&old.generate_name);
    metadata.generation = old.generation;
    tidy(metadata);
}

/// Raises the generation of an object that has one.
pub(super) fn raise_generation(object: &mut dyn Object) {
    let metadata = object.metadata_mut();
    metadata.generation = metadata.generation.map(|generation| generation + 1);
}

/// Marks the object as being deleted, with `grace` seconds to end.
pub(super) fn mark_deleting(object: &mut dyn Object, grace: i64, now: Timestamp) {
    if object.metadata().deletion_timestamp.is_none() {
        raise_generation(object);
    }
    let at = now
        .checked_add(jiff::SignedDuration::from_secs(grace))
        .unwrap_or(now);
    let metadata = object.metadata_mut();
    metadata.deletion_timestamp = Some(time::time(at));
    metadata.deletion_grace_period_seconds = Some(grace);
}

/// Whether an object that is being deleted waits for nobody any more.
pub(super) fn may_go(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some()
        && metadata.deletion_grace_period_seconds.unwrap_or(0) == 0
        && metadata.finalizers.as_ref().is_none_or(Vec::is_empty)
}

/// Drops what is empty or only ever written by servers, so that equal objects have equal bytes.
fn tidy(metadata: &mut ObjectMeta) {
    metadata.self_link = None;
    metadata.labels = metadata.labels.take().filter(|all| !all.is_empty());
    metadata.annotations = metadata.annotations.take().filter(|all| !all.is_empty());
    metadata.finalizers = metadata.finalizers.take().filter(|all| !all.is_empty());
    metadata.owner_references = metadata.owner_references.take().filter(|all| !all.is_empty());
    metadata.generate_name = metadata.generate_name.take().filter(|prefix| !prefix.is_empty());
}

/// The revision that a body's `resourceVersion` asks for; `None` where it asks for none.
pub(super) fn asked_revision(resource: &Resource, metadata: &ObjectMeta) -> Result<Option<i64>, ApiError> {
    let text = metadata.resource_version.as_deref().unwrap_or_default();
    if matches!(text, "" | "0") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let path = coracle_api::Path::new("metadata").child("resourceVersion");
        let error =
            coracle_api::FieldError::invalid(&path, text, "must be a number that the server gave out");
        ApiError::invalid(
            resource,
            metadata.name.as_deref().unwrap_or_default(),
            vec![error],
        )
    })
}
