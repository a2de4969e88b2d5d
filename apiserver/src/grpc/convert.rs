//! Between the wire's types and the registry's. Wire types do not leave this door.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, FieldSelector, LabelSelector, Resource};
use coracle_proto::v1 as pb;
use coracle_service::Peer;
use prost_types::{Struct, Value, value::Kind};

use crate::registry::custom::Snapshot;
use crate::registry::{
    AtRevision, Context, DeleteOptions, Entry, Event, EventKind, FenceRef, FieldValidation, ListRequest,
    PatchType, Preconditions, Propagation, Start, Target, WatchRequest, Write, WriteOptions,
};

/// Objects a page where the client does not say, and at most.
const DEFAULT_PAGE: usize = 500;
const MAX_PAGE: usize = 10_000;

/// The kind that a request names.
pub(super) fn resource(
    kinds: &Snapshot,
    api_version: &str,
    kind: &str,
) -> Result<&'static Resource, ApiError> {
    if kind.is_empty() {
        return Err(ApiError::bad_request(
            "kind must be set: a kind, plural or short name",
        ));
    }
    kinds.find(api_version, kind).ok_or_else(|| {
        let wanted = if api_version.is_empty() {
            kind.to_owned()
        } else {
            format!("{api_version}/{kind}")
        };
        ApiError::new(
            coracle_api::Reason::NotFound,
            format!("the server doesn't have a resource type {wanted:?}"),
        )
    })
}

/// One object, in namespace `default` where the request names none.
pub(super) fn target(
    kinds: &Snapshot,
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Target, ApiError> {
    let resource = resource(kinds, api_version, kind)?;
    if name.is_empty() {
        return Err(ApiError::bad_request("name must be set"));
    }
    Ok(Target::new(resource, scope(resource, namespace), name))
}

fn scope(resource: &Resource, namespace: &str) -> String {
    match (resource.namespaced, namespace) {
        (false, _) => String::new(),
        (true, "") => "default".to_owned(),
        (true, namespace) => namespace.to_owned(),
    }
}

/// The caller of a request.
pub(super) fn peer<T>(request: &tonic::Request<T>) -> Arc<Peer> {
    request
        .extensions()
        .get::<Arc<Peer>>()
        .cloned()
        .unwrap_or_else(|| Arc::new(Peer::anonymous()))
}

/// Who writes, how, and how the answer shall look.
pub(super) fn context(
    peer: Arc<Peer>,
    options: Option<pb::WriteOptions>,
) -> Result<(Context, pb::BodyFormat), ApiError> {
    let options = options.unwrap_or_default();
    let format = options.body_format();
    let field_validation = match options.field_validation() {
        pb::FieldValidation::Ignore => FieldValidation::Ignore,
        pb::FieldValidation::Unspecified | pb::FieldValidation::Warn => FieldValidation::Warn,
        pb::FieldValidation::Strict => FieldValidation::Strict,
    };
    if let Some(error) = coracle_api::names::field_manager(&options.field_manager)
        .into_iter()
        .next()
    {
        return Err(ApiError::bad_request(format!("fieldManager: {error}")));
    }
    let options = WriteOptions {
        dry_run: options.dry_run,
        field_manager: options.field_manager,
        field_validation,
        fence: options.fence.map(fence),
    };
    Ok((Context::new(peer).with_options(options), format))
}

pub(super) fn fence(fence: pb::Fence) -> FenceRef {
    FenceRef {
        namespace: fence.lease_namespace,
        name: fence.lease_name,
        holder: fence.holder,
        transitions: fence.transitions,
    }
}

/// A create request as a write.
pub(super) fn create(kinds: &Snapshot, request: pb::CreateRequest) -> Result<Write, ApiError> {
    let object = request.object.unwrap_or_default();
    let resource = resource(kinds, &object.api_version, &object.kind)?;
    let body = body(&object)?;
    if !request.subresource.is_empty() {
        let target = target(
            kinds,
            &object.api_version,
            &object.kind,
            &object.namespace,
            &object.name,
        )?;
        return Ok(Write::CreateSubresource {
            target,
            subresource: request.subresource,
            body,
        });
    }
    let namespace = match (resource.namespaced, object.namespace) {
        (true, namespace) if namespace.is_empty() && !names_namespace(&body) => "default".to_owned(),
        (_, namespace) => namespace,
    };
    Ok(Write::Create {
        resource,
        namespace,
        name: object.name,
        body,
    })
}

/// The object that a whole body is for, and the body, at the revision that the message names beside it.
fn whole(kinds: &Snapshot, object: &pb::Object) -> Result<(Target, Bytes), ApiError> {
    let target = target(
        kinds,
        &object.api_version,
        &object.kind,
        &object.namespace,
        &object.name,
    )?;
    let body = body(object)?;
    let body = match object.revision {
        0 => body,
        revision => at_revision(&body, revision)?,
    };
    Ok((target, body))
}

/// An update request as a write.
pub(super) fn update(kinds: &Snapshot, request: pb::UpdateRequest) -> Result<Write, ApiError> {
    let (target, body) = whole(kinds, &request.object.unwrap_or_default())?;
    Ok(Write::Update {
        target,
        subresource: request.subresource,
        body,
    })
}

/// A patch request as a write.
pub(super) fn patch(kinds: &Snapshot, request: pb::PatchRequest) -> Result<Write, ApiError> {
    let target = target(
        kinds,
        &request.api_version,
        &request.kind,
        &request.namespace,
        &request.name,
    )?;
    let patch_type = match request.r#type() {
        pb::PatchType::Json => PatchType::Json,
        pb::PatchType::Merge => PatchType::Merge,
        pb::PatchType::StrategicMerge => PatchType::StrategicMerge,
        pb::PatchType::Unspecified => return Err(ApiError::bad_request("type of the patch must be set")),
    };
    let preconditions = Preconditions {
        uid: set(request.uid),
        revision: set_revision(request.revision),
    };
    Ok(Write::Patch {
        target,
        subresource: request.subresource,
        patch_type,
        body: request.patch,
        preconditions,
    })
}

