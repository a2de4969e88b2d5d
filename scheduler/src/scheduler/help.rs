//! Event hints: which unschedulable pods a change may help, so that nobody is tried again for nothing.
//!
//! A change of a node helps the classes that this node, asked alone, would now admit. Pods that come and go help classes
//! whose terms they match, or that match theirs. What concerns neither (volumes, labels of namespaces) helps whoever
//! was turned away for it.

use std::{sync::Arc, time::Duration};

use super::Scheduler;
use crate::{
    cycle::Cycle,
    framework::ClusterEvents,
    requirements::{Class, Identity},
    snapshot::Snapshot,
};

/// Identities noted between two looks, at most; beyond that they are taken to match everything.
const TOUCHED_MAX: usize = 1_024;

/// Who came or went.
#[derive(Debug, Default)]
pub(super) struct Touched {
    identities: Vec<Arc<Identity>>,
    is_overflowing: bool,
}

impl Touched {
    /// Notes a pod; answers whether it was not noted before.
    pub(super) fn note(&mut self, identity: &Arc<Identity>) -> bool {
        // Replicas come one after another.
        if self.is_overflowing || self.identities.last() == Some(identity) {
            return false;
        }
        if self.identities.len() >= TOUCHED_MAX {
            self.identities.clear();
            self.is_overflowing = true;
        } else {
            self.identities.push(Arc::clone(identity));
        }
        true
    }

    /// Whether any of them is somebody that pods of the class look at, or looks at such pods.
    fn concerns(&self, class: &Class, snapshot: &Snapshot) -> bool {
        let own = &class.load.identity;
        let seeks = |identity: &Identity| {
            let terms = class.terms().into_iter();
            let mut required = terms.flat_map(|terms| terms.affinity.iter().chain(&terms.anti_affinity));
            required.any(|term| snapshot.holds(&term.pods, identity))
                || (class
                    .spread
                    .iter()
                    .filter_map(|constraint| constraint.pods.as_ref()))
                .any(|set| snapshot.holds(set, identity))
        };
        let is_sought = |identity: &Identity| {
            (identity.terms.iter().flat_map(|terms| &terms.anti_affinity))
                .any(|term| snapshot.holds(&term.pods, own))
        };
        self.is_overflowing || (self.identities.iter()).any(|identity| seeks(identity) || is_sought(identity))
    }
}

/// Whether pods of the class look further than the node at hand.
fn looks_around(class: &Class) -> bool {
    class.terms().is_some() || class.spread.iter().any(|constraint| constraint.is_hard)
}

impl Scheduler {
    /// Wakes unschedulable pods that what happened since might help.
    pub(super) fn help(&mut self, now: Duration) {
        if self.events.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.helpful_rows);
        let events = std::mem::take(&mut self.events);
        let touched = std::mem::take(&mut self.touched);
        let Self {
            queue,
            cycles,
            snapshot,
            ..
        } = self;
        let beyond_rows = ClusterEvents::STORAGE.union(ClusterEvents::NAMESPACE_LABELS);
        let admits = |class: &Class| {
            let by = |cycle: &Cycle| rows.iter().any(|index| cycle.admits(class, snapshot, *index));
            cycles.values().any(by)
        };
        queue.help(events, now, |class, relevant| {
            relevant.intersects(beyond_rows)
                || (looks_around(class) && relevant.intersects(ClusterEvents::DOMAINS))
                || touched.concerns(class, snapshot)
                || admits(class)
        });
    }
}
