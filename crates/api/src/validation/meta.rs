//! Metadata: names, labels, annotations, finalizers, owners.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::check::{Errors, IMMUTABLE, form, text};
use crate::field_error::{FieldError, Path, Value};
use crate::kinds::{self, Resource};
use crate::names;

/// Finalizers that need no domain in front.
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// Mistakes in the metadata of an object of `resource`.
pub fn object_meta(resource: &Resource, metadata: &ObjectMeta) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    let prefix = text(&metadata.generate_name);
    if !prefix.is_empty() {
        // A prefix may end in a dash: letters follow.
        let shown = prefix
            .strip_suffix('-')
            .map_or_else(|| prefix.to_owned(), |prefix| format!("{prefix}a"));
        form(&mut errors, &path, "generateName", prefix, name(resource, &shown));
    }
    match text(&metadata.name) {
        "" => errors.push(FieldError::required(
            &path.child("name"),
            "name or generateName is required",
        )),
        own => form(&mut errors, &path, "name", own, name(resource, own)),
    }
    match (text(&metadata.namespace), resource.namespaced) {
        ("", true) => errors.push(FieldError::required(&path.child("namespace"), "")),
        (own, true) => form(&mut errors, &path, "namespace", own, names::label(own)),
        ("", false) => {}
        (_, false) => {
            errors.push(FieldError::forbidden(
                &path.child("namespace"),
                "not allowed on this type",
            ));
        }
    }
    if let Some(own) = &metadata.labels {
        errors.extend(labels(own, &path.child("labels")));
    }
    if let Some(own) = &metadata.annotations {
        annotations(&mut errors, own, &path.child("annotations"));
    }
    if let Some(owners) = metadata
        .owner_references
        .as_deref()
        .filter(|owners| !owners.is_empty())
    {
        owner_references(&mut errors, owners, &path.child("ownerReferences"));
    }
    for finalizer in metadata.finalizers.iter().flatten() {
        finalizer_name(&mut errors, resource, finalizer, &path);
    }
    errors
}

/// What names of this kind may look like.
fn name(resource: &Resource, name: &str) -> Vec<String> {
    if resource == kinds::NAMESPACE {
        names::label(name)
    } else if resource == kinds::SERVICE {
        names::label_1035(name)
    } else if resource.group == "rbac.authorization.k8s.io" {
        names::path_segment(name)
    } else if resource == kinds::API_SERVICE {
        // `v1.`, of the core group, is no subdomain; the spec says what the name must be.
        names::path_segment(name)
    } else {
        names::subdomain(name)
    }
}

/// Mistakes in labels.
pub fn labels(labels: &BTreeMap<String, String>, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels {
        let messages = names::qualified_name(key);
        errors.extend(
            messages
                .into_iter()
                .map(|message| FieldError::invalid(path, key, message)),
        );
        let messages = names::label_value(value);
        errors.extend(
            messages
                .into_iter()
                .map(|message| FieldError::invalid(path, value, message)),
        );
    }
    errors
}

fn annotations(errors: &mut Errors, annotations: &BTreeMap<String, String>, path: &Path) {
    for key in annotations.keys() {
        // Upstream lets the case of annotation keys pass.
        let messages = names::qualified_name(&key.to_lowercase());
        errors.extend(
            messages
                .into_iter()
                .map(|message| FieldError::invalid(path, key, message)),
        );
    }
    if names::annotations_size_bytes(annotations) > names::ANNOTATIONS_MAX_BYTES {
        errors.push(FieldError::too_long(path, names::ANNOTATIONS_MAX_BYTES));
    }
}

fn owner_references(errors: &mut Errors, owners: &[OwnerReference], path: &Path) {
    let mut controller: Option<&OwnerReference> = None;
    for owner in owners {
        let version = owner
            .api_version
            .rsplit_once('/')
            .map_or(owner.api_version.as_str(), |(_, version)| version);
        let fields = [
            (
                "apiVersion",
                version,
                &owner.api_version,
                "version must not be empty",
            ),
            ("kind", &owner.kind, &owner.kind, "must not be empty"),
            ("name", &owner.name, &owner.name, "must not be empty"),
            ("uid", &owner.uid, &owner.uid, "must not be empty"),
        ];
        for (field, needed, shown, message) in fields {
            if needed.is_empty() {
                errors.push(FieldError::invalid(&path.child(field), shown, message));
            }
        }
        if owner.api_version == "v1" && owner.kind == "Event" {
            errors.push(FieldError::invalid(
                path,
                Value::json(owner),
                "/v1, Kind=Event is disallowed from being an owner",
            ));
        }
        if owner.controller != Some(true) {
            continue;
        }
        if let Some(first) = controller {
            let message = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {}/{} and {}/{}",
                first.kind, first.name, owner.kind, owner.name
            );
            errors.push(FieldError::invalid(path, Value::json(&owners), message));
        }
        controller = Some(owner);
    }
}

fn finalizer_name(errors: &mut Errors, resource: &Resource, finalizer: &str, path: &Path) {
    form(
        errors,
        path,
        "finalizers",
        finalizer,
        names::qualified_name(finalizer),
    );
    // Definitions and custom resources may have any: upstream serves them with another machinery.
    let is_free = resource == kinds::CUSTOM_RESOURCE_DEFINITION || resource.place >= kinds::RESOURCES.len();
    if !is_free && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        let message = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(FieldError::invalid(&path.child("finalizers"), finalizer, message));
    }
}

/// Mistakes in the change from `old` to `new` metadata.
pub fn object_meta_update(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    for (field, new, old) in [
        ("name", &new.name, &old.name),
        ("namespace", &new.namespace, &old.namespace),
        ("uid", &new.uid, &old.uid),
    ] {
        if text(new) != text(old) {
            errors.push(FieldError::invalid(&path.child(field), text(new), IMMUTABLE));
        }
    }
    if old.deletion_timestamp.is_some() {
        let had = old.finalizers.iter().flatten();
        let had: Vec<&String> = had.collect();
        let added: Vec<&String> = new
            .finalizers
            .iter()
            .flatten()
            .filter(|own| !had.contains(own))
            .collect();
        if !added.is_empty() {
            let message = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added
                    .iter()
                    .map(|own| format!("{own:?}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            errors.push(FieldError::forbidden(&path.child("finalizers"), message));
        }
    }
    errors
}