/// An apply request as a write.
pub(super) fn apply(kinds: &Snapshot, request: pb::ApplyRequest) -> Result<Write, ApiError> {
    let (target, mut body) = whole(kinds, &request.object.unwrap_or_default())?;
    if request.subresource != "scale" {
        body = with_kind(&body, target.resource)?;
    }
    Ok(Write::Apply {
        target,
        subresource: request.subresource,
        body,
        force: request.force,
    })
}

/// A delete request as a write.
pub(super) fn delete(kinds: &Snapshot, request: pb::DeleteRequest) -> Result<Write, ApiError> {
    let propagation = propagation(request.propagation_policy());
    let target = target(
        kinds,
        &request.api_version,
        &request.kind,
        &request.namespace,
        &request.name,
    )?;
    let options = DeleteOptions {
        grace: request.grace_period_seconds,
        uid: set(request.uid),
        revision: set_revision(request.revision),
        propagation,
    };
    Ok(Write::Delete { target, options })
}

pub(super) fn propagation(policy: pb::PropagationPolicy) -> Propagation {
    match policy {
        pb::PropagationPolicy::Orphan => Propagation::Orphan,
        pb::PropagationPolicy::Foreground => Propagation::Foreground,
        pb::PropagationPolicy::Unspecified | pb::PropagationPolicy::Background => Propagation::Background,
    }
}

