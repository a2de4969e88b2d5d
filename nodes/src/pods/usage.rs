//! What containers are said to use: a simulation that follows from what they request and from what is asked of them.
//!
//! A running container uses a little, a part of what it requests, and the CPU that its program names for the requests of
//! the last seconds, but never more than its limits. A node uses what its pods use and a little for itself. So two looks
//! at the same idle pods show the same.

use coracle_api::Quantity;

use super::{container::State, view::Resources, worker::Worker};

/// What an idle program uses.
const IDLE: Usage = Usage {
    cpu_nanocores: 1_000_000,
    memory_bytes: 2 << 20,
};
/// What a node uses without pods.
const NODE: Usage = Usage {
    cpu_nanocores: 25_000_000,
    memory_bytes: 48 << 20,
};
/// One part in so many of the requested CPU is used,
const CPU_PART: i64 = 50;
/// and one part in so many of the requested memory.
const MEMORY_PART: i64 = 4;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Billionths of a core.
    pub cpu_nanocores: i64,
    /// Bytes.
    pub memory_bytes: i64,
}

/// What a pod uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodUsage {
    /// metadata.namespace
    pub namespace: String,
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
    /// Running containers and what they use, in the order of the spec.
    pub containers: Vec<(String, Usage)>,
}

/// What a node uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUsage {
    /// The node's name.
    pub name: String,
    /// With its pods.
    pub usage: Usage,
    /// Pods with running containers, by namespace and name.
    pub pods: Vec<PodUsage>,
}

impl Usage {
    /// What a running container uses whose program spends `busy` billionths of a core on requests.
    #[must_use]
    pub fn of(resources: &Resources, busy: i64) -> Self {
        let amount = |labels: &coracle_api::Labels, name: &str| {
            labels.get(name).and_then(|text| Quantity::parse(text).ok())
        };
        let requested = |name: &str| {
            // As everywhere, a limit alone is a request too.
            amount(&resources.requests, name).or_else(|| amount(&resources.limits, name))
        };
        let nanos = |own: Quantity| own.milli().saturating_mul(NANOS_PER_MILLI);
        let cpu = requested("cpu").map_or(0, nanos) / CPU_PART;
        let memory = requested("memory").map_or(0, Quantity::bytes) / MEMORY_PART;
        let most_cpu = amount(&resources.limits, "cpu").map_or(i64::MAX, nanos);
        let most_memory = amount(&resources.limits, "memory").map_or(i64::MAX, Quantity::bytes);
        Self {
            cpu_nanocores: IDLE
                .cpu_nanocores
                .saturating_add(cpu)
                .saturating_add(busy)
                .min(most_cpu),
            memory_bytes: IDLE.memory_bytes.saturating_add(memory).min(most_memory),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpu_nanocores: self.cpu_nanocores.saturating_add(other.cpu_nanocores),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }
}

impl PodUsage {
    /// What a pod uses, given what each container spends on requests; `None` where nothing of it runs.
    pub(super) fn of(worker: &Worker, busy: impl Fn(usize) -> i64) -> Option<Self> {
        let running = worker
            .containers
            .iter()
            .enumerate()
            .filter(|(_, container)| matches!(container.state, State::Running(_) | State::Stopping(_)));
        let containers: Vec<(String, Usage)> = running
            .map(|(at, _)| {
                let spec = worker.spec(at);
                (spec.name.to_string(), Usage::of(&spec.resources, busy(at)))
            })
            .collect();
        let metadata = &worker.pod.metadata;
        (!containers.is_empty()).then(|| Self {
            namespace: metadata.namespace.to_string(),
            name: metadata.name.to_string(),
            uid: metadata.uid.to_string(),
            containers,
        })
    }
}

impl NodeUsage {
    /// What a node with these pods uses.
    #[must_use]
    pub fn new(name: &str, mut pods: Vec<PodUsage>) -> Self {
        pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        let used = pods.iter().flat_map(|pod| &pod.containers);
        let usage = used.fold(NODE, |sum, (_, used)| sum.plus(*used));
        Self {
            name: name.to_owned(),
            usage,
            pods,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn usage_follows_requests_and_stays_within_limits() {
        let check = |resources: Value, busy: i64, millicores: i64, mebibytes: i64| {
            let resources: Resources = serde_json::from_value(resources).unwrap();
            let expected = Usage {
                cpu_nanocores: millicores * NANOS_PER_MILLI,
                memory_bytes: mebibytes << 20,
            };
            assert_eq!(
                Usage::of(&resources, busy * NANOS_PER_MILLI),
                expected,
                "{resources:?}"
            );
        };
        check(json!({}), 0, 1, 2);
        check(json!({"requests": {"cpu": "100m", "memory": "64Mi"}}), 0, 3, 18);
        check(json!({"requests": {"cpu": "100m"}}), 150, 153, 2);
        check(json!({"limits": {"cpu": "100m"}}), 150, 100, 2);
        check(json!({"limits": {"cpu": "1", "memory": "8Mi"}}), 0, 21, 4);
        check(
            json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2m", "memory": "1Mi"}}),
            0,
            2,
            1,
        );
    }

    #[test]
    fn a_node_uses_what_its_pods_use() {
        let pod = |name: &str| PodUsage {
            namespace: "d".to_owned(),
            name: name.to_owned(),
            uid: String::new(),
            containers: vec![("c".to_owned(), IDLE)],
        };
        let node = NodeUsage::new("n", vec![pod("b"), pod("a")]);
        assert_eq!(node.usage, NODE.plus(IDLE).plus(IDLE));
        assert_eq!((&*node.pods[0].name, &*node.pods[1].name), ("a", "b"));
    }
}
