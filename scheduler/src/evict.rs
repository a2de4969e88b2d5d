//! What preemption writes: victims are told why and removed with their own grace, and the pod's status names the node.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{kinds, time};
use coracle_client::{DeleteOptions, PatchType, Write};
use coracle_runtime::{Key, Note, Recorder};
use serde_json::json;

use crate::{
    bind::on_owner,
    preemption::Victim,
    projection::Pod,
    report::reference,
    write::{Fenced, Writer},
};

/// A pod that room is made for.
#[derive(Clone, Debug)]
pub struct Eviction {
    /// The pod that comes.
    pub pod: Arc<Pod>,
    /// Where it will go.
    pub node: Arc<str>,
    /// The pods that go.
    pub victims: Vec<Victim>,
}

/// Removes the victims; returns those that could not be removed and are still there.
///
/// # Errors
/// [`Fenced`] where the lease has passed to another.
pub async fn evict(
    writer: &Writer,
    recorder: &Recorder,
    evictions: Vec<Eviction>,
) -> Result<Vec<Key>, Fenced> {
    let now = time::format(writer.env.cluster_clock.now());
    let victims = || {
        evictions
            .iter()
            .flat_map(|eviction| eviction.victims.iter().map(move |victim| (eviction, victim)))
    };
    let conditions = victims().map(|(eviction, victim)| condition(eviction, victim, &now));
    for outcome in writer.write(conditions.collect()).await? {
        // A victim that is gone needs no condition; another failure keeps nobody from going.
        if let Err(error) = outcome {
            tracing::debug!(%error, "write condition DisruptionTarget");
        }
    }
    let deletes = victims().map(|(_, victim)| Write::Delete {
        resource: kinds::POD,
        namespace: victim.key.namespace().to_owned(),
        name: victim.key.name().to_owned(),
        options: DeleteOptions {
            uid: victim.pod.uid.to_string(),
            ..DeleteOptions::default()
        },
    });
    let outcomes = writer.write(deletes.collect()).await?;
    let mut stayed = Vec::new();
    for ((eviction, victim), outcome) in victims().zip(outcomes) {
        match outcome {
            Ok(_) => {
                let message = format!("Preempted by pod {} on node {}", eviction.pod.uid, eviction.node);
                let note = Note::normal(reference(&victim.key, &victim.pod), "Preempted", message);
                recorder.record(on_owner(note, &victim.pod));
            }
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(error) => {
                tracing::warn!(pod = %victim.key, %error, "delete victim of preemption");
                stayed.push(victim.key.clone());
            }
        }
    }
    Ok(stayed)
}

fn condition(eviction: &Eviction, victim: &Victim, now: &str) -> Write {
    let scheduler = eviction
        .pod
        .unbound()
        .map_or("default-scheduler", |unbound| &unbound.scheduler_name);
    let condition = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "PreemptionByScheduler",
        "message": format!("{scheduler}: preempting to accommodate a higher priority pod"),
    });
    Write::Patch {
        resource: kinds::POD,
        namespace: victim.key.namespace().to_owned(),
        name: victim.key.name().to_owned(),
        subresource: "status",
        patch_type: PatchType::StrategicMerge,
        patch: Bytes::from(json!({"status": {"conditions": [condition]}}).to_string()),
        uid: victim.pod.uid.to_string(),
        revision: 0,
    }
}
