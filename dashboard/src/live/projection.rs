//! What the live view keeps of a pod and of a node.

use std::collections::BTreeMap;

use coracle_api::ApiError;
use coracle_client::Object;
use coracle_runtime::Project;
use serde::{Deserialize, Serialize};

/// The pod is Ready.
pub const READY: u8 = 1;
/// The pod has a deletionTimestamp.
pub const DELETING: u8 = 2;
/// A container waits to be started again, or could not be started.
pub const FAILING: u8 = 4;

/// The label by which a Deployment's ReplicaSets, and so its pods, are told apart.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// Reasons of waiting containers that are no trouble.
const STARTING: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];

/// A pod as far as a square on a canvas goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// spec.nodeName; empty while it is not scheduled.
    pub node: Box<str>,
    /// `Deployment/web`: what it belongs to, and itself where that is nothing.
    pub owner: Box<str>,
    /// Seconds since 1970.
    pub created: u32,
    /// Of all containers together.
    pub restarts: u16,
    /// Pending, Running, Succeeded, Failed, anything else: 0 to 4.
    pub phase: u8,
    /// [`READY`], [`DELETING`], [`FAILING`].
    pub flags: u8,
}

/// A node as far as its box goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// The condition Ready is True.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// spec.unschedulable
    pub cordoned: bool,
    /// How many taints beside the one that cordoning makes.
    pub taints: usize,
    /// status.allocatable, as written.
    pub allocatable: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPod {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    owner_references: Vec<OwnerReference>,
    creation_timestamp: Option<jiff::Timestamp>,
    deletion_timestamp: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
struct OwnerReference {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    #[serde(default)]
    node_name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    #[serde(default)]
    restart_count: u32,
    #[serde(default)]
    state: ContainerState,
}

#[derive(Default, Deserialize)]
struct ContainerState {
    waiting: Option<Waiting>,
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    reason: String,
}

impl Project for Pod {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawPod {
            metadata,
            spec,
            status,
        } = object.read()?;
        let restarts: u32 = status.container_statuses.iter().map(|c| c.restart_count).sum();
        let is_failing = status.container_statuses.iter().any(|container| {
            let waiting = container.state.waiting.as_ref();
            waiting.is_some_and(|waiting| !STARTING.contains(&waiting.reason.as_str()))
        });
        let mut flags = 0;
        for (flag, is_set) in [
            (READY, is_true(&status.conditions)),
            (DELETING, metadata.deletion_timestamp.is_some()),
            (FAILING, is_failing),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        let created = metadata.creation_timestamp.map_or(0, jiff::Timestamp::as_second);
        Ok(Self {
            node: spec.node_name.into(),
            owner: owner(&metadata, &object.name).into(),
            created: u32::try_from(created).unwrap_or_default(),
            restarts: u16::try_from(restarts).unwrap_or(u16::MAX),
            phase: match status.phase.as_str() {
                "Pending" | "" => 0,
                "Running" => 1,
                "Succeeded" => 2,
                "Failed" => 3,
                _ => 4,
            },
            flags,
        })
    }
}

fn is_true(conditions: &[Condition]) -> bool {
    conditions
        .iter()
        .any(|c| c.r#type == "Ready" && c.status == "True")
}

/// The workload that people think of: a Deployment rather than its ReplicaSet of the day.
fn owner(metadata: &Metadata, name: &str) -> String {
    let Some(owner) = metadata.owner_references.iter().find(|owner| owner.controller) else {
        return format!("Pod/{name}");
    };
    if owner.kind == "ReplicaSet"
        && let Some(hash) = metadata.labels.get(TEMPLATE_HASH)
        && let Some(deployment) = owner.name.strip_suffix(hash.as_str())
        && let Some(deployment) = deployment.strip_suffix('-')
    {
        return format!("Deployment/{deployment}");
    }
    format!("{}/{}", owner.kind, owner.name)
}

#[derive(Deserialize)]
struct RawNode {
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
struct NodeSpec {
    #[serde(default)]
    unschedulable: bool,
    #[serde(default)]
    taints: Vec<Taint>,
}

#[derive(Deserialize)]
struct Taint {
    key: String,
}

#[derive(Default, Deserialize)]
struct NodeStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    allocatable: BTreeMap<String, String>,
}

impl Project for Node {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawNode { spec, status } = object.read()?;
        let ready = is_true(&status.conditions);
        let condition = status.conditions.iter().find(|c| c.r#type == "Ready");
        let foreign = |taint: &&Taint| taint.key != "node.kubernetes.io/unschedulable";
        Ok(Self {
            ready,
            reason: match condition {
                _ if ready => String::new(),
                Some(condition) => condition.reason.clone(),
                None => "no Ready condition yet".to_owned(),
            },
            cordoned: spec.unschedulable,
            taints: spec.taints.iter().filter(foreign).count(),
            allocatable: status.allocatable,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(json: serde_json::Value) -> Pod {
        Pod::project(&Object {
            namespace: "default".to_owned(),
            name: "web-5d8f-x".to_owned(),
            uid: String::new(),
            revision: 1,
            json: json.to_string().into(),
        })
        .unwrap()
    }

    #[test]
    fn a_pod_is_filed_under_the_workload_that_people_think_of() {
        let owner = |kind: &str, name: &str, labels: serde_json::Value| {
            let references =
                json!([{"apiVersion": "v1", "kind": kind, "name": name, "uid": "u", "controller": true}]);
            pod(json!({"metadata": {"labels": labels, "ownerReferences": references}})).owner
        };
        assert_eq!(
            &*owner("ReplicaSet", "web-5d8f", json!({"pod-template-hash": "5d8f"})),
            "Deployment/web"
        );
        assert_eq!(&*owner("ReplicaSet", "bare", json!({})), "ReplicaSet/bare");
        assert_eq!(&*owner("StatefulSet", "db", json!({})), "StatefulSet/db");
        assert_eq!(&*pod(json!({"metadata": {}})).owner, "Pod/web-5d8f-x");
    }

    #[test]
    fn states_become_flags() {
        let seen = pod(json!({
            "metadata": {"creationTimestamp": "1970-01-01T00:01:00Z", "deletionTimestamp": "1970-01-01T00:02:00Z"},
            "spec": {"nodeName": "node-1"},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    {"restartCount": 2, "state": {"running": {}}},
                    {"restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
                ],
            },
        }));
        assert_eq!((seen.created, seen.restarts, seen.phase), (60, 3, 1));
        assert_eq!(seen.flags, READY | DELETING | FAILING);
        let starting = pod(json!({
            "metadata": {},
            "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]},
        }));
        assert_eq!(starting.flags, 0);
    }
}
