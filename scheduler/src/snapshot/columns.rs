//! The quantities that are read for every node, one vector each, so that a look at all nodes runs through memory in
//! order.

use crate::{projection::Allocatable, requirements::Requests};

/// What is read for every node, one vector a quantity. A row without a node allows nothing.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) allocatable_cpu_milli: Vec<i64>,
    pub(super) allocatable_memory_bytes: Vec<i64>,
    pub(super) allocatable_ephemeral_storage_bytes: Vec<i64>,
    pub(super) allocatable_pods: Vec<i64>,
    pub(super) cpu_milli: Vec<i64>,
    pub(super) memory_bytes: Vec<i64>,
    pub(super) ephemeral_storage_bytes: Vec<i64>,
    pub(super) nonzero_cpu_milli: Vec<i64>,
    pub(super) nonzero_memory_bytes: Vec<i64>,
    pub(super) pods: Vec<i64>,
    pub(super) tie: Vec<u32>,
}

impl Columns {
    /// Makes room for one more row.
    pub(super) fn push_empty(&mut self) {
        let Self {
            allocatable_cpu_milli,
            allocatable_memory_bytes,
            allocatable_ephemeral_storage_bytes,
            allocatable_pods,
            cpu_milli,
            memory_bytes,
            ephemeral_storage_bytes,
            nonzero_cpu_milli,
            nonzero_memory_bytes,
            pods,
            tie,
        } = self;
        for column in [
            allocatable_cpu_milli,
            allocatable_memory_bytes,
            allocatable_ephemeral_storage_bytes,
            allocatable_pods,
            cpu_milli,
            memory_bytes,
            ephemeral_storage_bytes,
            nonzero_cpu_milli,
            nonzero_memory_bytes,
            pods,
        ] {
            column.push(0);
        }
        tie.push(0);
    }

    /// What the node of a row offers; nothing where it has no node.
    pub(super) fn offer(&mut self, at: usize, offered: &Allocatable) {
        self.allocatable_cpu_milli[at] = offered.cpu_milli;
        self.allocatable_memory_bytes[at] = offered.memory_bytes;
        self.allocatable_ephemeral_storage_bytes[at] = offered.ephemeral_storage_bytes;
        self.allocatable_pods[at] = offered.pods;
    }

    /// Counts one pod more (`sign` 1) or less (-1).
    pub(super) fn count(&mut self, at: usize, requests: &Requests, sign: i64) {
        self.pods[at] += sign;
        for (column, amount) in [
            (&mut self.cpu_milli, requests.cpu_milli),
            (&mut self.memory_bytes, requests.memory_bytes),
            (
                &mut self.ephemeral_storage_bytes,
                requests.ephemeral_storage_bytes,
            ),
            (&mut self.nonzero_cpu_milli, requests.nonzero_cpu_milli),
            (&mut self.nonzero_memory_bytes, requests.nonzero_memory_bytes),
        ] {
            // Wrapping keeps adding and taking away exact inverses, whatever amounts the API lets through.
            column[at] = column[at].wrapping_add(amount.wrapping_mul(sign));
        }
    }
}
