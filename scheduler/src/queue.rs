//! The pods that wait for a node: which is next, which must wait a little, and which wait for the cluster to change.
//!
//! Semantics are those of upstream's scheduling queue. *Active* pods are taken by priority, then in the order in
//! which they became active. A pod that found no node joins the *unschedulable* ones of its class until something
//! happens that could help ([`Queue::help`]) or [`Limits::flush_after`] has passed; it is active again no sooner
//! than its *back-off* allows. A pod that failed for another reason only backs off.
//!
//! Time is passed in, measured from any fixed moment. How many pods wait is limited by how many exist.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use coracle_runtime::Key;

use crate::{
    framework::ClusterEvents,
    projection::{Pod, Unbound},
    requirements::Class,
};

#[cfg(test)]
mod tests;

/// How long pods wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After the first failed attempt; doubles with every further one. Upstream waits 1 s, but an attempt here costs
    /// a microsecond and pods often wait for no more than the first nodes to come up.
    pub backoff_min: Duration,
    /// The longest back-off.
    pub backoff_max: Duration,
    /// An unschedulable pod is tried again after so long although nothing seems to have changed.
    pub flush_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            flush_after: Duration::from_secs(300),
        }
    }
}

/// A pod in the queue.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// As it was last seen, or with its class shared with others like it.
    pub pod: Arc<Pod>,
    /// What it asks for.
    pub class: Class,
    /// How often a node was sought for it.
    pub attempts: u32,
    /// The reason it was last told, or the one that its condition shows.
    pub reported: Option<Arc<str>>,
    priority: i32,
    /// No attempt before.
    ready_at: Duration,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// With its number in line.
    Active(u64),
    /// Until `ready_at`, with its number in line.
    Backoff(u64),
    /// In the group, since.
    Unschedulable(u64, Duration),
    /// Taken; whoever took it says how it went.
    InFlight,
}

/// Unschedulable pods of one class: what helps one helps all.
#[derive(Debug)]
struct Group {
    class: Class,
    helped_by: ClusterEvents,
    keys: BTreeSet<Key>,
}

/// The waiting pods.
#[derive(Debug, Default)]
pub struct Queue {
    limits: Limits,
    waiting: HashMap<Key, Waiting>,
    active: BTreeSet<(Reverse<i32>, u64, Key)>,
    backoff: BTreeSet<(Duration, u64, Key)>,
    groups: BTreeMap<u64, Group>,
    group_of: HashMap<Class, u64>,
    unschedulable_since: BTreeSet<(Duration, Key)>,
    /// Numbers given out, to places in line and to groups.
    numbers: u64,
}

