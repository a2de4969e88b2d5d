//! Between the trait's types and the wire's. Wire types do not leave this crate.

use coracle_api::{ApiError, Resource};
use coracle_proto::v1 as pb;

use crate::{
    DeleteOptions, Event, EventKind, Fence, ListQuery, Object, PatchType, Propagation, WatchQuery, Write,
    WriteOptions,
};

pub fn object(object: pb::Object) -> Object {
    let json = match object.body {
        Some(pb::object::Body::Json(json)) => json,
        _ => bytes::Bytes::new(),
    };
    Object {
        namespace: object.namespace,
        name: object.name,
        uid: object.uid,
        revision: object.revision,
        json,
    }
}

/// An answer's object, which the contract promises.
pub fn present(answer: Option<pb::Object>) -> Result<Object, ApiError> {
    answer
        .map(object)
        .ok_or_else(|| ApiError::internal("the server's answer holds no object"))
}

pub fn event(event: pb::WatchEvent) -> Result<Event, ApiError> {
    let revision = event.revision;
    let kind = match event.r#type() {
        pb::EventType::Added => EventKind::Added(present(event.object)?),
        pb::EventType::Modified => EventKind::Modified(present(event.object)?),
        pb::EventType::Deleted => EventKind::Deleted(present(event.object)?),
        pb::EventType::Bookmark if event.ends_initial_events => EventKind::Synced,
        pb::EventType::Bookmark => EventKind::Bookmark,
        pb::EventType::Unspecified => {
            return Err(ApiError::internal("the server sent an event of no known type"));
        }
    };
    Ok(Event { kind, revision })
}

pub fn list_request(query: &ListQuery) -> pb::ListRequest {
    pb::ListRequest {
        api_version: query.resource.api_version().to_owned(),
        kind: query.resource.plural.to_owned(),
        namespace: query.namespace.clone(),
        label_selector: query.label_selector.clone(),
        field_selector: query.field_selector.clone(),
        revision: query.revision,
        page_size: i32::try_from(query.page_size).unwrap_or(i32::MAX),
        page_token: query.page_token.clone(),
        body_format: pb::BodyFormat::Json.into(),
    }
}

pub fn watch_request(query: &WatchQuery) -> pb::WatchRequest {
    pb::WatchRequest {
        api_version: query.resource.api_version().to_owned(),
        kind: query.resource.plural.to_owned(),
        namespace: query.namespace.clone(),
        label_selector: query.label_selector.clone(),
        field_selector: query.field_selector.clone(),
        from_revision: query.from_revision,
        body_format: pb::BodyFormat::Json.into(),
        node_names: query.node_names.clone(),
    }
}

pub fn fence(fence: &Fence) -> pb::Fence {
    pb::Fence {
        lease_namespace: fence.namespace.clone(),
        lease_name: fence.name.clone(),
        holder: fence.holder.clone(),
        transitions: fence.transitions,
    }
}

pub fn body_format(without_body: bool) -> i32 {
    if without_body {
        pb::BodyFormat::None.into()
    } else {
        pb::BodyFormat::Json.into()
    }
}

pub fn write_options(options: &WriteOptions) -> pb::WriteOptions {
    pb::WriteOptions {
        dry_run: options.dry_run,
        field_manager: options.field_manager.clone(),
        // Our own components are built with the same types as the server, so there is nothing to warn of.
        field_validation: pb::FieldValidation::Ignore.into(),
        fence: options.fence.as_ref().map(fence),
        body_format: body_format(options.without_body),
    }
}

/// One write as the operation of a batch, or of a call of its own.
pub fn operation(write: Write, options: Option<pb::WriteOptions>) -> pb::batch_item::Operation {
    use pb::batch_item::Operation;
    match write {
        Write::Create {
            resource,
            namespace,
            name,
            subresource,
            json,
        } => Operation::Create(pb::CreateRequest {
            object: Some(body(resource, namespace, name, json)),
            options,
            subresource: subresource.to_owned(),
        }),
        Write::Update {
            resource,
            namespace,
            name,
            subresource,
            json,
        } => Operation::Update(pb::UpdateRequest {
            object: Some(body(resource, namespace, name, json)),
            options,
            subresource: subresource.to_owned(),
        }),
        Write::Patch {
            resource,
            namespace,
            name,
            subresource,
            patch_type,
            patch,
            uid,
            revision,
        } => Operation::Patch(pb::PatchRequest {
            api_version: resource.api_version().to_owned(),
            kind: resource.plural.to_owned(),
            namespace,
            name,
            subresource: subresource.to_owned(),
            r#type: match patch_type {
                PatchType::Json => pb::PatchType::Json,
                PatchType::Merge => pb::PatchType::Merge,
                PatchType::StrategicMerge => pb::PatchType::StrategicMerge,
            }
            .into(),
            patch,
            options,
            uid,
            revision,
        }),
        Write::Delete {
            resource,
            namespace,
            name,
            options: how,
        } => Operation::Delete(delete(resource, namespace, name, how, options)),
    }
}

fn delete(
    resource: &Resource,
    namespace: String,
    name: String,
    how: DeleteOptions,
    options: Option<pb::WriteOptions>,
) -> pb::DeleteRequest {
    pb::DeleteRequest {
        api_version: resource.api_version().to_owned(),
        kind: resource.plural.to_owned(),
        namespace,
        name,
        uid: how.uid,
        revision: how.revision,
        grace_period_seconds: how.grace_period_seconds,
        propagation_policy: match how.propagation {
            Propagation::Background => pb::PropagationPolicy::Background,
            Propagation::Foreground => pb::PropagationPolicy::Foreground,
            Propagation::Orphan => pb::PropagationPolicy::Orphan,
        }
        .into(),
        options,
    }
}

fn body(resource: &Resource, namespace: String, name: String, json: bytes::Bytes) -> pb::Object {
    pb::Object {
        api_version: resource.api_version().to_owned(),
        kind: resource.kind.to_owned(),
        namespace,
        name,
        uid: String::new(),
        revision: 0,
        body: Some(pb::object::Body::Json(json)),
    }
}
