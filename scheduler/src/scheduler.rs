//! The scheduler without its environment: changes of pods and nodes in, decisions out.
//!
//! It owns the snapshot, the queue and the decision cycles, one a profile, and the books on *assumed* pods: those that
//! were given a node and whose binding the cache does not show yet. An assumed pod takes its resources from the moment
//! of the decision until the cache shows the pod bound (then the pod itself counts) or gone, or the binding was
//! refused. So a node is never promised twice, whatever is under way.
//!
//! Everything is synchronous and a function of the calls so far; `run` adds caches, time and writes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use coracle_runtime::Key;

use crate::{
    cycle::Cycle,
    framework::ClusterEvents,
    plugins::volume_binding::Step,
    preemption::Victim,
    profile::Profile,
    projection::{Budget, Namespace, Node, Pod, Unbound},
    queue::{self, Queue},
    requirements::{Class, Identity},
    snapshot::{NodeIndex, Snapshot},
    storage::Storage,
    tenants::Tenants,
};

mod decide;
mod help;
#[cfg(test)]
mod tests;
mod volumes;

/// What is to be done for a pod.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which pod.
    pub key: Key,
    /// As it was when it was decided.
    pub pod: Arc<Pod>,
    /// What was decided.
    pub verdict: Verdict,
}

/// What was decided for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Bind it to this node, for which it is now assumed; then call [`Scheduler::refused`] if that failed.
    Bind(Arc<str>),
    /// Write these for its volumes, then call [`Scheduler::refused`] if that failed. It is assumed for the node; the
    /// verdict to bind it follows once its claims are bound.
    Prepare(Arc<str>, Vec<Step>),
    /// Tell people that no node will do. Only told when the reason is news.
    Tell(Arc<str>, Nomination),
    /// Remove these pods from this node, which the pod is then to get, and tell people.
    Preempt {
        /// Why no node will do as things are.
        message: Arc<str>,
        /// The node.
        node: Arc<str>,
        /// Who has to go.
        victims: Vec<Victim>,
    },
}

/// What becomes of a pod's status.nominatedNodeName.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nomination {
    /// It stays as it is.
    Keep,
    /// No node is being cleared for the pod any more.
    Clear,
}

/// A pod that was given a node.
struct Assumed {
    uid: Box<str>,
    node: Arc<str>,
    class: Class,
}

/// A pod for which a node is being cleared.
struct Nominee {
    node: Arc<str>,
    class: Class,
    priority: i32,
}

/// Pods and nodes, and what is to become of the pods.
pub struct Scheduler {
    snapshot: Snapshot,
    queue: Queue,
    cycles: BTreeMap<Box<str>, Cycle>,
    tenants: Tenants,
    budgets: BTreeMap<Key, Arc<Budget>>,
    assumed: HashMap<Key, Assumed>,
    nominees: BTreeMap<Key, Nominee>,
    /// Pods that were told to go and are not seen going yet.
    leaving: BTreeSet<Key>,
    awaiting: BTreeMap<Key, volumes::Awaiting>,
    /// What happened since the last decision that could help unschedulable pods, and on which nodes.
    events: ClusterEvents,
    helpful_rows: BTreeSet<NodeIndex>,
    /// Who came or went since.
    touched: help::Touched,
}

impl Scheduler {
    /// Schedules the pods whose spec.schedulerName is that of one of the profiles.
    #[must_use]
    pub fn new(profiles: Vec<Profile>, limits: queue::Limits) -> Self {
        let cycles = profiles.into_iter().map(|profile| {
            let name = profile.scheduler_name.clone();
            (name, Cycle::new(profile))
        });
        Self {
            snapshot: Snapshot::new(),
            queue: Queue::new(limits),
            cycles: cycles.collect(),
            tenants: Tenants::default(),
            budgets: BTreeMap::new(),
            assumed: HashMap::new(),
            nominees: BTreeMap::new(),
            leaving: BTreeSet::new(),
            awaiting: BTreeMap::new(),
            events: ClusterEvents::default(),
            helpful_rows: BTreeSet::new(),
            touched: help::Touched::default(),
        }
    }

    /// The nodes and what is on them.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The pods that wait.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// How many pods have a node that the cache does not show yet.
    #[must_use]
    pub fn assumed(&self) -> usize {
        self.assumed.len()
    }

    /// Takes note of a node that came, changed or went.
    pub fn node_changed(&mut self, key: &Key, new: Option<&Arc<Node>>) {
        match new {
            Some(node) => {
                let (index, events) = self.snapshot.set_node(Arc::clone(node));
                self.helped(index, events);
            }
            None => {
                if let Some(row) = self.snapshot.find(key.name()) {
                    let index = row.index();
                    self.helped(index, ClusterEvents::NODE_REMOVED);
                }
                self.snapshot.remove_node(key.name());
            }
        }
    }

    /// Takes note of a namespace that came, changed or went.
    pub fn namespace_changed(&mut self, key: &Key, new: Option<&Arc<Namespace>>) {
        let labels = new.map(|namespace| namespace.labels.clone());
        if self.snapshot.set_namespace(key.name(), labels) {
            self.events = self.events.union(ClusterEvents::NAMESPACE_LABELS);
        }
    }