impl Queue {
    /// No pods.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// How many pods wait, those in flight included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no pod waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a pod could be taken at once.
    #[must_use]
    pub fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// A waiting pod.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Waiting> {
        self.waiting.get(key)
    }

    /// Takes note of a pod without a node. A change that could help it makes it active; one of its status does not.
    pub fn put(&mut self, key: &Key, pod: &Arc<Pod>, unbound: &Unbound, now: Duration) {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return self.insert(key, pod, unbound);
        };
        waiting.pod = Arc::clone(pod);
        let is_same = waiting.class == unbound.class && waiting.priority == unbound.priority;
        if is_same {
            return;
        }
        self.leave(key);
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.class = unbound.class.clone();
            waiting.priority = unbound.priority;
            if waiting.place != Place::InFlight {
                self.activate(key, now);
            }
        }
    }

    /// Forgets a pod: it is bound, gone, or none of ours.
    pub fn remove(&mut self, key: &Key) {
        self.leave(key);
        self.waiting.remove(key);
    }

    /// Takes the next active pod. It stays known, in flight, until [`Queue::remove`], [`Queue::unschedulable`] or
    /// [`Queue::back_off`].
    pub fn take(&mut self) -> Option<(Key, &Waiting)> {
        let (_, _, key) = self.active.pop_first()?;
        let waiting = self.waiting.get_mut(&key);
        let Some(waiting) = waiting else {
            unreachable!("an active pod is known")
        };
        waiting.attempts = waiting.attempts.saturating_add(1);
        waiting.place = Place::InFlight;
        Some((key, waiting))
    }

    /// No node will do for a pod in flight until one of `helped_by` happens. Returns whether `message` is news.
    pub fn unschedulable(
        &mut self,
        key: &Key,
        helped_by: ClusterEvents,
        message: &Arc<str>,
        now: Duration,
    ) -> bool {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return false;
        };
        assert!(waiting.place == Place::InFlight, "only a pod in flight can fail");
        let numbers = &mut self.numbers;
        let group = *self
            .group_of
            .entry(waiting.class.clone())
            .or_insert_with(|| next(numbers));
        let entry = self.groups.entry(group).or_insert_with(|| Group {
            class: waiting.class.clone(),
            helped_by,
            keys: BTreeSet::new(),
        });
        entry.helped_by = helped_by;
        entry.keys.insert(key.clone());
        self.unschedulable_since.insert((now, key.clone()));
        waiting.place = Place::Unschedulable(group, now);
        waiting.ready_at = now + backoff(&self.limits, waiting.attempts);
        let is_news = waiting.reported.as_ref() != Some(message);
        waiting.reported = Some(Arc::clone(message));
        is_news
    }

    /// The reason could not be told to people: the pod is tried, and told, again as soon as its back-off allows.
    pub fn untold(&mut self, key: &Key, now: Duration) {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return;
        };
        waiting.reported = None;
        if matches!(waiting.place, Place::Unschedulable(..)) {
            self.leave(key);
            self.activate(key, now);
        }
    }

    /// A pod in flight failed for a reason that may pass by itself.
    pub fn back_off(&mut self, key: &Key, now: Duration) {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return;
        };
        assert!(waiting.place == Place::InFlight, "only a pod in flight can fail");
        waiting.ready_at = now + backoff(&self.limits, waiting.attempts);
        self.activate(key, now);
    }

    /// A pod has waited for something that will not come as it was thought: it is tried again as soon as its back-off
    /// allows.
    pub fn retry(&mut self, key: &Key, now: Duration) {
        if let Some(waiting) = self.waiting.get(key)
            && matches!(waiting.place, Place::Unschedulable(..))
        {
            self.leave(key);
            self.activate(key, now);
        }
    }

    /// Something happened: `is_helped` says for which classes of unschedulable pods it might do, given those of the
    /// events that such pods wait for.
    pub fn help(
        &mut self,
        events: ClusterEvents,
        now: Duration,
        mut is_helped: impl FnMut(&Class, ClusterEvents) -> bool,
    ) {
        let mut helped: Vec<u64> = Vec::new();
        for (id, group) in &mut self.groups {
            let relevant = group.helped_by.common(events);
            if relevant.is_empty() {
                continue;
            }
            if is_helped(&group.class, relevant) {
                helped.push(*id);
            } else {
                // The changed node turns the class away for a reason that the diagnosis did not know of.
                group.helped_by = group.helped_by.union(ClusterEvents::ROWS);
            }
        }
        for id in helped {
            let keys = self
                .groups
                .get(&id)
                .map(|group| group.keys.clone())
                .unwrap_or_default();
            for key in &keys {
                self.leave(key);
                self.activate(key, now);
            }
        }
    }

    /// Lets time pass: ends back-offs, and tries again what has been unschedulable for long.
    pub fn advance(&mut self, now: Duration) {
        while self.backoff.first().is_some_and(|(at, _, _)| *at <= now)
            && let Some((_, number, key)) = self.backoff.pop_first()
        {
            let Some(waiting) = self.waiting.get_mut(&key) else {
                unreachable!("a pod backing off is known")
            };
            waiting.place = Place::Active(number);
            self.active.insert((Reverse(waiting.priority), number, key));
        }
        let flush_after = self.limits.flush_after;
        while let Some((since, key)) = self.unschedulable_since.first()
            && *since + flush_after <= now
        {
            let key = key.clone();
            self.leave(&key);
            self.activate(&key, now);
        }
    }

    /// When [`Queue::advance`] will next have something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let backoff = self.backoff.first().map(|(at, _, _)| *at);
        let flush = self
            .unschedulable_since
            .first()
            .map(|(since, _)| *since + self.limits.flush_after);
        backoff.into_iter().chain(flush).min()
    }

    fn insert(&mut self, key: &Key, pod: &Arc<Pod>, unbound: &Unbound) {
        let condition = unbound
            .condition
            .as_ref()
            .filter(|condition| condition.is_unschedulable());
        let number = next(&mut self.numbers);
        let waiting = Waiting {
            pod: Arc::clone(pod),
            class: unbound.class.clone(),
            attempts: 0,
            reported: condition.map(|condition| Arc::from(&*condition.message)),
            priority: unbound.priority,
            ready_at: Duration::ZERO,
            place: Place::Active(number),
        };
        self.active
            .insert((Reverse(waiting.priority), number, key.clone()));
        self.waiting.insert(key.clone(), waiting);
    }

    /// Puts a pod that is in no list into the one where it may be taken soonest.
    fn activate(&mut self, key: &Key, now: Duration) {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return;
        };
        let number = next(&mut self.numbers);
        if waiting.ready_at > now {
            waiting.place = Place::Backoff(number);
            self.backoff.insert((waiting.ready_at, number, key.clone()));
        } else {
            waiting.place = Place::Active(number);
            self.active
                .insert((Reverse(waiting.priority), number, key.clone()));
        }
    }

    /// Takes a pod out of whichever list it is in.
    fn leave(&mut self, key: &Key) {
        let Some(waiting) = self.waiting.get(key) else {
            return;
        };
        match waiting.place {
            Place::Active(number) => {
                self.active
                    .remove(&(Reverse(waiting.priority), number, key.clone()));
            }
            Place::Backoff(number) => {
                self.backoff.remove(&(waiting.ready_at, number, key.clone()));
            }
            Place::Unschedulable(group, since) => {
                self.unschedulable_since.remove(&(since, key.clone()));
                if let Some(group) = self.groups.get_mut(&group) {
                    group.keys.remove(key);
                }
                self.drop_group_if_empty(group);
            }
            Place::InFlight => {}
        }
    }

    fn drop_group_if_empty(&mut self, id: u64) {
        if let Some(group) = self.groups.get(&id)
            && group.keys.is_empty()
        {
            self.group_of.remove(&group.class);
            self.groups.remove(&id);
        }
    }
}

fn next(numbers: &mut u64) -> u64 {
    *numbers += 1;
    *numbers
}

fn backoff(limits: &Limits, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    limits
        .backoff_min
        .saturating_mul(1 << doublings)
        .min(limits.backoff_max)
}
