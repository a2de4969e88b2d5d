//! Reads a cluster's present state for an explanation: whoever may list it can ask, also while no scheduler runs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use coracle_api::{Resource, kinds};
use coracle_client::{ListQuery, ObjectApi};
use coracle_runtime::{Key, Project};

use super::{Explanation, explain};
use crate::{
    cycle::Cycle,
    profile::Profile,
    projection::{Namespace, Node, Pod, State},
    snapshot::Snapshot,
    storage::{Claim, Drivers, StorageClass, Volume},
};

async fn list<T: Project>(
    api: &dyn ObjectApi,
    resource: &'static Resource,
) -> anyhow::Result<Vec<(Key, Arc<T>)>> {
    let (objects, _) = api
        .list_all(&ListQuery::all(resource))
        .await
        .with_context(|| format!("list {resource}"))?;
    let read = |object: &coracle_client::Object| Ok((Key::of(object), Arc::new(T::project(object)?)));
    objects.iter().map(read).collect()
}

/// Everything that decides about pods, as it is now.
async fn snapshot(api: &dyn ObjectApi, pods: &[(Key, Arc<Pod>)]) -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::new();
    for (_, node) in list::<Node>(api, kinds::NODE).await? {
        snapshot.set_node(node);
    }
    for (key, namespace) in list::<Namespace>(api, kinds::NAMESPACE).await? {
        snapshot.set_namespace(key.name(), Some(namespace.labels.clone()));
    }
    for (key, claim) in list::<Claim>(api, kinds::PERSISTENT_VOLUME_CLAIM).await? {
        snapshot.storage_mut().set_claim(&key, Some(claim));
    }
    for (key, volume) in list::<Volume>(api, kinds::PERSISTENT_VOLUME).await? {
        snapshot.storage_mut().set_volume(key.name(), Some(volume));
    }
    for (key, class) in list::<StorageClass>(api, kinds::STORAGE_CLASS).await? {
        snapshot.storage_mut().set_class(key.name(), Some(class));
    }
    for (key, drivers) in list::<Drivers>(api, kinds::CSI_NODE).await? {
        snapshot.storage_mut().set_drivers(key.name(), Some(drivers));
    }
    for (_, pod) in pods {
        if let Some((node, load)) = pod.bound() {
            snapshot.add(node, load);
        }
    }
    Ok(snapshot)
}

/// Explains what becomes of a pod, by the profile of its schedulerName.
///
/// # Errors
/// Where something cannot be listed, or there is no such pod.
pub async fn read(
    api: &dyn ObjectApi,
    profiles: Vec<Profile>,
    namespace: &str,
    name: &str,
) -> anyhow::Result<Explanation> {
    let key = Key::new(namespace, name);
    let pods = list::<Pod>(api, kinds::POD).await?;
    let Some((_, pod)) = pods.iter().find(|(other, _)| *other == key) else {
        bail!("find pod {key}: there is none");
    };
    let stands = |message: String| Explanation {
        message,
        ..Explanation::default()
    };
    let unbound = match &pod.state {
        State::Bound { node, .. } => {
            let mut explanation = stands(format!("it is on {node}"));
            explanation.node = Some(node.to_string());
            return Ok(explanation);
        }
        State::Terminated => return Ok(stands("it has ended".to_owned())),
        State::Unbound(unbound) => unbound,
    };
    let mut profiles = profiles.into_iter();
    let Some(profile) = profiles.find(|profile| profile.scheduler_name == unbound.scheduler_name) else {
        return Ok(stands(format!(
            "it waits for a scheduler called {:?}, of which nothing is known here",
            unbound.scheduler_name
        )));
    };
    if let Some(gate) = profile.gates.iter().find(|gate| !gate.admits(unbound)) {
        return Ok(stands(format!("it does not enter the queue: {}", gate.name())));
    }
    let mut snapshot = snapshot(api, &pods).await?;
    let mut explanation = explain(&unbound.class, &mut Cycle::new(profile), &mut snapshot);
    if !unbound.nominated_node.is_empty() {
        explanation.message = format!(
            "{} (node {} is being cleared for it)",
            explanation.message, unbound.nominated_node
        );
    }
    Ok(explanation)
}

/// How long an explanation may take to be read.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);
