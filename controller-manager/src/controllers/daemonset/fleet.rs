//! The pods of a DaemonSet by node, and which nodes should have one.

use std::collections::BTreeMap;

use crate::view::{DaemonSet, Node, Pod};

use super::plan::Snapshot;

/// What a node and its taints mean for a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It should run there.
    Runs,
    /// None is started there; one that runs may stay.
    Stays,
    /// None may be there.
    No,
}

/// A node with the daemons that are on it or meant for it, the one to keep first.
#[derive(Debug)]
pub(super) struct Berth<'a> {
    pub(super) fit: Fit,
    pub(super) pods: Vec<&'a Pod>,
}

/// All nodes by name.
pub(super) type Fleet<'a> = BTreeMap<&'a str, Berth<'a>>;

/// The pods by node, and those whose node there is not.
pub(super) fn muster(snapshot: &Snapshot) -> (Fleet<'_>, Vec<&Pod>) {
    let nodes = snapshot.nodes.iter();
    let berth = |node: &Node| Berth {
        fit: fit(&snapshot.set, node),
        pods: Vec::new(),
    };
    let mut fleet: Fleet<'_> = nodes.map(|node| (&*node.meta.name, berth(node))).collect();
    let mut stranded = Vec::new();
    for pod in &snapshot.pods {
        match fleet.get_mut(pod.target()) {
            Some(berth) => berth.pods.push(pod),
            None => stranded.push(&**pod),
        }
    }
    for berth in fleet.values_mut() {
        berth
            .pods
            .sort_by_key(|pod| (pod.node.is_empty(), pod.meta.created, pod.meta.name.clone()));
    }
    (fleet, stranded)
}

/// Whether a daemon should be on the node.
pub(super) fn fit(set: &DaemonSet, node: &Node) -> Fit {
    let placement = &set.placement;
    if !placement.is_drawn_to(node) {
        Fit::No
    } else if placement.tolerates(node, &["NoSchedule", "NoExecute"]) {
        Fit::Runs
    } else if placement.tolerates(node, &["NoExecute"]) {
        Fit::Stays
    } else {
        Fit::No
    }
}
