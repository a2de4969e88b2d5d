//! What a namespace that is being deleted still needs.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::{Resource, kinds};
use coracle_client::{Propagation, Write};
use coracle_runtime::Plan;
use jiff::Timestamp;
use serde_json::json;

use super::conditions;
use crate::{
    view::{Condition, Meta, Namespace},
    writes,
};

/// The finalizer in a namespace's spec that this controller takes away last.
const FINALIZER: &str = "kubernetes";

/// What is known about a namespace that is being deleted.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) namespace: Arc<Namespace>,
    pub(super) contents: Vec<Content>,
    pub(super) retry: Duration,
}

/// An object in the namespace.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(super) resource: &'static Resource,
    pub(super) meta: Meta,
}

/// Whether the namespace waits for this controller.
pub(super) fn awaits_us(namespace: &Namespace) -> bool {
    namespace
        .spec_finalizers
        .iter()
        .any(|finalizer| &**finalizer == FINALIZER)
}

/// Deletes what is inside; when nothing is, lets the namespace go.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if snapshot.contents.is_empty() {
        plan.write(finalize(&snapshot.namespace));
        return plan;
    }
    for content in snapshot
        .contents
        .iter()
        .filter(|content| !content.meta.is_deleting())
    {
        plan.write(writes::delete(
            content.resource,
            &content.meta,
            Propagation::Background,
        ));
    }
    if let Some(conditions) = conditions::changed(snapshot, now) {
        let status = json!({"status": {"conditions": Condition::list(&conditions)}});
        plan.write(writes::patch_status(
            kinds::NAMESPACE,
            &snapshot.namespace.meta,
            &status,
        ));
    }
    // Pods take their time to end, and finalizers wait for others.
    plan.look_again_after(snapshot.retry);
    plan
}

fn finalize(namespace: &Namespace) -> Write {
    let rest: Vec<_> = namespace
        .spec_finalizers
        .iter()
        .filter(|finalizer| &***finalizer != FINALIZER)
        .collect();
    let json = json!({
        "apiVersion": kinds::NAMESPACE.api_version(),
        "kind": kinds::NAMESPACE.kind,
        "metadata": {
            "name": namespace.meta.name,
            "uid": namespace.meta.uid,
            "resourceVersion": namespace.meta.revision.to_string(),
        },
        "spec": {"finalizers": rest},
    });
    Write::Update {
        resource: kinds::NAMESPACE,
        namespace: String::new(),
        name: namespace.meta.name.to_string(),
        subresource: "finalize",
        json: Bytes::from(json.to_string()),
    }
}
