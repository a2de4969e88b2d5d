//! How fast nodes that fail are given up. Source: "Rate limits on eviction" in the Kubernetes documentation.
//!
//! In a zone that is well, nodes are given up one after the other, at a rate. Where many of a zone have failed at once it
//! is slower, or not at all: rather the network has failed, or whoever asks. What is remembered is only when a zone's last
//! node was given up, and which nodes may be; a process that begins anew begins with one at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::plan::Ready;
use crate::{config::EvictionRates, view::Node};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
/// Many have failed only where more than so many have.
const FEW: usize = 2;

/// How a zone fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Normal,
    /// Many have failed, in a zone of so many nodes.
    PartialDisruption(usize),
    /// All have failed.
    FullDisruption,
}

/// What may become of a failed node's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// They are ended, once they no longer tolerate it.
    Granted,
    /// They stay for now; this may be asked again after so long.
    After(Duration),
    /// They stay, until more nodes are well.
    Halted,
}

/// The zone of a node; nodes that name none are in one together.
fn zone(node: &Node) -> String {
    let label = |name: &str| node.meta.labels.get(name).unwrap_or_default().to_owned();
    format!("{}:{}", label(REGION), label(ZONE))
}

/// How each zone fares, where `failing` has failed whatever it says.
pub(super) fn states(nodes: &[Arc<Node>], failing: &str, rates: &EvictionRates) -> BTreeMap<String, State> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for node in nodes {
        let (all, failed) = counts.entry(zone(node)).or_default();
        *all += 1;
        *failed += usize::from(Ready::of(node) != Ready::True || *node.meta.name == *failing);
    }
    let state = |(all, failed): (usize, usize)| {
        if failed == all {
            State::FullDisruption
        } else if failed > FEW && failed as f64 / all as f64 >= rates.unhealthy_zone_threshold {
            State::PartialDisruption(all)
        } else {
            State::Normal
        }
    };
    counts.into_iter().map(|(zone, own)| (zone, state(own))).collect()
}

/// Which nodes have been given up, and when the last of each zone was.
#[derive(Debug)]
pub(super) struct Evictions {
    rates: EvictionRates,
    last: BTreeMap<String, Instant>,
    granted: BTreeSet<Box<str>>,
}

impl Evictions {
    pub(super) fn new(rates: EvictionRates) -> Self {
        Self {
            rates,
            last: BTreeMap::new(),
            granted: BTreeSet::new(),
        }
    }

    /// The node is well, or gone.
    pub(super) fn forget(&mut self, node: &str) {
        self.granted.remove(node);
    }

    /// Whether the pods of a failed node may be ended now. That it may be stays true while the zone's state lets it.
    pub(super) fn decide(
        &mut self,
        node: &Node,
        is_given_up: bool,
        nodes: &[Arc<Node>],
        now: Instant,
    ) -> Eviction {
        let (zone, states) = (zone(node), states(nodes, &node.meta.name, &self.rates));
        let EvictionRates {
            primary,
            secondary,
            large_zone_nodes,
            ..
        } = self.rates;
        let is_all_gone = states.values().all(|state| *state == State::FullDisruption);
        let rate = match states.get(&zone) {
            _ if is_all_gone => 0.0,
            Some(State::PartialDisruption(size)) if *size > large_zone_nodes => secondary,
            Some(State::PartialDisruption(_)) => 0.0,
            _ => primary,
        };
        if rate <= 0.0 {
            self.granted.remove(&node.meta.name);
            return Eviction::Halted;
        }
        if is_given_up || self.granted.contains(&node.meta.name) {
            self.granted.insert(node.meta.name.clone());
            return Eviction::Granted;
        }
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let passed = self.last.get(&zone).map(|last| now.duration_since(*last));
        let left = passed.and_then(|passed| interval.checked_sub(passed));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Eviction::After(left);
        }
        self.last.insert(zone, now);
        self.granted.insert(node.meta.name.clone());
        Eviction::Granted
    }
}
