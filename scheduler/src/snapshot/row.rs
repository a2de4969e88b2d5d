//! One node as filters and scores see it.

use super::{NodeIndex, Snapshot, TopologyId};
use crate::{projection::Node, requirements::HostPort};

/// A node and what is on it.
#[derive(Clone, Copy, Debug)]
pub struct NodeRow<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) index: NodeIndex,
    pub(super) node: &'a Node,
}

/// An amount of one resource on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What the node offers to pods.
    pub allocatable: i64,
    /// What its pods request.
    pub requested: i64,
}

impl Usage {
    /// What is left; negative on an overcommitted node.
    #[must_use]
    pub fn free(self) -> i64 {
        self.allocatable.saturating_sub(self.requested)
    }
}

impl<'a> NodeRow<'a> {
    /// Its row.
    #[must_use]
    pub fn index(self) -> NodeIndex {
        self.index
    }

    /// Its projection: name, labels, taints.
    #[must_use]
    pub fn node(self) -> &'a Node {
        self.node
    }

    /// The snapshot that it is a row of.
    #[must_use]
    pub fn snapshot(self) -> &'a Snapshot {
        self.snapshot
    }

    /// Its domain, where the node has the topology's label.
    #[must_use]
    pub fn domain(self, id: TopologyId) -> Option<usize> {
        self.snapshot.domain(id, self.index)
    }

    /// Thousandths of a core.
    #[must_use]
    pub fn cpu_milli(self) -> Usage {
        let columns = &self.snapshot.columns;
        self.usage(&columns.allocatable_cpu_milli, &columns.cpu_milli)
    }

    /// Bytes.
    #[must_use]
    pub fn memory_bytes(self) -> Usage {
        let columns = &self.snapshot.columns;
        self.usage(&columns.allocatable_memory_bytes, &columns.memory_bytes)
    }

    /// Bytes.
    #[must_use]
    pub fn ephemeral_storage_bytes(self) -> Usage {
        let columns = &self.snapshot.columns;
        self.usage(
            &columns.allocatable_ephemeral_storage_bytes,
            &columns.ephemeral_storage_bytes,
        )
    }

    /// As [`Self::cpu_milli`], with pods that request none counted as small ones.
    #[must_use]
    pub fn nonzero_cpu_milli(self) -> Usage {
        let columns = &self.snapshot.columns;
        self.usage(&columns.allocatable_cpu_milli, &columns.nonzero_cpu_milli)
    }

    /// As [`Self::memory_bytes`], with pods that request none counted as small ones.
    #[must_use]
    pub fn nonzero_memory_bytes(self) -> Usage {
        let columns = &self.snapshot.columns;
        self.usage(&columns.allocatable_memory_bytes, &columns.nonzero_memory_bytes)
    }

    /// Pods.
    #[must_use]
    pub fn pods(self) -> Usage {
        let columns = &self.snapshot.columns;
        self.usage(&columns.allocatable_pods, &columns.pods)
    }

    /// A resource that has no column, in whole units.
    #[must_use]
    pub fn extended(self, name: &str) -> Usage {
        let amount = |list: &[(Box<str>, i64)]| {
            list.iter()
                .find(|(candidate, _)| **candidate == *name)
                .map_or(0, |(_, amount)| *amount)
        };
        Usage {
            allocatable: amount(&self.node.allocatable.extended),
            requested: amount(&self.snapshot.extended[self.index.position()]),
        }
    }

    /// Host ports that its pods have taken.
    #[must_use]
    pub fn host_ports(self) -> &'a [HostPort] {
        &self.snapshot.host_ports[self.index.position()]
    }

    /// Orders nodes of equal score, after the number of pods on them; the same in every run.
    #[must_use]
    pub fn tie(self) -> u32 {
        self.snapshot.columns.tie[self.index.position()]
    }

    fn usage(self, allocatable: &[i64], requested: &[i64]) -> Usage {
        let at = self.index.position();
        Usage {
            allocatable: allocatable[at],
            requested: requested[at],
        }
    }
}
