//! The scheduler's view of a Pod: waiting with all it requires, bound with its load, or done.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::ApiError;
use coracle_client::Object;
use coracle_runtime::{ObjectRef, Project};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Text, labels, requests};
use crate::requirements::{
    Class, Effect, Expression, HostPort, Identity, Load, NodeSelectorTerm, PreferredTerm, Requirements,
    Toleration,
};

mod neighbours;
pub(super) mod raw;

use raw::{RawAffinity, RawExpression, RawMetadata, RawPod, RawSpec, RawToleration};
pub(super) use raw::{RawNodeSelector, RawTerm};

/// A pod as far as scheduling goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// metadata.uid
    pub uid: Box<str>,
    /// Where it stands.
    pub state: State,
}

/// Where a pod stands on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no node yet.
    Unbound(Box<Unbound>),
    /// It is on a node, or on its way there, and takes resources.
    Bound {
        /// spec.nodeName
        node: Box<str>,
        /// What it takes.
        load: Load,
        /// spec.priority
        priority: i32,
        /// status.startTime as it was written, which sorts by time; empty where it has not started.
        started: Box<str>,
    },
    /// It has succeeded or failed and takes nothing.
    Terminated,
}

/// A pod without a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbound {
    /// metadata.resourceVersion, so that a condition is only written over what was seen.
    pub revision: i64,
    /// spec.schedulerName
    pub scheduler_name: Box<str>,
    /// spec.priority
    pub priority: i32,
    /// Whether spec.preemptionPolicy is Never.
    pub never_preempts: bool,
    /// status.nominatedNodeName; empty where no node is being cleared for it.
    pub nominated_node: Box<str>,
    /// Whether it must wait for a scheduling gate.
    pub is_gated: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// What it asks of its node.
    pub class: Class,
    /// Its condition PodScheduled.
    pub condition: Option<Condition>,
    /// The controlling owner, on which events are counted when there are too many.
    pub owner: Option<ObjectRef>,
}

/// The condition PodScheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether status is False.
    pub is_false: bool,
    /// reason
    pub reason: Box<str>,
    /// message
    pub message: Box<str>,
    /// lastTransitionTime as it was written.
    pub last_transition_time: Option<Box<str>>,
}

impl Condition {
    /// Whether it says that a node was sought in vain.
    #[must_use]
    pub fn is_unschedulable(&self) -> bool {
        self.is_false && &*self.reason == "Unschedulable"
    }
}

impl Pod {
    /// Where it is and what it takes there, if it takes anything.
    #[must_use]
    pub fn bound(&self) -> Option<(&str, &Load)> {
        match &self.state {
            State::Bound { node, load, .. } => Some((node, load)),
            State::Unbound(_) | State::Terminated => None,
        }
    }

    /// What it takes from a node, wherever it stands.
    #[must_use]
    pub fn load(&self) -> Option<&Load> {
        match &self.state {
            State::Bound { load, .. } => Some(load),
            State::Unbound(unbound) => Some(&unbound.class.load),
            State::Terminated => None,
        }
    }

    /// spec.priority; that of a pod that is done does not matter.
    #[must_use]
    pub fn priority(&self) -> i32 {
        match &self.state {
            State::Bound { priority, .. } => *priority,
            State::Unbound(unbound) => unbound.priority,
            State::Terminated => i32::MAX,
        }
    }

    /// What it waits with, if it has no node.
    #[must_use]
    pub fn unbound(&self) -> Option<&Unbound> {
        match &self.state {
            State::Unbound(unbound) => Some(unbound),
            State::Bound { .. } | State::Terminated => None,
        }
    }
}

impl Project for Pod {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let RawPod {
            metadata,
            spec,
            status,
        } = object.read()?;
        let uid = object.uid.as_str().into();
        if matches!(&*status.phase, "Succeeded" | "Failed") {
            return Ok(Self {
                uid,
                state: State::Terminated,
            });
        }
        let priority = spec.priority;
        let load = load(&object.namespace, metadata.clone(), &spec).map_err(ApiError::internal)?;
        if !spec.node_name.is_empty() {
            return Ok(Self {
                uid,
                state: State::Bound {
                    node: spec.node_name.into(),
                    load,
                    priority,
                    started: status.start_time.map(Into::into).unwrap_or_default(),
                },
            });
        }
        let condition = status
            .conditions
            .into_iter()
            .find(|condition| &*condition.kind == "PodScheduled");
        let unbound = Unbound {
            revision: object.revision,
            scheduler_name: spec
                .scheduler_name
                .clone()
                .map_or_else(|| "default-scheduler".into(), Into::into),
            priority,
            never_preempts: &*spec.preemption_policy == "Never",
            nominated_node: status.nominated_node_name.into(),
            is_gated: !spec.scheduling_gates.is_empty(),
            is_deleting: metadata.deletion_timestamp.is_some(),
            class: Class::new(requirements(load, &spec).map_err(|error| {
                ApiError::internal(format!(
                    "read what pod {}/{} requires: {error}",
                    object.namespace, object.name
                ))
            })?),
            condition: condition.map(|condition| Condition {
                is_false: &*condition.status == "False",
                reason: condition.reason.into(),
                message: condition.message.into(),
                last_transition_time: condition.last_transition_time.map(Into::into),
            }),
            owner: metadata.controller().map(|owner| ObjectRef {
                api_version: owner.api_version.to_string(),
                kind: owner.kind.to_string(),
                namespace: object.namespace.clone(),
                name: owner.name.to_string(),
                uid: owner.uid.to_string(),
                revision: 0,
            }),
        };
        Ok(Self {
            uid,
            state: State::Unbound(Box::new(unbound)),
        })
    }
}

