//! What has to happen at which time, for all pods together.
//!
//! Entries are never taken back: whoever is woken looks whether there is anything to do. A pod has at most a handful.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::probes::ProbeKind;

/// What to do when a time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Let a pod's worker do what is due.
    Wake(Arc<str>),
    /// Go on with the script of a container's instance.
    Script(Arc<str>, usize, u32),
    /// Ask a container's instance.
    Probe(Arc<str>, usize, u32, ProbeKind),
}

/// All that has to happen, by time and then in the order of adding.
#[derive(Default)]
pub struct Timers {
    due: BTreeMap<(Duration, u64), Timer>,
    sequence: u64,
}

impl Timers {
    /// Adds an entry.
    pub fn add(&mut self, at: Duration, timer: Timer) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), timer);
    }

    /// When the first is due.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.due.keys().next().map(|&(at, _)| at)
    }

    /// The first that is due now, in the order of their times and, among equals, as they were added.
    pub fn pop(&mut self, now: Duration) -> Option<Timer> {
        self.next().filter(|&at| at <= now)?;
        self.due.pop_first().map(|(_, timer)| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_order_and_not_early() {
        let mut timers = Timers::default();
        let wake = |name: &str| Timer::Wake(name.into());
        for (at, name) in [(3, "c"), (1, "a"), (3, "d"), (2, "b")] {
            timers.add(Duration::from_secs(at), wake(name));
        }
        assert_eq!(timers.pop(Duration::ZERO), None);
        let mut due = Vec::new();
        while let Some(timer) = timers.pop(Duration::from_secs(3)) {
            due.push(timer);
        }
        assert_eq!(due, ["a", "b", "c", "d"].map(wake));
        assert_eq!(timers.next(), None);
    }
}
