//! Pods.

use std::{
    borrow::Cow,
    net::Ipv4Addr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use coracle_api::{ApiError, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{Meta, PodOfJob, Taint, intern::Interner, object::Json, placement::AffinityJson};

/// status.phase
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Phase {
    #[default]
    Pending,
    Unknown,
    Running,
    Succeeded,
    Failed,
}

/// The condition of a pod that is about to be ended by a disruption.
pub(crate) const DISRUPTION_TARGET: &str = "DisruptionTarget";

/// Its reason where the node itself is ending the pod, which nobody takes back.
const TERMINATION_BY_KUBELET: &str = "TerminationByKubelet";

/// What a pod puts up with for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Toleration {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub(crate) key: Box<str>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub(crate) operator: Box<str>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub(crate) value: Box<str>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub(crate) effect: Box<str>,
    /// `None` for ever.
    #[serde(rename = "tolerationSeconds", skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<i64>,
}

impl Toleration {
    /// Whether it tolerates the taint, for however long.
    pub(crate) fn tolerates(&self, taint: &Taint) -> bool {
        let key = self.key.is_empty() || self.key == taint.key;
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        let value = match &*self.operator {
            "Exists" => true,
            // Without a key only Exists is valid.
            _ => !self.key.is_empty() && self.value == taint.value,
        };
        key && effect && value
    }
}

#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) meta: Meta,
    /// Empty until it is bound.
    pub(crate) node: Box<str>,
    /// The one node that it asks for by name while it is not bound; empty where it does not.
    affine_node: Box<str>,
    pub(crate) phase: Phase,
    pub(crate) ready: bool,
    /// When condition Ready last changed.
    pub(crate) ready_changed: Option<Timestamp>,
    /// Of the container that was restarted most.
    pub(crate) restarts: u32,
    /// Shared where they are what admission gives to every pod.
    pub(crate) tolerations: Arc<[Toleration]>,
    /// Names of the claims that its volumes use, those of ephemeral volumes included.
    pub(crate) claims: Box<[Box<str>]>,
    /// status.podIP
    pub(crate) ip: Option<Ipv4Addr>,
    /// The ports that its containers name; shared among pods that name the same.
    pub(crate) ports: Arc<[ContainerPort]>,
    /// Its name in DNS; `None` for the many that have none of their own.
    pub(crate) names: Option<Box<Names>>,
    /// What only Jobs ask about; `None` for pods of others.
    pub(crate) of_job: Option<Box<PodOfJob>>,
    /// What few pods have; `None` for the many that have nothing of it.
    rare: Option<Box<Rare>>,
}

/// What few pods have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    /// Names of the volumes that have a claim made for them.
    ephemeral: Box<[Box<str>]>,
    /// Since when it is said to be about to go.
    disrupted_since: Option<Timestamp>,
}

/// A container's port that has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerPort {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) container_port: u16,
    #[serde(deserialize_with = "or_default")]
    pub(crate) protocol: Box<str>,
}

/// spec.hostname and spec.subdomain
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) hostname: Box<str>,
    pub(crate) subdomain: Box<str>,
}

/// The tolerations that admission gives to every pod; nearly all have just these.
static USUAL: LazyLock<Arc<[Toleration]>> = LazyLock::new(|| {
    let five_minutes = |key: &str| Toleration {
        key: key.into(),
        operator: "Exists".into(),
        value: "".into(),
        effect: "NoExecute".into(),
        seconds: Some(300),
    };
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .map(five_minutes)
        .into()
});

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(deserialize_with = "or_default")]
    node_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    tolerations: Vec<Toleration>,
    #[serde(deserialize_with = "or_default")]
    volumes: Vec<VolumeJson>,
    #[serde(deserialize_with = "or_default")]
    affinity: AffinityJson,
    #[serde(deserialize_with = "or_default")]
    hostname: Box<str>,
    #[serde(deserialize_with = "or_default")]
    subdomain: Box<str>,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<PortsJson>,
    #[serde(deserialize_with = "or_default")]
    init_containers: Vec<PortsJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PortsJson {
    #[serde(deserialize_with = "or_default")]
    ports: Vec<ContainerPort>,
}