fn set(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn set_revision(revision: i64) -> Option<i64> {
    Some(revision).filter(|revision| *revision != 0)
}

/// A list request.
pub(super) fn list(kinds: &Snapshot, request: &pb::ListRequest) -> Result<ListRequest, ApiError> {
    let page_size = usize::try_from(request.page_size).unwrap_or(0);
    Ok(ListRequest {
        resource: resource(kinds, &request.api_version, &request.kind)?,
        namespace: request.namespace.clone(),
        labels: LabelSelector::parse(&request.label_selector)?,
        fields: FieldSelector::parse(&request.field_selector)?,
        limit: if page_size == 0 {
            DEFAULT_PAGE
        } else {
            page_size.min(MAX_PAGE)
        },
        continue_token: set(request.page_token.clone()),
        revision: set_revision(request.revision).map_or(AtRevision::Any, AtRevision::Exact),
    })
}

/// A watch request.
pub(super) fn watch(kinds: &Snapshot, request: pb::WatchRequest) -> Result<WatchRequest, ApiError> {
    Ok(WatchRequest {
        resource: resource(kinds, &request.api_version, &request.kind)?,
        namespace: request.namespace,
        labels: LabelSelector::parse(&request.label_selector)?,
        fields: FieldSelector::parse(&request.field_selector)?,
        node_names: request.node_names,
        from: start(request.from_revision),
        bookmarks: true,
    })
}

pub(super) fn start(from_revision: i64) -> Start {
    if from_revision > 0 {
        Start::After(from_revision)
    } else {
        Start::Now { initial: true }
    }
}

/// An object as an answer carries it.
pub(super) fn object(entry: Entry, format: pb::BodyFormat) -> Result<pb::Object, ApiError> {
    // Not by the key: a Scale, or another version than the stored one, is of another kind than the object kept there.
    let Some((api_version, kind)) = coracle_api::encode::head(&entry.json) else {
        return Err(ApiError::internal(format!(
            "read {}: its JSON has no kind",
            entry.key
        )));
    };
    let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
    let body = match format {
        pb::BodyFormat::None => None,
        pb::BodyFormat::Unspecified | pb::BodyFormat::Json => Some(pb::object::Body::Json(entry.json)),
        pb::BodyFormat::Struct => Some(pb::object::Body::Struct(structure(&entry.json)?)),
    };
    Ok(pb::Object {
        api_version,
        kind,
        namespace: entry.attributes.namespace.to_string(),
        name: entry.attributes.name.to_string(),
        uid: entry.attributes.uid.to_string(),
        revision: entry.revision,
        body,
    })
}

/// An event as a watch carries it.
pub(super) fn event(event: Event, format: pb::BodyFormat) -> Result<pb::WatchEvent, ApiError> {
    Ok(pb::WatchEvent {
        r#type: event_type(event.kind).into(),
        ends_initial_events: event.kind == EventKind::Synced,
        revision: event.revision,
        object: event.entry.map(|entry| object(entry, format)).transpose()?,
    })
}

pub(super) fn event_type(kind: EventKind) -> pb::EventType {
    match kind {
        EventKind::Added => pb::EventType::Added,
        EventKind::Modified => pb::EventType::Modified,
        EventKind::Deleted => pb::EventType::Deleted,
        EventKind::Synced | EventKind::Bookmark => pb::EventType::Bookmark,
    }
}

fn body(object: &pb::Object) -> Result<Bytes, ApiError> {
    match &object.body {
        Some(pb::object::Body::Json(json)) => Ok(json.clone()),
        Some(pb::object::Body::Struct(fields)) => serde_json::to_vec(&fields_to_json(fields))
            .map(Bytes::from)
            .map_err(ApiError::internal),
        None => Err(ApiError::bad_request("the object's body must be set")),
    }
}

fn names_namespace(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        metadata: Option<Metadata>,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        namespace: Option<String>,
    }
    let head = serde_json::from_slice::<Head>(body).ok();
    head.and_then(|head| head.metadata?.namespace)
        .is_some_and(|namespace| !namespace.is_empty())
}

/// The body with the revision that the request names beside it.
fn at_revision(body: &[u8], revision: i64) -> Result<Bytes, ApiError> {
    let mut json: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    if let Some(metadata) = json
        .get_mut("metadata")
        .and_then(serde_json::Value::as_object_mut)
    {
        metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
    }
    serde_json::to_vec(&json)
        .map(Bytes::from)
        .map_err(ApiError::internal)
}

/// The body with the kind that the request names beside it, where it names none itself.
fn with_kind(body: &[u8], resource: &Resource) -> Result<Bytes, ApiError> {
    let mut json: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    for (field, text) in [("apiVersion", resource.api_version), ("kind", resource.kind)] {
        json.entry(field).or_insert_with(|| text.into());
    }
    serde_json::to_vec(&json)
        .map(Bytes::from)
        .map_err(ApiError::internal)
}

fn structure(json: &[u8]) -> Result<Struct, ApiError> {
    let value: serde_json::Value = serde_json::from_slice(json).map_err(ApiError::internal)?;
    match value_to_proto(value).kind {
        Some(Kind::StructValue(fields)) => Ok(fields),
        _ => Err(ApiError::internal("the object is not a JSON object")),
    }
}

fn value_to_proto(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(0.0)),
        serde_json::Value::String(value) => Kind::StringValue(value),
        serde_json::Value::Array(values) => Kind::ListValue(prost_types::ListValue {
            values: values.into_iter().map(value_to_proto).collect(),
        }),
        serde_json::Value::Object(fields) => Kind::StructValue(Struct {
            fields: fields
                .into_iter()
                .map(|(key, value)| (key, value_to_proto(value)))
                .collect(),
        }),
    };
    Value { kind: Some(kind) }
}

fn fields_to_json(fields: &Struct) -> serde_json::Value {
    fields
        .fields
        .iter()
        .map(|(key, value)| (key.clone(), value_to_json(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn value_to_json(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => (*value).into(),
        // A Struct knows only floating point numbers; whole ones were meant as such.
        Some(Kind::NumberValue(value)) if value.fract() == 0.0 && value.abs() < 9e15 => {
            (*value as i64).into()
        }
        Some(Kind::NumberValue(value)) => (*value).into(),
        Some(Kind::StringValue(value)) => value.clone().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(value_to_json).collect::<Vec<_>>().into(),
        Some(Kind::StructValue(fields)) => fields_to_json(fields),
    }
}
