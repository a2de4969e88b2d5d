//! From the resource lists of a pod's containers to what the pod takes from its node.
//!
//! Containers and restartable init containers run side by side and add up; other init containers run one after
//! another beside the restartable ones that started before them, and the largest moment counts. Overhead is added.
//! Source: the API reference on init containers, sidecar containers and pod overhead.

use std::collections::BTreeMap;

use coracle_api::Quantity;
use serde::Deserialize;

use super::{Allocatable, Text};
use crate::requirements::{DEFAULT_CPU_MILLI, DEFAULT_MEMORY_BYTES, Requests};

/// A resource list as it stands in the JSON.
pub(super) type RawAmounts<'a> = BTreeMap<Text<'a>, Text<'a>>;

/// A container's part in the pod's requests.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawContainer<'a> {
    #[serde(borrow, default)]
    pub(super) image: Text<'a>,
    #[serde(borrow, default)]
    resources: RawResources<'a>,
    #[serde(borrow, default)]
    pub(super) ports: Vec<RawPort<'a>>,
    #[serde(borrow, default)]
    restart_policy: Text<'a>,
}

/// The requests of a container, or those of the pod as a whole.
#[derive(Default, Deserialize)]
pub(super) struct RawResources<'a> {
    #[serde(borrow, default)]
    requests: RawAmounts<'a>,
}

/// A container port; only those with a host port count.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawPort<'a> {
    #[serde(default)]
    pub(super) host_port: u16,
    #[serde(borrow, default)]
    pub(super) protocol: Option<Text<'a>>,
    #[serde(borrow, default, rename = "hostIP")]
    pub(super) host_ip: Text<'a>,
}

/// Amounts of every resource.
#[derive(Clone, Default)]
pub(super) struct Amounts {
    cpu_milli: i64,
    memory_bytes: i64,
    ephemeral_storage_bytes: i64,
    pods: i64,
    nonzero_cpu_milli: i64,
    nonzero_memory_bytes: i64,
    extended: BTreeMap<Box<str>, i64>,
}

impl Amounts {
    fn combine(&mut self, other: &Self, with: impl Fn(i64, i64) -> i64) {
        let Self {
            cpu_milli,
            memory_bytes,
            ephemeral_storage_bytes,
            pods,
            nonzero_cpu_milli,
            nonzero_memory_bytes,
            extended,
        } = other;
        self.cpu_milli = with(self.cpu_milli, *cpu_milli);
        self.memory_bytes = with(self.memory_bytes, *memory_bytes);
        self.ephemeral_storage_bytes = with(self.ephemeral_storage_bytes, *ephemeral_storage_bytes);
        self.pods = with(self.pods, *pods);
        self.nonzero_cpu_milli = with(self.nonzero_cpu_milli, *nonzero_cpu_milli);
        self.nonzero_memory_bytes = with(self.nonzero_memory_bytes, *nonzero_memory_bytes);
        for (name, amount) in extended {
            let mine = self.extended.entry(name.clone()).or_default();
            *mine = with(*mine, *amount);
        }
    }

    fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    fn raise_to(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    pub(super) fn into_allocatable(self) -> Allocatable {
        Allocatable {
            cpu_milli: self.cpu_milli,
            memory_bytes: self.memory_bytes,
            ephemeral_storage_bytes: self.ephemeral_storage_bytes,
            pods: self.pods,
            extended: self.extended.into_iter().collect(),
        }
    }
}

/// Reads a resource list.
pub(super) fn amounts(raw: &RawAmounts<'_>) -> Result<Amounts, String> {
    let mut amounts = Amounts::default();
    for (name, text) in raw {
        let quantity: Quantity = text
            .parse()
            .map_err(|error| format!("read quantity {:?} of {}: {error}", &**text, &**name))?;
        match &**name {
            "cpu" => amounts.cpu_milli = quantity.milli(),
            "memory" => amounts.memory_bytes = quantity.whole(),
            "ephemeral-storage" => amounts.ephemeral_storage_bytes = quantity.whole(),
            "pods" => amounts.pods = quantity.whole(),
            other => {
                amounts.extended.insert(other.into(), quantity.whole());
            }
        }
    }
    Ok(amounts)
}

/// A container's requests, with what is assumed for scores where it requests nothing.
fn container(raw: &RawContainer<'_>) -> Result<Amounts, String> {
    let requests = &raw.resources.requests;
    let mut amounts = amounts(requests)?;
    let has = |name: &str| requests.keys().any(|key| &**key == name);
    amounts.nonzero_cpu_milli = if has("cpu") {
        amounts.cpu_milli
    } else {
        DEFAULT_CPU_MILLI
    };
    amounts.nonzero_memory_bytes = if has("memory") {
        amounts.memory_bytes
    } else {
        DEFAULT_MEMORY_BYTES
    };
    Ok(amounts)
}

/// The requests of a whole pod.
pub(super) fn of_pod(
    containers: &[RawContainer<'_>],
    init_containers: &[RawContainer<'_>],
    overhead: &RawAmounts<'_>,
    pod_level: Option<&RawResources<'_>>,
) -> Result<Requests, String> {
    let mut running = Amounts::default();
    for raw in containers {
        running.add(&container(raw)?);
    }
    let mut sidecars = Amounts::default();
    let mut starting = Amounts::default();
    for raw in init_containers {
        let requests = container(raw)?;
        let mut moment = sidecars.clone();
        moment.add(&requests);
        starting.raise_to(&moment);
        if &*raw.restart_policy == "Always" {
            sidecars = moment;
        }
    }
    running.add(&sidecars);
    running.raise_to(&starting);
    if let Some(pod_level) = pod_level {
        override_with(&mut running, &pod_level.requests)?;
    }
    let mut overhead = amounts(overhead)?;
    overhead.nonzero_cpu_milli = overhead.cpu_milli;
    overhead.nonzero_memory_bytes = overhead.memory_bytes;
    running.add(&overhead);
    Ok(Requests {
        cpu_milli: running.cpu_milli,
        memory_bytes: running.memory_bytes,
        ephemeral_storage_bytes: running.ephemeral_storage_bytes,
        nonzero_cpu_milli: running.nonzero_cpu_milli,
        nonzero_memory_bytes: running.nonzero_memory_bytes,
        extended: running
            .extended
            .into_iter()
            .filter(|(_, amount)| *amount > 0)
            .collect(),
    })
}

/// Requests of the pod as a whole, which stand in place of its containers' sum.
fn override_with(sum: &mut Amounts, pod_level: &RawAmounts<'_>) -> Result<(), String> {
    let whole = amounts(pod_level)?;
    let has = |name: &str| pod_level.keys().any(|key| &**key == name);
    if has("cpu") {
        (sum.cpu_milli, sum.nonzero_cpu_milli) = (whole.cpu_milli, whole.cpu_milli);
    }
    if has("memory") {
        (sum.memory_bytes, sum.nonzero_memory_bytes) = (whole.memory_bytes, whole.memory_bytes);
    }
    Ok(())
}