fn load(namespace: &str, metadata: RawMetadata<'_>, spec: &RawSpec<'_>) -> Result<Load, String> {
    let owner = metadata.controller().map(|owner| Arc::from(&*owner.uid));
    let labels = labels(metadata.labels);
    let terms = neighbours::terms(namespace, &labels, spec.affinity)?;
    let mut claims: Vec<Box<str>> = (spec.volumes.iter())
        .filter_map(|volume| volume.claim_of(&metadata.name))
        .collect();
    claims.sort();
    claims.dedup();
    let mut host_ports: Vec<HostPort> = spec
        .containers
        .iter()
        .chain(&spec.init_containers)
        .flat_map(|container| &container.ports)
        .filter(|port| port.host_port != 0)
        .map(|port| HostPort {
            port: port.host_port,
            protocol: port.protocol.clone().map_or_else(|| "TCP".into(), Into::into),
            ip: port.host_ip.clone().into(),
        })
        .collect();
    host_ports.sort();
    Ok(Load {
        requests: requests::of_pod(
            &spec.containers,
            &spec.init_containers,
            &spec.overhead,
            spec.resources.as_ref(),
        )?,
        host_ports: host_ports.into(),
        owner,
        identity: Arc::new(Identity {
            namespace: namespace.into(),
            labels,
            is_deleting: metadata.deletion_timestamp.is_some(),
            terms,
        }),
        claims: claims.into(),
    })
}

fn requirements(load: Load, spec: &RawSpec<'_>) -> Result<Requirements, String> {
    let spread = neighbours::spread(&load.identity, spec.topology_spread_constraints)?;
    let images = spec.containers.iter().map(|container| with_tag(&container.image));
    let node_selector: BTreeMap<Text<'_>, Text<'_>> = read(spec.node_selector)?;
    let affinity: Option<RawAffinity<'_>> = read(spec.affinity)?;
    let tolerations: Vec<RawToleration<'_>> = read(spec.tolerations)?;
    let (required, preferred) = match affinity.and_then(|affinity| affinity.node_affinity) {
        Some(node_affinity) => (node_affinity.required, node_affinity.preferred),
        None => (None, Vec::new()),
    };
    let preferred_terms = preferred.into_iter().map(|raw| PreferredTerm {
        weight: raw.weight,
        term: term(raw.preference),
    });
    Ok(Requirements {
        load,
        node_selector: labels(node_selector),
        required_terms: required.map(|selector| selector.node_selector_terms.into_iter().map(term).collect()),
        // An empty preference matches everything and therefore says nothing.
        preferred_terms: preferred_terms
            .filter(|preferred| !preferred.term.is_empty())
            .collect(),
        tolerations: tolerations.into_iter().map(toleration).collect(),
        spread,
        images: images.filter(|image| !image.is_empty()).collect(),
    })
}

fn read<'a, T: Default + Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, String> {
    raw.map_or_else(
        || Ok(T::default()),
        |raw| serde_json::from_str(raw.get()).map_err(|error| error.to_string()),
    )
}

/// An image's name as nodes tell it.
fn with_tag(image: &str) -> Box<str> {
    let name = image.rsplit('/').next().unwrap_or(image);
    if image.is_empty() || name.contains(':') || name.contains('@') {
        image.into()
    } else {
        format!("{image}:latest").into()
    }
}

pub(super) fn term(raw: RawTerm<'_>) -> NodeSelectorTerm {
    let expressions = |list: Vec<RawExpression<'_>>| {
        list.into_iter()
            .map(|raw| Expression {
                key: raw.key.into(),
                operator: raw.operator,
                values: raw.values.into_iter().map(Into::into).collect(),
            })
            .collect()
    };
    NodeSelectorTerm {
        expressions: expressions(raw.match_expressions),
        fields: expressions(raw.match_fields),
    }
}

fn toleration(raw: RawToleration<'_>) -> Toleration {
    let is_exists = &*raw.operator == "Exists";
    let effect = match &*raw.effect {
        "NoSchedule" => Some(Effect::NoSchedule),
        "PreferNoSchedule" => Some(Effect::PreferNoSchedule),
        "NoExecute" => Some(Effect::NoExecute),
        _ => None,
    };
    Toleration {
        key: raw.key.into(),
        value: (!is_exists).then(|| raw.value.into()),
        effect,
    }
}
