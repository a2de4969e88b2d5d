//! Which node gets which range: the lowest that is free.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_runtime::{Note, Plan};
use serde_json::json;

use crate::{view::Node, writes};

/// When to look again after the ranges ran out; a node that goes is noticed at once.
const RETRY: Duration = Duration::from_secs(60);

/// What is known.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) ranges: Ranges,
}

/// The ranges of the cluster, cut into ranges of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Ranges {
    clusters: Vec<(u32, u8)>,
    node_mask: u8,
}

impl Ranges {
    pub(super) fn new(cidrs: &[(Ipv4Addr, u8)], node_mask: u8) -> Self {
        let base = |(base, prefix): &(Ipv4Addr, u8)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
            (u32::from(*base) & mask, *prefix)
        };
        Self {
            clusters: cidrs.iter().map(base).collect(),
            node_mask,
        }
    }

    /// All ranges of nodes, in order.
    fn all(&self) -> impl Iterator<Item = String> {
        let node_mask = self.node_mask;
        let size = 1_u64 << (32 - node_mask);
        self.clusters.iter().flat_map(move |(base, prefix)| {
            let first = u64::from(*base);
            let bases = (0..1_u64 << (node_mask - prefix)).map(move |index| first + index * size);
            bases
                .filter_map(|base| u32::try_from(base).ok())
                .map(move |base| format!("{}/{node_mask}", Ipv4Addr::from(base)))
        })
    }
}

/// A range for every node that has none.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let used: BTreeSet<&str> = snapshot.nodes.iter().map(|node| &*node.pod_cidr).collect();
    let mut free = snapshot.ranges.all().filter(|range| !used.contains(&**range));
    let wanting = snapshot
        .nodes
        .iter()
        .filter(|node| node.pod_cidr.is_empty() && !node.meta.is_deleting());
    for node in wanting {
        match free.next() {
            Some(range) => {
                let body = json!({"spec": {"podCIDR": range, "podCIDRs": [range]}});
                plan.write(writes::patch(kinds::NODE, &node.meta, &body));
            }
            None => {
                let about = node.meta.reference(kinds::NODE);
                let told = format!("Node {} status is now: CIDRNotAvailable", node.meta.name);
                plan.notes.push(Note::normal(about, "CIDRNotAvailable", told));
                plan.look_again_after(RETRY);
            }
        }
    }
    plan
}
