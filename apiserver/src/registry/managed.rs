//! `metadata.managedFields`: which objects are tracked, under which name a writer owns what it changes, and what the
//! field sets of `coracle_fields` are asked.
//!
//! An object is tracked from the first write on that names a field manager (over REST every one does); what our own
//! controllers make stays untracked and costs nothing here. A write of a tracked object is compared with the state
//! that it changes before the strategy prepares it, so that nobody comes to own what the server adds by itself.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use coracle_api::{
    ApiError, FieldError, Object, Path, Resource, encode, names,
    schema::{self, View},
};
use coracle_fields::{FieldSet, Managers, Writer, blank};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use super::{
    Context,
    custom::{self, Served},
    plan::is_same,
};

/// The longest name of a subresource in managed fields, in bytes.
const MAX_SUBRESOURCE_BYTES: usize = 256;

/// The shape of the objects of a kind, with `apiVersion`, `kind` and `metadata`.
pub(super) fn shape_of(resource: &'static Resource) -> Shape {
    let custom = custom::of(resource).and_then(|behaviour| behaviour.now());
    custom.map_or(Shape::BuiltIn(resource), |served| Shape::Custom(served, resource))
}

/// The shape of the objects of a kind, held for as long as somebody walks along it.
pub(super) enum Shape {
    /// Of a built-in kind.
    BuiltIn(&'static Resource),
    /// Of a custom one, whose definition may change meanwhile.
    Custom(Arc<Served>, &'static Resource),
}

impl Shape {
    /// The shape itself.
    pub fn view(&self) -> View<'_> {
        match self {
            Self::BuiltIn(resource) => {
                schema::builtin(resource.api_version, resource.kind).unwrap_or_else(View::any)
            }
            Self::Custom(served, resource) => match served.version(resource.version) {
                Some(version) => version.graph.at(version.shape),
                None => View::any(),
            },
        }
    }
}

/// What a write through `subresource` cannot change, and nobody owns by trying.
pub(super) fn ignored(resource: &Resource, subresource: &str) -> &'static FieldSet {
    static NOTHING: LazyLock<FieldSet> = LazyLock::new(FieldSet::default);
    static STATUS: LazyLock<FieldSet> = LazyLock::new(|| FieldSet::of_fields([&["status"][..]]));
    static SPEC: LazyLock<FieldSet> = LazyLock::new(|| FieldSet::of_fields([&["spec"][..]]));
    static SPEC_AND_LABELS: LazyLock<FieldSet> =
        LazyLock::new(|| FieldSet::of_fields([&["spec"][..], &["metadata", "labels"]]));
    match subresource {
        "" if resource.has_status() => &STATUS,
        "status" if (resource.group, resource.kind) == ("apps", "Deployment") => &SPEC_AND_LABELS,
        "status" => &SPEC,
        _ => &NOTHING,
    }
}

/// The name under which the caller owns fields: the one that it gives, else who it is.
pub(super) fn manager(ctx: &Context) -> Cow<'_, str> {
    let named = ctx.options.field_manager.as_str();
    if !named.is_empty() {
        return named.into();
    }
    match ctx.peer.user.strip_prefix("system:") {
        Some(node) if node.starts_with("node:") || node.starts_with("nodepool:") => "kubelet".into(),
        Some("apiserver") => "kube-apiserver".into(),
        Some(component) => component.into(),
        None => ctx.peer.user.as_str().into(),
    }
}

/// The managers of a new object, out of which the managed fields that it brings are taken: the writer owns what it
/// says and what defaults make of it. Nobody where it is not tracked.
pub(super) fn track_create(
    ctx: &Context,
    object: &mut dyn Object,
    now: Timestamp,
) -> Result<Managers, ApiError> {
    let brought = object.metadata_mut().managed_fields.take();
    if ctx.options.field_manager.is_empty() {
        return Ok(Managers::default());
    }
    let resource = object.resource();
    let brought = brought.unwrap_or_default();
    refuse_malformed(object, &brought)?;
    let managers = Managers::decode(&brought).unwrap_or_default();
    let new = value_of(&object.to_json())?;
    let (name, shape) = (manager(ctx), shape_of(resource));
    let view = shape.view();
    let writer = Writer {
        manager: &name,
        api_version: resource.api_version,
        subresource: "",
        now,
    };
    Ok(managers.update(&blank(view), &new, view, ignored(resource, ""), writer))
}

