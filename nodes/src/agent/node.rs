//! A Node object as its agent writes it.

use std::net::Ipv4Addr;

use coracle_api::time;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Capacity;

/// The version of Kubernetes whose node this is.
const KUBELET_VERSION: &str = "v1.33.0";

/// One node of this process.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Where it serves logs and dials.
    pub port: u16,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it waits for; `None` where it takes pods.
    pub waits_for: Option<&'static str>,
    /// Since when.
    pub since: Timestamp,
}

impl Condition {
    /// The status of condition Ready.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.waits_for.is_none() { "True" } else { "False" }
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The labels of a node.
#[must_use]
pub fn labels(node: &Node) -> Value {
    json!({
        "beta.kubernetes.io/arch": architecture(),
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture(),
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
    })
}

/// A Node that does not exist yet.
#[must_use]
pub fn object(node: &Node) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels(node)},
        "spec": {},
    })
}

/// The merge patch of a Node's status.
#[must_use]
pub fn status(node: &Node, capacity: &Capacity, condition: &Condition, boot: &str, now: Timestamp) -> Value {
    let resources = json!({
        "cpu": capacity.cpu,
        "memory": capacity.memory,
        "pods": capacity.pods.to_string(),
        "ephemeral-storage": "100Gi",
    });
    let heartbeat = time::format(now);
    let since = time::format(condition.since);
    let healthy = |r#type: &str, reason: &str, message: &str| {
        json!({
            "type": r#type, "status": "False", "reason": reason, "message": message,
            "lastHeartbeatTime": heartbeat, "lastTransitionTime": since,
        })
    };
    let (reason, message) = match condition.waits_for {
        None => ("KubeletReady", "the node takes pods".to_owned()),
        Some(what) => ("KubeletNotReady", format!("the node waits for {what}")),
    };
    json!({"status": {
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            healthy("MemoryPressure", "KubeletHasSufficientMemory", "the node has sufficient memory available"),
            healthy("DiskPressure", "KubeletHasNoDiskPressure", "the node has no disk pressure"),
            healthy("PIDPressure", "KubeletHasSufficientPID", "the node has sufficient PID available"),
            {
                "type": "Ready", "status": condition.status(), "reason": reason, "message": message,
                "lastHeartbeatTime": heartbeat, "lastTransitionTime": since,
            },
        ],
        "addresses": [
            {"type": "InternalIP", "address": node.ip},
            {"type": "Hostname", "address": node.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": node.port}},
        "nodeInfo": {
            "architecture": architecture(),
            "bootID": boot,
            "containerRuntimeVersion": concat!("coracle://", env!("CARGO_PKG_VERSION")),
            "kernelVersion": "simulated",
            "kubeProxyVersion": KUBELET_VERSION,
            "kubeletVersion": KUBELET_VERSION,
            "machineID": node.name,
            "operatingSystem": "linux",
            "osImage": "Coracle",
            "systemUUID": node.name,
        },
    }})
}
