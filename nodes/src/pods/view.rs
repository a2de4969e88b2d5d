//! What a node needs to know of a pod, read straight from its JSON: about 2 KB instead of a typed pod's 19.

use std::{net::Ipv4Addr, sync::Arc};

use coracle_api::{ApiError, Labels};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::hooks::{Lifecycle, MessagePolicy};
use crate::probes::ProbeSpec;

/// A pod as its node sees it.
#[derive(Debug, Default, Deserialize)]
pub struct PodView {
    /// Who it is.
    pub metadata: Meta,
    /// What is wanted.
    pub spec: Spec,
    /// What was reported last; used only where the node's own records are missing.
    #[serde(default)]
    pub status: LastStatus,
}

/// The part of a pod's metadata that matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// metadata.name
    pub name: Box<str>,
    /// metadata.namespace
    pub namespace: Box<str>,
    /// metadata.uid
    pub uid: Arc<str>,
    /// metadata.labels
    #[serde(deserialize_with = "or_default")]
    pub labels: Labels,
    /// metadata.annotations, for programs that read them.
    #[serde(deserialize_with = "or_default")]
    pub annotations: Labels,
    /// metadata.generation
    pub generation: i64,
    /// Set once the pod has to end.
    pub deletion_timestamp: Option<Timestamp>,
    /// How long it may take to end.
    pub deletion_grace_period_seconds: Option<u32>,
    /// Who waits for the pod's end.
    #[serde(deserialize_with = "or_default")]
    pub finalizers: Box<[Box<str>]>,
}

/// The part of a pod's spec that matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// The node it is bound to.
    pub node_name: Box<str>,
    /// What happens when a container ends.
    pub restart_policy: RestartPolicy,
    /// How long it may take to end.
    pub termination_grace_period_seconds: Option<u32>,
    /// The pod's address is the node's.
    #[serde(deserialize_with = "or_default")]
    pub host_network: bool,
    /// Run one after the other before the rest.
    #[serde(deserialize_with = "or_default")]
    pub init_containers: Box<[ContainerSpec]>,
    /// Run together.
    #[serde(deserialize_with = "or_default")]
    pub containers: Box<[ContainerSpec]>,
    /// What containers mount.
    #[serde(deserialize_with = "or_default")]
    pub volumes: Box<[VolumeSpec]>,
    /// The host name, where it is not the pod's name.
    #[serde(deserialize_with = "or_default")]
    pub hostname: Box<str>,
    /// The headless Service that gives the pod a name.
    #[serde(deserialize_with = "or_default")]
    pub subdomain: Box<str>,
    /// More lines of /etc/hosts.
    #[serde(deserialize_with = "or_default")]
    pub host_aliases: Box<[HostAlias]>,
}

/// A line of /etc/hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostAlias {
    /// The address.
    pub ip: Box<str>,
    /// Its names.
    #[serde(deserialize_with = "or_default")]
    pub hostnames: Box<[Box<str>]>,
}

impl Meta {
    /// The host name of a pod that names none: its own, as far as a label goes.
    #[must_use]
    pub fn hostname(&self) -> &str {
        const LONGEST: usize = 63;
        self.name[..self.name.len().min(LONGEST)].trim_end_matches(['-', '.'])
    }
}

/// What happens when a container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum RestartPolicy {
    /// It starts again.
    #[default]
    Always,
    /// It starts again unless its code was 0.
    OnFailure,
    /// It stays as it is.
    Never,
}

