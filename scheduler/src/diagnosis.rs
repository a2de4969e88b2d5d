//! Why no node will do, in upstream's words.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    framework::{Candidate, ClusterEvents, Filter},
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

/// The outcome of a look at all nodes that found none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`
    pub message: Arc<str>,
    /// What could change the outcome.
    pub helped_by: ClusterEvents,
}

impl Diagnosis {
    /// Asks the filters about every node; of each node, the first filter that turned the pod away counts.
    #[must_use]
    pub fn of<'a>(
        candidate: &Candidate<'_>,
        filters: impl IntoIterator<Item = &'a dyn Filter>,
        snapshot: &Snapshot,
    ) -> Self {
        if snapshot.is_empty() {
            return Self {
                message: "no nodes available to schedule pods".into(),
                helped_by: ClusterEvents::NODE_ADDED,
            };
        }
        let filters: Vec<&dyn Filter> = filters.into_iter().collect();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut helped_by = ClusterEvents::NODE_ADDED;
        for row in snapshot.iter() {
            let Some(filter) = filters.iter().find(|filter| !filter.admits(candidate, row)) else {
                continue;
            };
            helped_by = helped_by.union(filter.helped_by());
            for reason in filter.reasons(candidate, row) {
                *counts.entry(reason).or_default() += 1;
            }
        }
        // Upstream sorts the finished texts, so "10 x" comes before "2 y".
        let mut texts: Vec<String> = counts
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        texts.sort();
        let message = format!("0/{} nodes are available: {}.", snapshot.len(), texts.join(", "));
        Self {
            message: message.into(),
            helped_by,
        }
    }
}
