//! A Pod's summary. What STATUS says follows kubectl's own printer (`printPod` in Kubernetes), to the letter.

use coracle_api::ApiError;
use coracle_proto::v1 as pb;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodSpec, PodStatus};

use super::{Entry, labels, timestamp};

pub(super) fn summary(entry: &Entry) -> Result<pb::Pod, ApiError> {
    let pod: Pod = coracle_api::object::typed(&entry.json).map_err(ApiError::internal)?;
    let (metadata, spec) = (pod.metadata, pod.spec.unwrap_or_default());
    let status = pod.status.unwrap_or_default();
    let containers = || status.container_statuses.iter().flatten();
    let owner = metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true));
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(pb::Pod {
        namespace: entry.attributes.namespace.to_string(),
        name: entry.attributes.name.to_string(),
        uid: entry.attributes.uid.to_string(),
        revision: entry.revision,
        labels: labels(&entry.attributes.labels),
        phase: phase(&status).into(),
        status: shown_status(&spec, &status, metadata.deletion_timestamp.is_some()),
        ready: has_condition(&status, "Ready"),
        containers_ready: count(containers().filter(|container| container.ready).count()),
        containers_total: count(spec.containers.len()),
        restarts: containers().map(|container| container.restart_count).sum(),
        ip: status.pod_ip.clone().unwrap_or_default(),
        node_name: spec.node_name.clone().unwrap_or_default(),
        images: spec
            .containers
            .iter()
            .map(|container| container.image.clone().unwrap_or_default())
            .collect(),
        created: timestamp(metadata.creation_timestamp.map(|time| time.0)),
        deleting: timestamp(metadata.deletion_timestamp.map(|time| time.0)),
        owner: owner
            .map(|owner| format!("{}/{}", owner.kind, owner.name))
            .unwrap_or_default(),
    })
}

fn phase(status: &PodStatus) -> pb::PodPhase {
    match status.phase.as_deref().unwrap_or_default() {
        "Pending" => pb::PodPhase::Pending,
        "Running" => pb::PodPhase::Running,
        "Succeeded" => pb::PodPhase::Succeeded,
        "Failed" => pb::PodPhase::Failed,
        "Unknown" => pb::PodPhase::Unknown,
        _ => pb::PodPhase::Unspecified,
    }
}

fn has_condition(status: &PodStatus, wanted: &str) -> bool {
    status
        .conditions
        .iter()
        .flatten()
        .any(|condition| condition.type_ == wanted && condition.status == "True")
}

fn shown_status(spec: &PodSpec, status: &PodStatus, is_deleting: bool) -> String {
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty());
    let mut shown = reason.or(status.phase.as_deref()).unwrap_or_default().to_owned();
    let total = spec.init_containers.as_ref().map_or(0, Vec::len);
    let unfinished = status
        .init_container_statuses
        .iter()
        .flatten()
        .enumerate()
        .find_map(|(index, container)| {
            init_status(container).map(|reason| {
                if reason.is_empty() {
                    format!("Init:{index}/{total}")
                } else {
                    reason
                }
            })
        });
    match unfinished {
        Some(reason) => shown = reason,
        None => shown = container_status(shown, status),
    }
    match (is_deleting, reason) {
        (true, Some("NodeLost")) => "Unknown".to_owned(),
        (true, _) if !matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) => {
            "Terminating".to_owned()
        }
        _ => shown,
    }
}

/// What an init container holds the pod up with; `None` where it is done, empty where it simply runs.
fn init_status(container: &ContainerStatus) -> Option<String> {
    let ContainerState {
        running: _,
        terminated,
        waiting,
    } = container.state.clone().unwrap_or_default();
    if let Some(ended) = terminated {
        if ended.exit_code == 0 {
            return None;
        }
        let reason = ended.reason.filter(|reason| !reason.is_empty());
        let by_code = || match ended.signal.filter(|signal| *signal != 0) {
            Some(signal) => format!("Signal:{signal}"),
            None => format!("ExitCode:{}", ended.exit_code),
        };
        return Some(format!("Init:{}", reason.unwrap_or_else(by_code)));
    }
    if container.started == Some(true) {
        return None;
    }
    let reason = waiting
        .and_then(|waiting| waiting.reason)
        .filter(|reason| reason != "PodInitializing");
    Some(reason.map(|reason| format!("Init:{reason}")).unwrap_or_default())
}

fn container_status(mut shown: String, status: &PodStatus) -> String {
    let mut is_running = false;
    for container in status.container_statuses.iter().flatten().rev() {
        let ContainerState {
            running,
            terminated,
            waiting,
        } = container.state.clone().unwrap_or_default();
        if let Some(reason) = waiting
            .and_then(|waiting| waiting.reason)
            .filter(|reason| !reason.is_empty())
        {
            shown = reason;
        } else if let Some(ended) = terminated {
            let by_code = match ended.signal.filter(|signal| *signal != 0) {
                Some(signal) => format!("Signal:{signal}"),
                None => format!("ExitCode:{}", ended.exit_code),
            };
            shown = ended
                .reason
                .filter(|reason| !reason.is_empty())
                .unwrap_or(by_code);
        } else if container.ready && running.is_some() {
            is_running = true;
        }
    }
    if shown == "Completed" && is_running {
        return if has_condition(status, "Ready") {
            "Running".to_owned()
        } else {
            "NotReady".to_owned()
        };
    }
    shown
}
