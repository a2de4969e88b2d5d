//! Pod status as the kubelet builds it: phase, conditions and container statuses, out of a worker's state.
//!
//! The result is a JSON merge patch for the `status` subresource. Fields that may vanish are sent as null, lists
//! whole. Writing patches is [`outbox`]'s.

pub mod outbox;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::Ipv4Addr};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::pods::{
    container::{Container, State, Termination},
    quality::qos_class,
    worker::{Stage, Worker},
};

/// The scheme of container IDs.
const RUNTIME: &str = "coracle";

#[derive(Serialize)]
struct Patch<'a> {
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    observed_generation: i64,
    phase: &'static str,
    conditions: [Condition; 5],
    reason: Option<&'a str>,
    message: Option<&'a str>,
    #[serde(rename = "hostIP")]
    host_ip: Ipv4Addr,
    #[serde(rename = "hostIPs")]
    host_ips: [Ip; 1],
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pod_ip: Option<Ipv4Addr>,
    #[serde(rename = "podIPs", skip_serializing_if = "Option::is_none")]
    pod_ips: Option<[Ip; 1]>,
    start_time: Seconds,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_container_statuses: Vec<ContainerStatus<'a>>,
    container_statuses: Vec<ContainerStatus<'a>>,
    qos_class: &'static str,
}

#[derive(Clone, Copy, Serialize)]
struct Ip {
    ip: Ipv4Addr,
}

/// An API time: whole seconds.
#[derive(Clone, Copy)]
struct Seconds(Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&coracle_api::time::format(self.0))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: &'static str,
    status: &'static str,
    last_probe_time: Option<()>,
    last_transition_time: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus<'a> {
    name: &'a str,
    state: BTreeMap<&'static str, Detail<'a>>,
    last_state: BTreeMap<&'static str, Detail<'a>>,
    ready: bool,
    restart_count: u32,
    image: &'a str,
    #[serde(rename = "imageID")]
    image_id: String,
    #[serde(rename = "containerID", skip_serializing_if = "Option::is_none")]
    container_id: Option<String>,
    started: bool,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Seconds>,
    #[serde(rename = "containerID", skip_serializing_if = "Option::is_none")]
    container_id: Option<String>,
}

/// The merge patch that makes the apiserver's status that of `worker`.
#[must_use]
pub fn patch(worker: &Worker, host_ip: Ipv4Addr) -> Bytes {
    let init_count = worker.init_count();
    let status = |at| container_status(worker, at);
    let status = Status {
        observed_generation: worker.pod.metadata.generation,
        phase: phase(worker),
        conditions: conditions(worker),
        reason: None,
        message: None,
        host_ip,
        host_ips: [Ip { ip: host_ip }],
        pod_ip: worker.ip,
        pod_ips: worker.ip.map(|ip| [Ip { ip }]),
        start_time: Seconds(worker.started_at),
        init_container_statuses: (0..init_count).map(status).collect(),
        container_statuses: (init_count..worker.containers.len()).map(status).collect(),
        qos_class: qos_class(&worker.pod.spec),
    };
    match serde_json::to_vec(&Patch { status }) {
        Ok(json) => json.into(),
        Err(error) => unreachable!("a status has only texts and numbers: {error}"),
    }
}

