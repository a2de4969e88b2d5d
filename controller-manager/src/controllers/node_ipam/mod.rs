//! Gives every node a range of pod addresses of its own.
//!
//! One key for all nodes: ranges are given out by one plan after another, each on caches that show the last, so no
//! two nodes get the same.

use std::{net::Ipv4Addr, sync::Arc};

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_runtime::{Controller, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{Config, view::Node, world::World};

mod plan;
#[cfg(test)]
mod tests;

use plan::{Ranges, Snapshot};

pub(crate) struct NodeIpam {
    world: Arc<World>,
    ranges: Ranges,
}

impl NodeIpam {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<()>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.nodes.cache.subscribe({
            let queue = queue.clone();
            let lacks = |node: &Arc<Node>| node.pod_cidr.is_empty();
            move |change| {
                if change.new.as_ref().is_none_or(lacks) {
                    queue.add(());
                }
            }
        });
        let ranges = Ranges::new(&config.cluster_cidrs, config.node_cidr_mask);
        (
            Arc::new(Self {
                world: Arc::clone(world),
                ranges,
            }),
            queue,
        )
    }
}

/// Checks that ranges and the prefix length of a node fit each other.
pub(crate) fn check(cidrs: &[(Ipv4Addr, u8)], node_mask: u8) -> Result<(), String> {
    match cidrs
        .iter()
        .find(|(_, prefix)| *prefix > node_mask || node_mask > 30)
    {
        Some((base, prefix)) => Err(format!(
            "a node's range of /{node_mask} does not fit into {base}/{prefix}"
        )),
        None if cidrs.is_empty() => Err("no range for pods was given".to_owned()),
        None => Ok(()),
    }
}

#[async_trait]
impl Controller for NodeIpam {
    type Key = ();
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "node-ipam-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![Arc::new(self.world.nodes.cache.clone())]
    }

    fn keys(&self) -> Vec<()> {
        vec![()]
    }

    async fn snapshot(&self, (): &()) -> Result<Option<Snapshot>, ApiError> {
        Ok(Some(Snapshot {
            nodes: self.world.nodes.cache.list(),
            ranges: self.ranges.clone(),
        }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan::plan(snapshot)
    }
}
