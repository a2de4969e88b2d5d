//! Pods: the phase, overruled by what the containers and the deletion say.

use jiff::Timestamp;
use serde::Deserialize;

use super::{AGE, Cell, Column, NAME, Printer, or_else, since};

/// The reason on pods of a node that has not been heard of.
const NODE_LOST: &str = "NodeLost";

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Ready", "Ready containers of all."),
        Column::text("Status", "The phase, or what keeps a container from running."),
        Column::text("Restarts", "How often containers restarted, and when last."),
        AGE,
        Column::text("IP", "The pod's address.").wide(),
        Column::text("Node", "The node that the pod is bound to.").wide(),
        Column::text("Nominated Node", "The node that is being made free for the pod.").wide(),
        Column::text(
            "Readiness Gates",
            "Conditions met, of those that the pod asks for.",
        )
        .wide(),
    ],
    cells,
};

fn cells(json: &[u8], now: Timestamp) -> Result<Vec<Cell>, serde_json::Error> {
    let pod: View = serde_json::from_slice(json)?;
    let summary = summarize(&pod);
    let restarts = match (summary.restarts, &summary.last_restart) {
        (0, _) | (_, None) => summary.restarts.to_string(),
        (restarts, Some(last)) => format!("{restarts} ({} ago)", since(Some(last), now)),
    };
    let ip = pod
        .status
        .pod_ips
        .first()
        .map_or(&pod.status.pod_ip, |first| &first.ip);
    Ok(vec![
        pod.metadata.name.as_str().into(),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        restarts.into(),
        pod.metadata.age(now).into(),
        or_else(ip, "<none>"),
        or_else(&pod.spec.node_name, "<none>"),
        or_else(&pod.status.nominated_node_name, "<none>"),
        gates(&pod).into(),
    ])
}

struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Option<String>,
}

impl Summary {
    fn count_restarts(&mut self, status: &ContainerStatus) {
        self.restarts += status.restart_count;
        let finished = status
            .last_state
            .terminated
            .as_ref()
            .and_then(|last| last.finished_at.clone());
        // Times of one format compare as text.
        self.last_restart = self.last_restart.take().max(finished);
    }
}

/// Source: `printPod` in upstream's internal printers, whose order of rules this follows.
fn summarize(pod: &View) -> Summary {
    let status = &pod.status;
    let sidecars = pod
        .spec
        .init_containers
        .iter()
        .filter(|container| container.is_sidecar())
        .count();
    let mut summary = Summary {
        reason: if status.reason.is_empty() {
            status.phase.clone()
        } else {
            status.reason.clone()
        },
        ready: 0,
        total: pod.spec.containers.len() + sidecars,
        restarts: 0,
        last_restart: None,
    };
    if pod
        .condition("PodScheduled")
        .is_some_and(|condition| condition.reason == "SchedulingGated")
    {
        summary.reason = "SchedulingGated".to_owned();
    }
    let initializing = summarize_init(pod, &mut summary);
    if !initializing || pod.is_true("Initialized") {
        summarize_containers(pod, &mut summary);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        if status.reason == NODE_LOST {
            summary.reason = "Unknown".to_owned();
        } else if !matches!(status.phase.as_str(), "Failed" | "Succeeded") {
            summary.reason = "Terminating".to_owned();
        }
    }
    summary
}

/// Looks at the init containers up to the first that is not done; whether there is such a one.
fn summarize_init(pod: &View, summary: &mut Summary) -> bool {
    let total = pod.spec.init_containers.len();
    for (index, container) in pod.status.init_container_statuses.iter().enumerate() {
        summary.count_restarts(container);
        let sidecar = pod.spec.is_sidecar(&container.name);
        match &container.state {
            State {
                terminated: Some(terminated),
                ..
            } if terminated.exit_code == 0 => continue,
            _ if sidecar && container.started == Some(true) => {
                summary.ready += usize::from(container.ready);
                continue;
            }
            State {
                terminated: Some(terminated),
                ..
            } => {
                summary.reason = format!("Init:{}", terminated.text());
            }
            State {
                waiting: Some(Waiting { reason }),
                ..
            } if !reason.is_empty() && reason != "PodInitializing" => {
                summary.reason = format!("Init:{reason}");
            }
            _ => summary.reason = format!("Init:{index}/{total}"),
        }
        return true;
    }
    false
}

fn summarize_containers(pod: &View, summary: &mut Summary) {
    // Restarts of init containers are of no interest any more, those of sidecars are.
    summary.restarts = 0;
    summary.last_restart = None;
    for container in &pod.status.init_container_statuses {
        if pod.spec.is_sidecar(&container.name) {
            summary.count_restarts(container);
        }
    }
    let mut running = false;
    // Backwards, so that the first container has the last word.
    for container in pod.status.container_statuses.iter().rev() {
        summary.count_restarts(container);
        match &container.state {
            State {
                waiting: Some(Waiting { reason }),
                ..
            } if !reason.is_empty() => {
                summary.reason.clone_from(reason);
            }
            State {
                terminated: Some(terminated),
                ..
            } => summary.reason = terminated.text(),
            State { running: Some(_), .. } if container.ready => {
                running = true;
                summary.ready += 1;
            }
            _ => {}
        }
    }
    if summary.reason == "Completed" && running {
        summary.reason = if pod.is_true("Ready") {
            "Running"
        } else {
            "NotReady"
        }
        .to_owned();
    }
}

fn gates(pod: &View) -> String {
    let gates = &pod.spec.readiness_gates;
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met = gates
        .iter()
        .filter(|gate| pod.is_true(&gate.condition_type))
        .count();
    format!("{met}/{}", gates.len())
}

type View = super::View<Spec, Status>;

impl View {
    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status
            .conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }

    fn is_true(&self, kind: &str) -> bool {
        self.condition(kind)
            .is_some_and(|condition| condition.status == "True")
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
    containers: Vec<serde::de::IgnoredAny>,
    init_containers: Vec<InitContainer>,
    readiness_gates: Vec<Gate>,
}

impl Spec {
    fn is_sidecar(&self, name: &str) -> bool {
        self.init_containers
            .iter()
            .any(|container| container.name == name && container.is_sidecar())
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct InitContainer {
    name: String,
    restart_policy: String,
}

impl InitContainer {
    /// An init container that is restarted goes on beside the others.
    fn is_sidecar(&self) -> bool {
        self.restart_policy == "Always"
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Gate {
    condition_type: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    reason: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<Ip>,
    nominated_node_name: String,
    conditions: Vec<Condition>,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ip {
    ip: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    ready: bool,
    started: Option<bool>,
    restart_count: i64,
    state: State,
    last_state: State,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct State {
    running: Option<serde::de::IgnoredAny>,
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Waiting {
    reason: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    reason: String,
    exit_code: i64,
    signal: i64,
    finished_at: Option<String>,
}

impl Terminated {
    fn text(&self) -> String {
        match (self.reason.as_str(), self.signal) {
            ("", 0) => format!("ExitCode:{}", self.exit_code),
            ("", signal) => format!("Signal:{signal}"),
            (reason, _) => reason.to_owned(),
        }
    }
}
