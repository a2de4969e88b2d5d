//! A scheduler as plain as can be: it looks at every pod on every node for every decision.
//!
//! Written from the API reference and upstream's documentation of the default plugins, not from the plugins here.

use std::collections::BTreeMap;

use crate::{
    projection::Node,
    requirements::{Effect, Load, Requirements},
};

mod neighbours;

#[derive(Default)]
pub struct Cluster {
    pub nodes: BTreeMap<String, Node>,
    pub pods: Vec<(String, Load)>,
}

impl Cluster {
    fn loads<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Load> {
        self.pods
            .iter()
            .filter(|(name, _)| **name == *node.name)
            .map(|(_, load)| load)
    }

    fn sum(&self, node: &Node, amount: impl Fn(&Load) -> i64) -> i64 {
        self.loads(node).map(amount).sum()
    }

    pub fn admits(&self, pod: &Requirements, node: &Node) -> bool {
        let hard = |effect| matches!(effect, Effect::NoSchedule | Effect::NoExecute);
        let tolerated = |key: &str, value: &str, effect| {
            pod.tolerations.iter().any(|toleration| {
                (toleration.key.is_empty() || *toleration.key == *key)
                    && toleration.value.as_deref().is_none_or(|wanted| wanted == value)
                    && toleration.effect.is_none_or(|wanted| wanted == effect)
            })
        };
        let requests = &pod.load.requests;
        let selected = pod
            .node_selector
            .iter()
            .all(|wanted| node.labels.contains(wanted));
        let required = pod
            .required_terms
            .as_ref()
            .is_none_or(|terms| terms.iter().any(|term| term.matches(&node.name, &node.labels)));
        let cordon_tolerated = tolerated("node.kubernetes.io/unschedulable", "", Effect::NoSchedule);
        let cpu_left = node.allocatable.cpu_milli - self.sum(node, |load| load.requests.cpu_milli);
        let memory_left = node.allocatable.memory_bytes - self.sum(node, |load| load.requests.memory_bytes);
        let ports_clash = self.loads(node).any(|load| {
            load.host_ports
                .iter()
                .any(|taken| pod.load.host_ports.iter().any(|port| port.port == taken.port))
        });
        (!node.is_unschedulable || cordon_tolerated)
            && node
                .taints
                .iter()
                .all(|taint| !hard(taint.effect) || tolerated(&taint.key, &taint.value, taint.effect))
            && selected
            && required
            && !ports_clash
            && (self.loads(node).count() as i64) < node.allocatable.pods
            && (requests.cpu_milli == 0 || requests.cpu_milli <= cpu_left)
            && (requests.memory_bytes == 0 || requests.memory_bytes <= memory_left)
            && self.is_spread_by(pod, node)
            && self.suits_neighbours(pod, node)
    }

    /// The total score of every node that admits the pod.
    pub fn scores(&self, pod: &Requirements) -> BTreeMap<String, i64> {
        let nodes: Vec<&Node> = self
            .nodes
            .values()
            .filter(|node| self.admits(pod, node))
            .collect();
        let soft_taints = |node: &Node| {
            let soft = node
                .taints
                .iter()
                .filter(|taint| taint.effect == Effect::PreferNoSchedule);
            soft.filter(|taint| !taint.is_tolerated(&pod.tolerations)).count() as i64
        };
        let preference = |node: &Node| {
            let matching = pod
                .preferred_terms
                .iter()
                .filter(|term| term.term.matches(&node.name, &node.labels));
            matching.map(|term| term.weight).sum::<i64>()
        };
        let max = |of: &dyn Fn(&Node) -> i64| nodes.iter().map(|node| of(node)).max().unwrap_or_default();
        let mut scores = BTreeMap::new();
        for node in &nodes {
            let mut score = 0;
            score += 3 * match max(&soft_taints) {
                0 => 100,
                most => 100 - 100 * soft_taints(node) / most,
            };
            if !pod.preferred_terms.is_empty() && max(&preference) > 0 {
                score += 2 * (100 * preference(node) / max(&preference));
            }
            score += 2 * self.evenness(pod, &nodes, node);
            score += 2 * self.welcome(pod, &nodes, node);
            score += self.least_allocated(pod, node);
            if pod.load.requests.cpu_milli > 0 || pod.load.requests.memory_bytes > 0 {
                score += self.balance(pod, node);
            }
            scores.insert(node.name.to_string(), score);
        }
        scores
    }

    fn least_allocated(&self, pod: &Requirements, node: &Node) -> i64 {
        let share =
            |capacity: i64, used: i64, wanted: i64| (capacity - used - wanted).max(0) * 100 / capacity;
        let requests = &pod.load.requests;
        let cpu = share(
            node.allocatable.cpu_milli,
            self.sum(node, |load| load.requests.nonzero_cpu_milli),
            requests.nonzero_cpu_milli,
        );
        let memory = share(
            node.allocatable.memory_bytes,
            self.sum(node, |load| load.requests.nonzero_memory_bytes),
            requests.nonzero_memory_bytes,
        );
        (cpu + memory) / 2
    }

    fn balance(&self, pod: &Requirements, node: &Node) -> i64 {
        let share = |capacity: i64, used: i64| (used as f64 / capacity as f64).min(1.0);
        let requests = &pod.load.requests;
        let cpu = share(
            node.allocatable.cpu_milli,
            self.sum(node, |load| load.requests.cpu_milli) + requests.cpu_milli,
        );
        let memory = share(
            node.allocatable.memory_bytes,
            self.sum(node, |load| load.requests.memory_bytes) + requests.memory_bytes,
        );
        ((1.0 - (cpu - memory).abs() / 2.0) * 100.0) as i64
    }
}
