//! Bindings: many pods in one batch, under the leader's lease.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, kinds};
use coracle_client::Write;
use coracle_runtime::{Key, Note, Project, Recorder};
use serde_json::json;

use crate::{
    projection::Pod,
    report::reference,
    write::{Fenced, Writer},
};

/// A pod and the node it was given.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Which pod.
    pub key: Key,
    /// As it was when it was decided.
    pub pod: Arc<Pod>,
    /// metadata.name of the node.
    pub node: Arc<str>,
}

/// A binding that was not stored and never will be.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which pod.
    pub key: Key,
    /// Its UID.
    pub uid: Box<str>,
}

/// Writes the bindings and tells of each; returns those that were refused.
///
/// # Errors
/// [`Fenced`] where the lease has passed to another.
pub async fn bind(
    writer: &Writer,
    recorder: &Recorder,
    bindings: Vec<Binding>,
) -> Result<Vec<Refusal>, Fenced> {
    let outcomes = writer.write(bindings.iter().map(write).collect()).await?;
    let mut refusals = Vec::new();
    for (binding, outcome) in bindings.into_iter().zip(outcomes) {
        match outcome {
            Ok(_) => tell(recorder, &binding),
            Err(error) if error.is_conflict() && is_bound(writer, &binding).await => tell(recorder, &binding),
            Err(error) => refusals.push(refuse(recorder, binding, &error)),
        }
    }
    Ok(refusals)
}

fn write(binding: &Binding) -> Write {
    let (namespace, name) = (binding.key.namespace().to_owned(), binding.key.name().to_owned());
    let json = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": binding.pod.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": &*binding.node},
    });
    let json = Bytes::from(json.to_string());
    Write::Create {
        resource: kinds::POD,
        namespace,
        name,
        subresource: "binding",
        json,
    }
}

/// After a conflict: whether the pod has this node all the same, because the answer to an earlier attempt was lost.
///
/// Where the apiserver does not tell, the answer is no. The pod then waits out its back-off, and the cache shows a
/// binding long before.
async fn is_bound(writer: &Writer, binding: &Binding) -> bool {
    let found = writer
        .api
        .get(kinds::POD, binding.key.namespace(), binding.key.name())
        .await;
    let pod = found.and_then(|object| Pod::project(&object));
    pod.is_ok_and(|pod| {
        pod.uid == binding.pod.uid && pod.bound().is_some_and(|(node, _)| *node == *binding.node)
    })
}

fn tell(recorder: &Recorder, binding: &Binding) {
    let Binding { key, pod, node } = binding;
    let message = format!("Successfully assigned {key} to {node}");
    recorder.record(on_owner(
        Note::normal(reference(key, pod), "Scheduled", message),
        pod,
    ));
}

fn refuse(recorder: &Recorder, binding: Binding, error: &ApiError) -> Refusal {
    let Binding { key, pod, node } = binding;
    if error.is_not_found() || error.is_conflict() {
        // The pod went or changed in the meantime; the cache tells more.
        tracing::debug!(pod = %key, %node, %error, "binding refused");
    } else {
        tracing::warn!(pod = %key, %node, %error, "binding refused");
        let message = format!("binding rejected: {}", error.message());
        recorder.record(on_owner(
            Note::warning(reference(&key, &pod), "FailedScheduling", message),
            &pod,
        ));
    }
    Refusal {
        key,
        uid: pod.uid.clone(),
    }
}

/// Where there are more events than may be told, they are counted on the pod's owner.
pub(crate) fn on_owner(note: Note, pod: &Pod) -> Note {
    match pod.unbound().and_then(|unbound| unbound.owner.clone()) {
        Some(owner) => note.counted_on(owner),
        None => note,
    }
}
