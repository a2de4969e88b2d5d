//! How long a node is left alone after a daemon failed there: a node that refuses pods would otherwise be fed with them as
//! fast as it can refuse.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// After the first failure.
const FIRST: SignedDuration = SignedDuration::from_secs(1);
/// The longest, and twice as long without a failure ends the series; as upstream.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// The failures of one DaemonSet, at most one entry for each node.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by_node: BTreeMap<Box<str>, (SignedDuration, Timestamp)>,
}

impl Failures {
    /// Of the nodes where a pod has failed, those that must be left alone, and for how long; the others are noted as
    /// tried again now.
    pub(super) fn hold(&mut self, nodes: Vec<&str>, now: Timestamp) -> BTreeMap<Box<str>, Duration> {
        self.by_node
            .retain(|_, (_, until)| now.duration_since(*until) < LONGEST * 2);
        let mut held = BTreeMap::new();
        for node in nodes {
            let entry = self.by_node.get(node).copied();
            if let Some((_, until)) = entry.filter(|(_, until)| now < *until) {
                held.insert(node.into(), until.duration_since(now).unsigned_abs());
                continue;
            }
            let wait = entry.map_or(FIRST, |(before, _)| (before * 2).min(LONGEST));
            // Time ends later than any wait.
            let until = now.saturating_add(wait).unwrap_or(now);
            self.by_node.insert(node.into(), (wait, until));
        }
        held
    }
}