/// A container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerSpec {
    /// Its name, unique in the pod.
    pub name: Box<str>,
    /// Its image.
    pub image: Box<str>,
    /// Replaces the image's entry point.
    #[serde(deserialize_with = "or_default")]
    pub command: Box<[String]>,
    /// Replaces the image's arguments.
    #[serde(deserialize_with = "or_default")]
    pub args: Box<[String]>,
    /// Environment variables.
    #[serde(deserialize_with = "or_default")]
    pub env: Box<[EnvVar]>,
    /// Whole ConfigMaps and Secrets as environment variables.
    #[serde(deserialize_with = "or_default")]
    pub env_from: Box<[EnvFrom]>,
    /// Ports that have names; containers listen where their program does.
    #[serde(deserialize_with = "or_default")]
    pub ports: Box<[Port]>,
    /// Where volumes appear.
    #[serde(deserialize_with = "or_default")]
    pub volume_mounts: Box<[VolumeMount]>,
    /// Whether the pod gets traffic.
    pub readiness_probe: Option<Box<ProbeSpec>>,
    /// Whether the container is to be restarted.
    pub liveness_probe: Option<Box<ProbeSpec>>,
    /// Holds the other two back until it succeeds.
    pub startup_probe: Option<Box<ProbeSpec>>,
    /// Of an init container: `Always` makes it a sidecar.
    pub restart_policy: Option<RestartPolicy>,
    /// For the quality of service class.
    #[serde(deserialize_with = "or_default")]
    pub resources: Resources,
    /// Whether its main command reads what is typed.
    #[serde(deserialize_with = "or_default")]
    pub stdin: bool,
    /// Whether its input ends when the first who is attached goes.
    #[serde(deserialize_with = "or_default")]
    pub stdin_once: bool,
    /// Whether it has a terminal.
    #[serde(deserialize_with = "or_default")]
    pub tty: bool,
    /// What is done after its start and before its end.
    pub lifecycle: Option<Box<Lifecycle>>,
    /// The file of its last words; empty for the usual one.
    #[serde(deserialize_with = "or_default")]
    pub termination_message_path: Box<str>,
    /// What becomes of its last words.
    #[serde(deserialize_with = "or_default")]
    pub termination_message_policy: MessagePolicy,
}

/// Requests and limits.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// What is set aside.
    #[serde(deserialize_with = "or_default")]
    pub requests: Labels,
    /// What is granted at most.
    #[serde(deserialize_with = "or_default")]
    pub limits: Labels,
}

/// An environment variable.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    /// Its name.
    pub name: Box<str>,
    /// Its value, in which `$(NAME)` stands for an earlier one.
    #[serde(deserialize_with = "or_default")]
    pub value: Box<str>,
    /// Where its value comes from instead.
    pub value_from: Option<Box<EnvSource>>,
}

/// Where an environment variable's value comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvSource {
    /// A field of the pod.
    pub field_ref: Option<FieldRef>,
    /// A key of a ConfigMap.
    pub config_map_key_ref: Option<KeyRef>,
    /// A key of a Secret.
    pub secret_key_ref: Option<KeyRef>,
    /// A request or limit of a container.
    pub resource_field_ref: Option<ResourceFieldRef>,
}

/// A request or limit of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceFieldRef {
    /// The container; empty for the one that the variable is of.
    #[serde(deserialize_with = "or_default")]
    pub container_name: Box<str>,
    /// For example `limits.cpu`.
    pub resource: Box<str>,
    /// The unit; empty for 1.
    #[serde(deserialize_with = "or_default")]
    pub divisor: Box<str>,
}

/// A field of the pod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldRef {
    /// For example `status.podIP`.
    pub field_path: Box<str>,
}

/// A key of a ConfigMap or Secret.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct KeyRef {
    /// The object's name.
    pub name: Box<str>,
    /// The key.
    pub key: Box<str>,
    /// Whether it may be missing.
    #[serde(deserialize_with = "or_default")]
    pub optional: bool,
}

/// A whole ConfigMap or Secret.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvFrom {
    /// Put before each key.
    #[serde(deserialize_with = "or_default")]
    pub prefix: Box<str>,
    /// A ConfigMap.
    pub config_map_ref: Option<ObjectRef>,
    /// A Secret.
    pub secret_ref: Option<ObjectRef>,
}

/// A ConfigMap or Secret by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ObjectRef {
    /// The object's name.
    pub name: Box<str>,
    /// Whether it may be missing.
    #[serde(deserialize_with = "or_default")]
    pub optional: bool,
}

/// A named port.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    /// Its name, or nothing.
    #[serde(deserialize_with = "or_default")]
    pub name: Box<str>,
    /// Its number.
    pub container_port: u16,
}

/// Where a volume appears in a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMount {
    /// The volume's name.
    pub name: Box<str>,
    /// Where.
    pub mount_path: Box<str>,
    /// Which part of the volume.
    #[serde(deserialize_with = "or_default")]
    pub sub_path: Box<str>,
    /// Whether the container may not write there.
    #[serde(deserialize_with = "or_default")]
    pub read_only: bool,
}

/// A volume: exactly one of the sources, or one that is not known here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeSpec {
    /// Its name, unique in the pod.
    pub name: Box<str>,
    /// Lives and dies with the pod.
    pub empty_dir: Option<serde::de::IgnoredAny>,
    /// A folder of the node.
    pub host_path: Option<HostPath>,
    /// An export of a storage server.
    pub nfs: Option<NfsSource>,
    /// A claim, which leads to a PersistentVolume.
    pub persistent_volume_claim: Option<ClaimSource>,
    /// A claim that is made for the pod, named after it and the volume.
    pub ephemeral: Option<serde::de::IgnoredAny>,
    /// The keys of a ConfigMap as files.
    pub config_map: Option<FilesSource>,
    /// The keys of a Secret as files.
    pub secret: Option<FilesSource>,
}