/// The managers of an object that replaces `old`, whose JSON is `old_json`; the managed fields that it brings are taken
/// out of it. The writer, who came through the subresource `at`, owns what it changed.
pub(super) fn track_update(
    ctx: &Context,
    new: &mut dyn Object,
    old: &dyn Object,
    old_json: &[u8],
    at: (&str, Timestamp),
) -> Result<Managers, ApiError> {
    let brought = new.metadata_mut().managed_fields.take().unwrap_or_default();
    let live = old.metadata().managed_fields.as_deref().unwrap_or_default();
    if brought.is_empty() && live.is_empty() {
        return Ok(Managers::default());
    }
    let (subresource, now) = at;
    if subresource.is_empty() {
        // One empty entry ends the tracking; an empty list is what clients send that know nothing of it.
        if brought == [ManagedFieldsEntry::default()] {
            return Ok(Managers::default());
        }
        refuse_malformed(new, &brought)?;
    }
    let live = || Managers::decode(live).unwrap_or_default();
    let managers = match Managers::decode(&brought) {
        Ok(brought) if subresource.is_empty() && !brought.is_empty() => brought,
        _ => live(),
    };
    if managers.is_empty() {
        return Ok(managers);
    }
    let resource = new.resource();
    let mut before = value_of(old_json)?;
    take_entries(&mut before);
    let after = value_of(&new.to_json())?;
    let name = manager(ctx);
    let writer = Writer {
        manager: &name,
        api_version: resource.api_version,
        subresource,
        now,
    };
    let shape = shape_of(resource);
    Ok(managers.update(
        &before,
        &after,
        shape.view(),
        ignored(resource, subresource),
        writer,
    ))
}

/// Where a write changes nothing but the times of managed fields, it changes nothing at all.
pub(super) fn keep_times(new: &mut dyn Object, old: &dyn Object, old_json: &[u8]) {
    let (Some(newer), Some(older)) = (&new.metadata().managed_fields, &old.metadata().managed_fields) else {
        return;
    };
    let is_same_but_time = |(newer, older): (&ManagedFieldsEntry, &ManagedFieldsEntry)| {
        newer.manager == older.manager
            && newer.operation == older.operation
            && newer.api_version == older.api_version
            && newer.subresource == older.subresource
            && newer.fields_v1 == older.fields_v1
    };
    // The times are part of their order.
    let mut ordered: [Vec<&ManagedFieldsEntry>; 2] = [newer.iter().collect(), older.iter().collect()];
    for entries in &mut ordered {
        entries.sort_by_key(|entry| {
            (
                &entry.manager,
                &entry.operation,
                &entry.api_version,
                &entry.subresource,
            )
        });
    }
    let [sorted_newer, sorted_older] = &ordered;
    let is_kept = newer != older
        && newer.len() == older.len()
        && sorted_newer
            .iter()
            .copied()
            .zip(sorted_older.iter().copied())
            .all(is_same_but_time);
    if !is_kept {
        return;
    }
    let newer = new.metadata_mut().managed_fields.replace(older.clone());
    if !is_same(old_json, &encode::encode(new)) {
        new.metadata_mut().managed_fields = newer;
    }
}

/// Writes the managers into the object.
pub(super) fn set(object: &mut dyn Object, managers: &Managers) {
    object.metadata_mut().managed_fields = Some(managers.encode()).filter(|entries| !entries.is_empty());
}

/// Takes `metadata.managedFields` out of an object's JSON.
pub(super) fn take_entries(object: &mut Value) -> Option<Value> {
    object
        .get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields")
}

fn value_of(json: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(json).map_err(ApiError::internal)
}

/// Judges managed fields that a client wrote by hand.
fn refuse_malformed(object: &dyn Object, entries: &[ManagedFieldsEntry]) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    let list = Path::new("metadata").child("managedFields");
    for (index, entry) in entries.iter().enumerate() {
        let path = list.index(index);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let operation = text(&entry.operation);
        if !matches!(operation.as_str(), "Apply" | "Update") {
            let why = "must be `Apply` or `Update`";
            errors.push(FieldError::invalid(&path.child("operation"), operation, why));
        }
        let fields_type = text(&entry.fields_type);
        if !matches!(fields_type.as_str(), "" | "FieldsV1") {
            errors.push(FieldError::invalid(
                &path.child("fieldsType"),
                fields_type,
                "must be `FieldsV1`",
            ));
        }
        let manager = text(&entry.manager);
        for why in names::field_manager(&manager) {
            errors.push(FieldError::invalid(&path.child("manager"), manager.as_str(), why));
        }
        if text(&entry.subresource).len() > MAX_SUBRESOURCE_BYTES {
            errors.push(FieldError::too_long(
                &path.child("subresource"),
                MAX_SUBRESOURCE_BYTES,
            ));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(object.resource(), object.name(), errors))
}