    /// Takes note of a disruption budget.
    pub fn budget_changed(&mut self, key: &Key, new: Option<&Arc<Budget>>) {
        match new {
            Some(budget) => self.budgets.insert(key.clone(), Arc::clone(budget)),
            None => self.budgets.remove(key),
        };
    }

    /// Takes note of a change of claims, volumes, classes or drivers.
    pub fn storage_changed(&mut self, change: impl FnOnce(&mut Storage)) {
        change(self.snapshot.storage_mut());
        self.events = self.events.union(ClusterEvents::STORAGE);
    }

    /// Takes note of a pod that came, changed or went. `old` is what was noted of it before.
    pub fn pod_changed(&mut self, key: &Key, old: Option<&Pod>, new: Option<&Arc<Pod>>, now: Duration) {
        let waits = new
            .and_then(|pod| pod.unbound())
            .filter(|unbound| self.is_ours(unbound));
        match (new, waits) {
            (Some(pod), Some(unbound)) => {
                self.queue.put(key, pod, unbound, now);
                self.nominate_as_told(key, unbound);
            }
            _ => {
                self.queue.remove(key);
                self.nominees.remove(key);
                self.awaiting.remove(key);
            }
        }
        if new.is_none_or(|pod| pod.load().is_none_or(|load| load.identity.is_deleting)) {
            self.leaving.remove(key);
        }
        // An assumed pod that still waits goes on being assumed; once it waits no more, the cache knows better.
        let assumed = if waits.is_some() {
            None
        } else {
            self.assumed.remove(key)
        };
        let before = match &assumed {
            Some(Assumed { node, class, .. }) => Some((&**node, &class.load)),
            None => old.and_then(Pod::bound),
        };
        let after = new.and_then(|pod| pod.bound());
        if let (Some((node, _)), Some(pod)) = (after, new) {
            self.tenants.put(node, key, pod);
        }
        if let Some((node, _)) = before
            && after.is_none_or(|(after, _)| after != node)
        {
            self.tenants.remove(node, key);
        }
        if before == after {
            return;
        }
        if let Some((node, load)) = after {
            self.snapshot.add(node, load);
            self.touch(&load.identity, ClusterEvents::POD_ADDED);
        }
        if let Some((node, load)) = before {
            let identity = Arc::clone(&load.identity);
            let index = self.snapshot.remove(node, load);
            self.helped(index, ClusterEvents::POD_REMOVED);
            self.touch(&identity, ClusterEvents::POD_REMOVED);
        }
    }

    /// A binding was refused for good: the pod gives back what it was assumed to take, and is tried again later.
    pub fn refused(&mut self, key: &Key, uid: &str, now: Duration) {
        if self.assumed.get(key).is_none_or(|assumed| *assumed.uid != *uid) {
            // The pod is gone, or another of the same name has come.
            return;
        }
        self.awaiting.remove(key);
        if let Some(Assumed { node, class, .. }) = self.assumed.remove(key) {
            self.tenants.remove(&node, key);
            let index = self.snapshot.remove(&node, &class.load);
            self.release_volumes(&class);
            self.helped(index, ClusterEvents::POD_REMOVED);
            self.touch(&class.load.identity, ClusterEvents::POD_REMOVED);
        }
        self.queue.back_off(key, now);
    }

    /// The reason of a [`Verdict::Tell`] could not be told, because the pod has changed: it is told again.
    pub fn untold(&mut self, key: &Key, uid: &str, now: Duration) {
        if self
            .queue
            .get(key)
            .is_some_and(|waiting| *waiting.pod.uid == *uid)
        {
            self.queue.untold(key, now);
        }
    }

    /// A victim could not be told to go: whoever waits for its place looks again.
    pub fn stayed(&mut self, victim: &Key) {
        self.leaving.remove(victim);
    }

    /// When [`Scheduler::schedule`] may next have something to do; `None` until something changes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.queue.has_active() || !self.events.is_empty() {
            return Some(Duration::ZERO);
        }
        let volumes = self.awaiting.values().map(volumes::Awaiting::deadline).min();
        self.queue.next_deadline().into_iter().chain(volumes).min()
    }

    fn is_ours(&self, unbound: &Unbound) -> bool {
        self.cycles.get(&unbound.scheduler_name).is_some_and(|cycle| {
            !unbound.is_deleting && cycle.profile().gates.iter().all(|gate| gate.admits(unbound))
        })
    }

    /// What its status says of a pod that this scheduler knows no better, because another was leader before.
    fn nominate_as_told(&mut self, key: &Key, unbound: &Unbound) {
        if !unbound.nominated_node.is_empty() && !self.nominees.contains_key(key) {
            let nominee = Nominee {
                node: (*unbound.nominated_node).into(),
                class: unbound.class.clone(),
                priority: unbound.priority,
            };
            self.nominees.insert(key.clone(), nominee);
        }
    }

    fn helped(&mut self, index: NodeIndex, events: ClusterEvents) {
        if !events.is_empty() {
            self.events = self.events.union(events);
            self.helpful_rows.insert(index);
        }
    }

    fn touch(&mut self, identity: &Arc<Identity>, event: ClusterEvents) {
        if self.touched.note(identity) {
            self.events = self.events.union(event);
        }
    }
}
