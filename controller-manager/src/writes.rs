//! The writes that controllers make, in short: always with the UID that the decision was made about.

use bytes::Bytes;
use coracle_api::{Resource, kinds, time};
use coracle_client::{DeleteOptions, PatchType, Propagation, Write};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::custom;
use crate::view::{DISRUPTION_TARGET, Meta, Owner};

/// A merge patch of the object.
pub(crate) fn patch(resource: &'static Resource, meta: &Meta, body: &Value) -> Write {
    patch_of(resource, meta, "", PatchType::Merge, body, 0)
}

/// A merge patch of the object, only at the revision that was seen.
pub(crate) fn patch_exactly(resource: &'static Resource, meta: &Meta, body: &Value) -> Write {
    patch_of(resource, meta, "", PatchType::Merge, body, meta.revision)
}

/// A merge patch of the object's status.
pub(crate) fn patch_status(resource: &'static Resource, meta: &Meta, body: &Value) -> Write {
    patch_of(resource, meta, "status", PatchType::Merge, body, 0)
}

/// A merge patch of the object's status, only at the revision that was seen: for counters.
pub(crate) fn patch_status_exactly(resource: &'static Resource, meta: &Meta, body: &Value) -> Write {
    patch_of(resource, meta, "status", PatchType::Merge, body, meta.revision)
}

/// A strategic merge patch of the object's status, for conditions that others write too.
pub(crate) fn merge_status(resource: &'static Resource, meta: &Meta, body: &Value) -> Write {
    patch_of(resource, meta, "status", PatchType::StrategicMerge, body, 0)
}

/// The same, only at the revision that was seen.
pub(crate) fn merge_status_exactly(resource: &'static Resource, meta: &Meta, body: &Value) -> Write {
    patch_of(
        resource,
        meta,
        "status",
        PatchType::StrategicMerge,
        body,
        meta.revision,
    )
}

/// Says why a pod is about to be ended, which a Job's failure policy may ask for.
pub(crate) fn disrupt(pod: &Meta, phase: Option<&str>, reason: &str, message: &str, now: Timestamp) -> Write {
    let mut body = json!({"status": {"conditions": [{
        "type": DISRUPTION_TARGET, "status": "True", "reason": reason, "message": message,
        "lastTransitionTime": time::format(now),
    }]}});
    if let Some(phase) = phase {
        body["status"]["phase"] = json!(phase);
    }
    merge_status(kinds::POD, pod, &body)
}

/// Makes `owner` (an [`owner_reference`]) the controller of an object, only at the revision that was seen.
pub(crate) fn adopt(resource: &'static Resource, meta: &Meta, owner: &Value) -> Write {
    let body = json!({"metadata": {"ownerReferences": [owner]}});
    patch_of(
        resource,
        meta,
        "",
        PatchType::StrategicMerge,
        &body,
        meta.revision,
    )
}

/// Takes the owners of these UIDs from an object; custom kinds know no patch that names items of a list.
pub(crate) fn release<'a>(
    resource: &'static Resource,
    meta: &Meta,
    uids: impl IntoIterator<Item = &'a str>,
) -> Write {
    if custom::is_custom(resource) {
        let gone: Vec<&str> = uids.into_iter().collect();
        let stay = meta.owners.iter().filter(|owner| !gone.contains(&&*owner.uid));
        let stay: Vec<Value> = stay.filter_map(Owner::to_json).collect();
        return patch_exactly(resource, meta, &json!({"metadata": {"ownerReferences": stay}}));
    }
    let gone: Vec<Value> = uids
        .into_iter()
        .map(|uid| json!({"$patch": "delete", "uid": uid}))
        .collect();
    let body = json!({"metadata": {"ownerReferences": gone}});
    patch_of(resource, meta, "", PatchType::StrategicMerge, &body, 0)
}

/// Lets the deletion of the owners of these UIDs go on without the object; custom kinds know no patch that names items of
/// a list.
pub(crate) fn unblock(resource: &'static Resource, meta: &Meta, uids: &[Box<str>]) -> Write {
    if custom::is_custom(resource) {
        let owners = meta.owners.iter().map(|owner| Owner {
            blocks: owner.blocks && !uids.contains(&owner.uid),
            ..owner.clone()
        });
        let owners: Vec<Value> = owners.filter_map(|owner| owner.to_json()).collect();
        return patch_exactly(resource, meta, &json!({"metadata": {"ownerReferences": owners}}));
    }
    let owners: Vec<Value> = uids
        .iter()
        .map(|uid| json!({"uid": uid, "blockOwnerDeletion": false}))
        .collect();
    let body = json!({"metadata": {"ownerReferences": owners}});
    patch_of(
        resource,
        meta,
        "",
        PatchType::StrategicMerge,
        &body,
        meta.revision,
    )
}

/// Takes a finalizer from an object, only at the revision that was seen: others may have added theirs.
pub(crate) fn remove_finalizer(resource: &'static Resource, meta: &Meta, finalizer: &str) -> Write {
    let body = json!({"metadata": {"finalizers": meta.finalizers_without(finalizer)}});
    patch_exactly(resource, meta, &body)
}

/// A new object.
pub(crate) fn create(resource: &'static Resource, namespace: &str, json: Bytes) -> Write {
    Write::Create {
        resource,
        namespace: namespace.to_owned(),
        name: String::new(),
        subresource: "",
        json,
    }
}

/// Deletes the very object that was seen, with its own grace period.
pub(crate) fn delete(resource: &'static Resource, meta: &Meta, propagation: Propagation) -> Write {
    delete_with(
        resource,
        meta,
        DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        },
    )
}

/// Deletes the very object that was seen, only at the revision that was seen.
pub(crate) fn delete_exactly(resource: &'static Resource, meta: &Meta, propagation: Propagation) -> Write {
    delete_with(
        resource,
        meta,
        DeleteOptions {
            propagation,
            revision: meta.revision,
            ..DeleteOptions::default()
        },
    )
}

/// Deletes the very object that was seen, without waiting for anybody.
pub(crate) fn delete_now(resource: &'static Resource, meta: &Meta) -> Write {
    delete_with(
        resource,
        meta,
        DeleteOptions {
            grace_period_seconds: Some(0),
            ..DeleteOptions::default()
        },
    )
}

fn delete_with(resource: &'static Resource, meta: &Meta, options: DeleteOptions) -> Write {
    Write::Delete {
        resource,
        namespace: meta.namespace.to_string(),
        name: meta.name.to_string(),
        options: DeleteOptions {
            uid: meta.uid.to_string(),
            ..options
        },
    }
}

fn patch_of(
    resource: &'static Resource,
    meta: &Meta,
    subresource: &'static str,
    patch_type: PatchType,
    body: &Value,
    revision: i64,
) -> Write {
    Write::Patch {
        resource,
        namespace: meta.namespace.to_string(),
        name: meta.name.to_string(),
        subresource,
        patch_type,
        patch: Bytes::from(body.to_string()),
        uid: meta.uid.to_string(),
        revision,
    }
}

/// The reference by which a controller's object owns another.
pub(crate) fn owner_reference(resource: &Resource, meta: &Meta) -> Value {
    json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