/// A folder of the node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HostPath {
    /// Its path, below the node's own root for such folders.
    pub path: Box<str>,
}

/// An export of a storage server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NfsSource {
    /// `HOST` or `HOST:PORT`.
    pub server: Box<str>,
    /// The export.
    pub path: Box<str>,
    /// Whether nobody may write.
    #[serde(deserialize_with = "or_default")]
    pub read_only: bool,
}

/// A claim of the pod's namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSource {
    /// Its name.
    pub claim_name: Box<str>,
    /// Whether the pod may not write.
    #[serde(deserialize_with = "or_default")]
    pub read_only: bool,
}

/// The keys of a ConfigMap (`name`) or Secret (`secretName`) as files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FilesSource {
    /// A ConfigMap's name.
    #[serde(deserialize_with = "or_default")]
    pub name: Box<str>,
    /// A Secret's name.
    #[serde(deserialize_with = "or_default")]
    pub secret_name: Box<str>,
    /// Only these keys, under these paths; all where empty.
    #[serde(deserialize_with = "or_default")]
    pub items: Box<[KeyToPath]>,
    /// Whether it may be missing.
    #[serde(deserialize_with = "or_default")]
    pub optional: bool,
}

/// A key and the file that shows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct KeyToPath {
    /// The key.
    pub key: Box<str>,
    /// The file.
    pub path: Box<str>,
}

/// What was reported last.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LastStatus {
    /// status.phase
    #[serde(deserialize_with = "or_default")]
    pub phase: Box<str>,
    /// status.podIP
    #[serde(rename = "podIP")]
    pub pod_ip: Option<Ipv4Addr>,
    /// status.startTime
    pub start_time: Option<Timestamp>,
    /// status.initContainerStatuses
    #[serde(deserialize_with = "or_default")]
    pub init_container_statuses: Box<[LastContainer]>,
    /// status.containerStatuses
    #[serde(deserialize_with = "or_default")]
    pub container_statuses: Box<[LastContainer]>,
    /// Somebody else says that it is not ready: the node lifecycle controller, while the node is silent.
    #[serde(rename = "conditions", deserialize_with = "is_doubted")]
    pub is_doubted: bool,
}

/// Reads of the conditions whether another than the pod's node made it unready: the node's own word has a reason.
fn is_doubted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    struct Condition {
        r#type: Box<str>,
        status: Box<str>,
        #[serde(default)]
        reason: Option<Box<str>>,
    }
    let conditions = Option::<Vec<Condition>>::deserialize(deserializer)?;
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| &*condition.r#type == "Ready");
    Ok(ready.is_some_and(|ready| &*ready.status == "False" && ready.reason.is_none()))
}

/// What was reported of a container last.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LastContainer {
    /// Its name.
    pub name: Box<str>,
    /// How often it was started again.
    pub restart_count: u32,
    /// `containerID`; empty where it never ran.
    #[serde(rename = "containerID", deserialize_with = "or_default")]
    pub container_id: Box<str>,
    /// Its state.
    #[serde(deserialize_with = "or_default")]
    pub state: LastState,
}

/// A container's reported state, as far as it outlives a restart of the node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LastState {
    /// It has ended.
    pub terminated: Option<LastTermination>,
}

/// How a container ended.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LastTermination {
    /// Its code.
    pub exit_code: i32,
}

impl PodView {
    /// A container by its place: init containers, then the others.
    #[must_use]
    pub fn container(&self, at: usize) -> Option<&ContainerSpec> {
        let init = &self.spec.init_containers;
        match at.checked_sub(init.len()) {
            None => init.get(at),
            Some(main) => self.spec.containers.get(main),
        }
    }
}

impl Project for PodView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}

/// Reads null as the default: clients send both.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_strangers_are_read_over() {
        let json = r#"{"kind":"Pod","metadata":{"name":"a","namespace":"d","uid":"u","labels":null,"x":1},
            "spec":{"containers":[{"name":"c","image":"nginx","args":null,"y":{}}],"volumes":[{"name":"v","emptyDir":{}}]},
            "status":{"phase":"Pending"}}"#;
        let pod: PodView = serde_json::from_str(json).expect("pod");
        assert_eq!(&*pod.spec.containers[0].image, "nginx");
        assert!(pod.spec.volumes[0].empty_dir.is_some());
    }
}