impl SpecJson {
    /// The ports that containers name, sidecars included, those of the main containers first.
    fn named_ports(&mut self) -> Arc<[ContainerPort]> {
        static KNOWN: LazyLock<Interner<[ContainerPort]>> = LazyLock::new(Interner::default);
        let containers = self.containers.drain(..).chain(self.init_containers.drain(..));
        let ports = containers.flat_map(|container| container.ports);
        KNOWN.share(ports.filter(|port| !port.name.is_empty()).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VolumeJson {
    #[serde(default, deserialize_with = "or_default")]
    name: Box<str>,
    persistent_volume_claim: Option<ClaimJson>,
    ephemeral: Option<IgnoredAny>,
}

impl VolumeJson {
    /// The name of the claim that it uses.
    fn claim(&self, pod: &Meta) -> Option<Box<str>> {
        match &self.persistent_volume_claim {
            Some(claim) => Some(claim.claim_name.clone()),
            None => self.ephemeral.map(|_| ephemeral_claim(&pod.name, &self.name)),
        }
    }
}

/// The name of the claim of a pod's ephemeral volume.
pub(crate) fn ephemeral_claim(pod: &str, volume: &str) -> Box<str> {
    format!("{pod}-{volume}").into()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimJson {
    claim_name: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusJson<'a> {
    phase: Option<Phase>,
    #[serde(borrow, deserialize_with = "or_default")]
    conditions: Vec<ConditionJson<'a>>,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Vec<ContainerJson>,
    #[serde(rename = "podIP", borrow, deserialize_with = "or_default")]
    pod_ip: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConditionJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    reason: Cow<'a, str>,
    last_transition_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerJson {
    #[serde(default)]
    restart_count: u32,
}

impl Project for Pod {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            mut spec,
            status,
        }: Json<SpecJson, StatusJson<'_>> = object.read()?;
        let ready = status
            .conditions
            .iter()
            .find(|condition| condition.kind == "Ready");
        let disrupted = status
            .conditions
            .iter()
            .find(|condition| {
                condition.kind == DISRUPTION_TARGET
                    && condition.status == "True"
                    && condition.reason != TERMINATION_BY_KUBELET
            })
            .and_then(|condition| condition.last_transition_time);
        let ports = spec.named_ports();
        let names = (!spec.hostname.is_empty() || !spec.subdomain.is_empty()).then(|| {
            Box::new(Names {
                hostname: std::mem::take(&mut spec.hostname),
                subdomain: std::mem::take(&mut spec.subdomain),
            })
        });
        let claims = spec.volumes.iter().filter_map(|volume| volume.claim(&metadata));
        let claims = claims.collect();
        let ephemeral = spec
            .volumes
            .into_iter()
            .filter(|volume| volume.ephemeral.is_some());
        let rare = Rare {
            ephemeral: ephemeral.map(|volume| volume.name).collect(),
            disrupted_since: disrupted,
        };
        Ok(Self {
            affine_node: if spec.node_name.is_empty() {
                spec.affinity.target()
            } else {
                Box::default()
            },
            node: spec.node_name,
            phase: status.phase.unwrap_or_default(),
            ready: ready.is_some_and(|condition| condition.status == "True"),
            ready_changed: ready.and_then(|condition| condition.last_transition_time),
            restarts: status
                .container_statuses
                .iter()
                .map(|container| container.restart_count)
                .max()
                .unwrap_or(0),
            tolerations: if *spec.tolerations == **USUAL {
                Arc::clone(&USUAL)
            } else {
                spec.tolerations.into()
            },
            claims,
            ip: status.pod_ip.parse().ok(),
            ports,
            names,
            of_job: PodOfJob::read(object, &metadata)?.map(Box::new),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
            meta: metadata,
        })
    }
}

impl Pod {
    /// It counts towards the replicas of whoever owns it.
    pub(crate) fn is_active(&self) -> bool {
        !self.is_finished() && !self.meta.is_deleting()
    }

    /// The node that it is on, or the one that it asks for; empty where there is none.
    pub(crate) fn target(&self) -> &str {
        if self.node.is_empty() {
            &self.affine_node
        } else {
            &self.node
        }
    }

    /// Names of the volumes that have a claim made for them.
    pub(crate) fn ephemeral(&self) -> &[Box<str>] {
        self.rare.as_ref().map_or(&[], |rare| &rare.ephemeral)
    }

    /// Since when it is said to be about to go (condition DisruptionTarget); `None` where it is not.
    pub(crate) fn disrupted_since(&self) -> Option<Timestamp> {
        self.rare.as_ref()?.disrupted_since
    }

    /// It has ended for good.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// It has been ready for `min_ready_seconds`.
    pub(crate) fn is_available(&self, min_ready_seconds: i64, now: Timestamp) -> bool {
        let since = self.ready_changed.unwrap_or(Timestamp::MAX);
        self.ready
            && (min_ready_seconds <= 0
                || since.as_second().saturating_add(min_ready_seconds) <= now.as_second())
    }

    /// How long until a ready pod has been ready for `min_ready_seconds`; `None` where it has.
    pub(crate) fn until_available(&self, min_ready_seconds: i64, now: Timestamp) -> Option<Duration> {
        let at = self.ready_changed?.as_second().saturating_add(min_ready_seconds);
        let seconds = u64::try_from(at - now.as_second()).ok();
        seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_small() {
        // Beside it on the heap: name, namespace, UID and node, about 80 bytes; the rest is shared.
        assert!(size_of::<Pod>() <= 312, "{}", size_of::<Pod>());
    }
}
