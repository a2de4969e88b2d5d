//! The rules of the work queue, as a plain value: time is passed in, nothing waits.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Debug,
};

use tokio::time::Instant;

/// A key is in one of these places: nowhere, ready, delayed, under way, or under way and wanted again; and it may be
/// delayed besides any of them.
pub(super) struct State<K> {
    limit: usize,
    ready: VecDeque<K>,
    /// Ready, or under way and wanted again.
    wanted: BTreeSet<K>,
    under_way: BTreeSet<K>,
    delayed: BTreeSet<(Instant, K)>,
    deadlines: BTreeMap<K, Instant>,
    failures: BTreeMap<K, u32>,
    /// Keys that count as under way until their time, though nobody works on them.
    resting: BTreeSet<(Instant, K)>,
    overflow: bool,
}

impl<K: Clone + Ord + Debug> State<K> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ready: VecDeque::new(),
            wanted: BTreeSet::new(),
            under_way: BTreeSet::new(),
            delayed: BTreeSet::new(),
            deadlines: BTreeMap::new(),
            failures: BTreeMap::new(),
            resting: BTreeSet::new(),
            overflow: false,
        }
    }

    pub(super) fn add(&mut self, key: K) {
        if self.wanted.contains(&key) || self.is_full() {
            return;
        }
        self.wanted.insert(key.clone());
        if !self.under_way.contains(&key) {
            self.ready.push_back(key);
        }
    }

    pub(super) fn add_at(&mut self, key: K, at: Instant) {
        match self.deadlines.get(&key).copied() {
            Some(earlier) if earlier <= at => return,
            Some(later) => {
                self.delayed.remove(&(later, key.clone()));
            }
            None if self.is_full() => return,
            None => {}
        }
        self.deadlines.insert(key.clone(), at);
        self.delayed.insert((at, key));
    }

    /// The key is done at `until`.
    pub(super) fn rest(&mut self, key: &K, until: Instant) {
        if self.under_way.contains(key) {
            self.resting.insert((until, key.clone()));
        }
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<K> {
        while self.resting.first().is_some_and(|(until, _)| *until <= now) {
            let Some((_, key)) = self.resting.pop_first() else {
                break;
            };
            self.done(&key);
        }
        while let Some((at, _)) = self.delayed.first() {
            if *at > now {
                break;
            }
            let Some((_, key)) = self.delayed.pop_first() else {
                break;
            };
            self.deadlines.remove(&key);
            self.add(key);
        }
        let key = self.ready.pop_front()?;
        self.wanted.remove(&key);
        let fresh = self.under_way.insert(key.clone());
        assert!(fresh, "{key:?} is handed out once at a time");
        Some(key)
    }

    pub(super) fn done(&mut self, key: &K) {
        if self.under_way.remove(key) && self.wanted.contains(key) {
            self.ready.push_back(key.clone());
        }
    }

    /// Counts a failure and tells how many there were in a row.
    pub(super) fn fail(&mut self, key: &K) -> u32 {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        *failures
    }

    pub(super) fn forget(&mut self, key: &K) {
        self.failures.remove(key);
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let first = |set: &BTreeSet<(Instant, K)>| set.first().map(|(at, _)| *at);
        first(&self.delayed).into_iter().chain(first(&self.resting)).min()
    }

    pub(super) fn len(&self) -> usize {
        self.wanted.len() + self.delayed.len()
    }

    pub(super) fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.overflow)
    }

    fn is_full(&mut self) -> bool {
        let full = self.len() >= self.limit;
        self.overflow |= full;
        full
    }
}
