//! What people are told of a pod that finds no node: an event, and the condition PodScheduled.
//!
//! The condition is written only where it would change, and only over the version of the pod that was seen: a pod
//! that was bound in the meantime is never said to be unschedulable.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{kinds, time};
use coracle_client::{PatchType, Write};
use coracle_runtime::{Key, Note, ObjectRef, Recorder};
use serde_json::json;

use crate::{
    bind::on_owner,
    projection::{Pod, Unbound},
    write::{Fenced, Writer},
};

/// A pod that found no node.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which pod.
    pub key: Key,
    /// As it was when it was decided.
    pub pod: Arc<Pod>,
    /// Why.
    pub message: Arc<str>,
    /// What status.nominatedNodeName is to say.
    pub nominated: Nominated,
}

/// What becomes of status.nominatedNodeName.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nominated {
    /// Nothing.
    Keep,
    /// It is taken away.
    Clear,
    /// It names the node that is being cleared for the pod.
    Node(Arc<str>),
}

impl Nominated {
    /// Whether the status does not say so yet.
    fn is_news(&self, shown: &str) -> bool {
        match self {
            Self::Keep => false,
            Self::Clear => !shown.is_empty(),
            Self::Node(node) => **node != *shown,
        }
    }
}

/// Tells of each; returns key and UID of those whose condition could not be written because the pod had changed.
///
/// # Errors
/// [`Fenced`] where the lease has passed to another.
pub async fn report(
    writer: &Writer,
    recorder: &Recorder,
    reports: Vec<Report>,
) -> Result<Vec<(Key, Box<str>)>, Fenced> {
    let now = time::format(writer.env.cluster_clock.now());
    let mut patched = Vec::new();
    let mut writes = Vec::new();
    for report in &reports {
        let Report {
            key, pod, message, ..
        } = report;
        let note = Note::warning(reference(key, pod), "FailedScheduling", &**message);
        recorder.record(on_owner(note, pod));
        if let Some(write) = pod.unbound().and_then(|unbound| patch(report, unbound, &now)) {
            writes.push(write);
            patched.push(report);
        }
    }
    if writes.is_empty() {
        return Ok(Vec::new());
    }
    let outcomes = writer.write(writes).await?;
    let mut changed = Vec::new();
    for (Report { key, pod, .. }, outcome) in patched.into_iter().zip(outcomes) {
        match outcome {
            Ok(_) => {}
            Err(error) if error.is_conflict() => changed.push((key.clone(), pod.uid.clone())),
            Err(error) if error.is_not_found() => {}
            Err(error) => tracing::warn!(pod = %key, %error, "write condition PodScheduled"),
        }
    }
    Ok(changed)
}

/// How an event names the pod.
pub(crate) fn reference(key: &Key, pod: &Pod) -> ObjectRef {
    ObjectRef {
        api_version: kinds::POD.api_version().to_owned(),
        kind: kinds::POD.kind.to_owned(),
        namespace: key.namespace().to_owned(),
        name: key.name().to_owned(),
        uid: pod.uid.to_string(),
        revision: pod.unbound().map_or(0, |unbound| unbound.revision),
    }
}

fn patch(report: &Report, unbound: &Unbound, now: &str) -> Option<Write> {
    let was = unbound.condition.as_ref();
    let is_told = was.is_some_and(|was| was.is_unschedulable() && *was.message == *report.message);
    let is_nominated = report.nominated.is_news(&unbound.nominated_node);
    if is_told && !is_nominated {
        return None;
    }
    let since = was
        .filter(|was| was.is_false)
        .and_then(|was| was.last_transition_time.as_deref());
    let condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "lastTransitionTime": since.unwrap_or(now),
        "reason": "Unschedulable",
        "message": &*report.message,
    });
    let mut status = json!({"conditions": [condition]});
    if is_nominated {
        status["nominatedNodeName"] = match &report.nominated {
            Nominated::Node(node) => json!(&**node),
            Nominated::Keep | Nominated::Clear => serde_json::Value::Null,
        };
    }
    Some(Write::Patch {
        resource: kinds::POD,
        namespace: report.key.namespace().to_owned(),
        name: report.key.name().to_owned(),
        subresource: "status",
        patch_type: PatchType::StrategicMerge,
        patch: Bytes::from(json!({"status": status}).to_string()),
        uid: report.pod.uid.to_string(),
        revision: unbound.revision,
    })
}
