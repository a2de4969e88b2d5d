//! The scheduler without its environment: changes of pods and nodes in, decisions out.
//!
//! It owns the snapshot, the queue and the decision cycle, and the books on *assumed* pods: those that were given a
//! node and whose binding the cache does not show yet. An assumed pod takes its resources from the moment of the
//! decision until the cache shows the pod bound (then the pod itself counts) or gone, or the binding was refused.
//! So a node is never promised twice, whatever is under way.
//!
//! Everything is synchronous and a function of the calls so far; `run` adds caches, time and writes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use coracle_runtime::Key;

use crate::{
    cycle::{Cycle, Decision},
    framework::{ClusterEvents, Profile},
    projection::{Node, Pod, Unbound},
    queue::{self, Queue},
    requirements::Class,
    snapshot::{NodeIndex, Snapshot},
};

#[cfg(test)]
mod tests;

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
    /// Tell people that no node will do. Only told when the reason is news.
    Tell(Arc<str>),
}

/// A pod that was given a node.
struct Assumed {
    uid: Box<str>,
    node: Arc<str>,
    class: Class,
}

/// Pods and nodes, and what is to become of the pods.
pub struct Scheduler {
    name: Box<str>,
    snapshot: Snapshot,
    queue: Queue,
    cycle: Cycle,
    assumed: HashMap<Key, Assumed>,
    /// What happened since the last decision that could help unschedulable pods, and on which nodes.
    events: ClusterEvents,
    helpful_rows: BTreeSet<NodeIndex>,
}

impl Scheduler {
    /// Schedules the pods whose spec.schedulerName is `name`.
    #[must_use]
    pub fn new(name: &str, profile: Profile, limits: queue::Limits) -> Self {
        Self {
            name: name.into(),
            snapshot: Snapshot::new(),
            queue: Queue::new(limits),
            cycle: Cycle::new(profile),
            assumed: HashMap::new(),
            events: ClusterEvents::default(),
            helpful_rows: BTreeSet::new(),
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
            None => self.snapshot.remove_node(key.name()),
        }
    }

    /// Takes note of a pod that came, changed or went. `old` is what was noted of it before.
    pub fn pod_changed(&mut self, key: &Key, old: Option<&Pod>, new: Option<&Arc<Pod>>, now: Duration) {
        let waits = new
            .and_then(|pod| pod.unbound())
            .filter(|unbound| self.is_ours(unbound));
        match (new, waits) {
            (Some(pod), Some(unbound)) => self.queue.put(key, pod, unbound, now),
            _ => self.queue.remove(key),
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
        if before == after {
            return;
        }
        if let Some((node, load)) = after {
            self.snapshot.add(node, load);
        }
        if let Some((node, load)) = before {
            let index = self.snapshot.remove(node, load);
            self.helped(index, ClusterEvents::POD_REMOVED);
        }
    }

    /// Decides for at most `limit` pods. Pods that get a node are assumed from here on.
    pub fn schedule(&mut self, now: Duration, limit: usize) -> Vec<Outcome> {
        self.help(now);
        self.queue.advance(now);
        let mut outcomes = Vec::new();
        for _ in 0..limit {
            let Some((key, waiting)) = self.queue.take() else {
                break;
            };
            let (pod, class) = (Arc::clone(&waiting.pod), waiting.class.clone());
            let verdict = match self.cycle.decide(&class, &self.snapshot) {
                Decision::Node(index) => Some(Verdict::Bind(self.assume(&key, &pod, class, index))),
                Decision::Unschedulable(diagnosis) => {
                    let is_news =
                        self.queue
                            .unschedulable(&key, diagnosis.helped_by, &diagnosis.message, now);
                    is_news.then(|| Verdict::Tell(Arc::clone(&diagnosis.message)))
                }
            };
            outcomes.extend(verdict.map(|verdict| Outcome { key, pod, verdict }));
        }
        outcomes
    }

    /// A binding was refused for good: the pod gives back what it was assumed to take, and is tried again later.
    pub fn refused(&mut self, key: &Key, uid: &str, now: Duration) {
        if self.assumed.get(key).is_none_or(|assumed| *assumed.uid != *uid) {
            // The pod is gone, or another of the same name has come.
            return;
        }
        if let Some(Assumed { node, class, .. }) = self.assumed.remove(key) {
            let index = self.snapshot.remove(&node, &class.load);
            self.helped(index, ClusterEvents::POD_REMOVED);
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

    /// When [`Scheduler::schedule`] may next have something to do; `None` until something changes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.queue.has_active() || !self.events.is_empty() {
            return Some(Duration::ZERO);
        }
        self.queue.next_deadline()
    }

    fn is_ours(&self, unbound: &Unbound) -> bool {
        unbound.scheduler_name == self.name && !unbound.is_gated && !unbound.is_deleting
    }

    fn assume(&mut self, key: &Key, pod: &Pod, class: Class, index: NodeIndex) -> Arc<str> {
        let Some(row) = self.snapshot.row(index) else {
            unreachable!("only nodes that exist are decided for");
        };
        let node = Arc::clone(&row.node().name);
        self.snapshot.add(&node, &class.load);
        let assumed = Assumed {
            uid: pod.uid.clone(),
            node: Arc::clone(&node),
            class,
        };
        self.assumed.insert(key.clone(), assumed);
        node
    }

    fn helped(&mut self, index: NodeIndex, events: ClusterEvents) {
        if !events.is_empty() {
            self.events = self.events.union(events);
            self.helpful_rows.insert(index);
        }
    }

    /// Wakes unschedulable pods that one of the changed nodes would now admit.
    fn help(&mut self, now: Duration) {
        if self.events.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.helpful_rows);
        let events = std::mem::take(&mut self.events);
        let Self {
            queue,
            cycle,
            snapshot,
            ..
        } = self;
        queue.help(events, now, |class| {
            rows.iter().any(|index| cycle.admits(class, snapshot, *index))
        });
    }
}
