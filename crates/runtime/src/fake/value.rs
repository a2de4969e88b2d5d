//! Objects as JSON values: reading them, and what a subresource may change.

use bytes::Bytes;
use coracle_api::{ApiError, Resource};
use coracle_client::{Object, WatchQuery};
use serde_json::Value;

use super::{model::Place, node_names};

/// Puts the part of `body` that the subresource may write into `object`.
pub(super) fn replace(resource: &Resource, subresource: &str, object: &mut Value, body: Value) {
    match subresource {
        "status" => {
            object["status"] = body["status"].clone();
            // Annotations may come along, as with upstream: a rollout's revision is written so.
            let annotations = &body["metadata"]["annotations"];
            if !annotations.is_null() {
                object["metadata"]["annotations"] = annotations.clone();
            }
        }
        "finalize" => object["spec"]["finalizers"] = body["spec"]["finalizers"].clone(),
        "scale" => object["spec"]["replicas"] = body["spec"]["replicas"].clone(),
        _ => {
            let (old, mut new) = (object.clone(), body);
            if resource.has_status() {
                new["status"] = old["status"].clone();
                if new["status"].is_null()
                    && let Some(new) = new.as_object_mut()
                {
                    new.remove("status");
                }
            }
            for kept in [
                "uid",
                "creationTimestamp",
                "resourceVersion",
                "generation",
                "deletionTimestamp",
            ] {
                if !old["metadata"][kept].is_null() {
                    new["metadata"][kept] = old["metadata"][kept].clone();
                }
            }
            *object = new;
        }
    }
}

pub(super) fn check(
    resource: &'static Resource,
    name: &str,
    object: &Value,
    uid: &str,
    rv: i64,
) -> Result<(), ApiError> {
    let same = (uid.is_empty() || text(object, "/metadata/uid") == uid)
        && (rv == 0 || text(object, "/metadata/resourceVersion") == rv.to_string());
    if same {
        Ok(())
    } else {
        Err(ApiError::conflict(resource, name))
    }
}

pub(super) fn selects(query: &WatchQuery, object: &Value) -> bool {
    let namespace = query.namespace.is_empty() || text(object, "/metadata/namespace") == query.namespace;
    namespace && node_names(query).is_none_or(|names| names.contains(&*text(object, "/spec/nodeName")))
}

pub(super) fn is_deleting(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    let there = |pointer| object.pointer(pointer).is_some();
    there("/metadata/finalizers/0") || there("/spec/finalizers/0")
}

pub(super) fn object(value: &Value) -> Object {
    Object {
        namespace: text(value, "/metadata/namespace"),
        name: text(value, "/metadata/name"),
        uid: text(value, "/metadata/uid"),
        revision: text(value, "/metadata/resourceVersion")
            .parse()
            .unwrap_or_default(),
        json: Bytes::from(value.to_string()),
    }
}

pub(super) fn line(verb: &str, (resource, namespace, name): &Place) -> String {
    format!("{verb} {} {namespace}/{name}", resource.plural)
}

pub(super) fn parse(json: &Bytes) -> Result<Value, ApiError> {
    serde_json::from_slice(json).map_err(|error| ApiError::bad_request(error.to_string()))
}

pub(super) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