/// status.phase, by upstream's rules.
#[must_use]
pub fn phase(worker: &Worker) -> &'static str {
    let main = &worker.containers[worker.init_count()..];
    let ended_well = |container: &Container| container.ended().is_some_and(|ended| ended.exit_code == 0);
    match worker.stage {
        Stage::Finished => {
            if worker.is_initialized() && main.iter().all(ended_well) {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        Stage::Gone if !main.is_empty() && main.iter().all(ended_well) => "Succeeded",
        Stage::Gone => "Failed",
        _ if worker.is_initialized() && main.iter().all(Container::has_run) => "Running",
        _ => "Pending",
    }
}

fn conditions(worker: &Worker) -> [Condition; 5] {
    let condition = |r#type, holds: bool, since: Timestamp, reason: Option<(&'static str, String)>| {
        let (reason, message) = reason.filter(|_| !holds).unzip();
        Condition {
            r#type,
            status: if holds { "True" } else { "False" },
            last_probe_time: None,
            last_transition_time: Seconds(since),
            reason,
            message: message.filter(|message| !message.is_empty()),
        }
    };
    let initialized = worker.is_initialized();
    let ready = worker.is_ready();
    let list = |of: std::ops::Range<usize>, lacks: &dyn Fn(&Container) -> bool| {
        let names = of
            .filter(|&at| lacks(&worker.containers[at]))
            .map(|at| &*worker.spec(at).name);
        names.collect::<Vec<_>>().join(" ")
    };
    let init_count = worker.init_count();
    let unready = if worker.stage == Stage::Finished {
        ("PodCompleted", String::new())
    } else {
        let names = list(init_count..worker.containers.len(), &|container| !container.ready);
        (
            "ContainersNotReady",
            format!("containers with unready status: [{names}]"),
        )
    };
    let incomplete = list(0..init_count, &|container| {
        container.ended().is_none_or(|ended| ended.exit_code != 0)
    });
    let incomplete = (
        "ContainersNotInitialized",
        format!("containers with incomplete status: [{incomplete}]"),
    );
    let has_sandbox = worker.ip.is_some() && !matches!(worker.stage, Stage::Finished | Stage::Gone);
    let initialized_at = worker.initialized_at.unwrap_or(worker.started_at);
    [
        condition("PodReadyToStartContainers", has_sandbox, worker.started_at, None),
        condition("Initialized", initialized, initialized_at, Some(incomplete)),
        condition("Ready", ready, worker.ready_changed_at, Some(unready.clone())),
        condition("ContainersReady", ready, worker.ready_changed_at, Some(unready)),
        condition("PodScheduled", true, worker.started_at, None),
    ]
}

fn container_id(worker: &Worker, at: usize, instance: u32) -> String {
    let uid = worker.pod.metadata.uid.replace('-', "");
    format!("{RUNTIME}://{uid}{at:02x}{instance:08x}")
}

fn ended<'a>(worker: &Worker, at: usize, termination: &'a Termination, instance: u32) -> Detail<'a> {
    Detail {
        exit_code: Some(termination.exit_code),
        reason: Some(termination.reason),
        message: &termination.message,
        started_at: Some(Seconds(termination.started_at)),
        finished_at: Some(Seconds(termination.finished_at)),
        container_id: Some(container_id(worker, at, instance)),
    }
}

fn container_status(worker: &Worker, at: usize) -> ContainerStatus<'_> {
    let (spec, container) = (worker.spec(at), &worker.containers[at]);
    let state = match &container.state {
        State::Waiting(waiting) => (
            "waiting",
            Detail {
                reason: Some(waiting.reason.as_str()),
                message: &waiting.message,
                ..Detail::default()
            },
        ),
        State::Starting => (
            "waiting",
            Detail {
                reason: Some("ContainerCreating"),
                ..Detail::default()
            },
        ),
        State::Running(since) | State::Stopping(since) => (
            "running",
            Detail {
                started_at: Some(Seconds(since.wall)),
                ..Detail::default()
            },
        ),
        State::Ended(termination) => ("terminated", ended(worker, at, termination, container.instance)),
    };
    let has_id = container.has_run();
    // While it waits to be started again, the instance that ended is still the present one.
    let previous = if container.is_live() || container.ended().is_some() {
        container.instance.saturating_sub(1)
    } else {
        container.instance
    };
    let last = container
        .last
        .as_deref()
        .map(|last| ("terminated", ended(worker, at, last, previous)));
    ContainerStatus {
        name: &spec.name,
        state: BTreeMap::from([state]),
        last_state: last.into_iter().collect(),
        ready: container.ready,
        restart_count: container.instance,
        image: &spec.image,
        image_id: if has_id {
            format!("{RUNTIME}://{}", spec.image)
        } else {
            String::new()
        },
        container_id: has_id.then(|| container_id(worker, at, container.instance)),
        started: container.started && container.is_live(),
    }
}
