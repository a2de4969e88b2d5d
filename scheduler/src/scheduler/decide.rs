//! What becomes of the pod that is next: a node, volumes to be made ready, victims, or the reason for none of these.

use std::{sync::Arc, time::Duration};

use coracle_runtime::Key;

use super::{Assumed, Nomination, Nominee, Outcome, Scheduler, Verdict, volumes::Awaiting};
use crate::{
    cycle::{Cycle, Decision, Nominated, suppose_all},
    diagnosis::Diagnosis,
    plugins::volume_binding,
    preemption::{self, Surroundings},
    projection::{Pod, Unbound},
    requirements::Class,
    snapshot::{NodeIndex, Snapshot},
};

impl Scheduler {
    /// Decides for at most `limit` pods. Pods that get a node are assumed from here on.
    pub fn schedule(&mut self, now: Duration, limit: usize) -> Vec<Outcome> {
        let mut outcomes = self.look_after_volumes(now);
        self.help(now);
        self.queue.advance(now);
        for _ in 0..limit {
            let Some((key, waiting)) = self.queue.take() else {
                break;
            };
            let (pod, class) = (Arc::clone(&waiting.pod), waiting.class.clone());
            let Some(unbound) = pod.unbound() else { continue };
            let verdict = self.decide(&key, &pod, unbound, &class, now);
            outcomes.extend(verdict.map(|verdict| Outcome { key, pod, verdict }));
        }
        outcomes
    }

    fn decide(
        &mut self,
        key: &Key,
        pod: &Arc<Pod>,
        unbound: &Unbound,
        class: &Class,
        now: Duration,
    ) -> Option<Verdict> {
        let nominated = self.nominated_before(key, unbound.priority);
        let cleared = self.nominees.get(key).map(|nominee| Arc::clone(&nominee.node));
        let Self { cycles, snapshot, .. } = self;
        let Some(cycle) = cycles.get_mut(&unbound.scheduler_name) else {
            unreachable!("only pods of a profile enter the queue");
        };
        let on_cleared = cleared.and_then(|node| cleared_node(&node, cycle, class, &nominated, snapshot));
        let decision = on_cleared.map_or_else(
            || cycle.decide_beside(class, &nominated, snapshot),
            Decision::Node,
        );
        match decision {
            Decision::Node(index) => Some(self.reserve(key, pod, class, index, now)),
            Decision::Unschedulable(diagnosis) => {
                self.post_filter(key, unbound, class, &diagnosis, &nominated, now)
            }
        }
    }

    /// Nodes that are being cleared for others who come first.
    fn nominated_before(&self, key: &Key, priority: i32) -> Vec<Nominated> {
        let others = self.nominees.iter();
        others
            .filter(|(other, nominee)| *other != key && nominee.priority >= priority)
            .map(|(_, nominee)| Nominated {
                node: Arc::clone(&nominee.node),
                class: nominee.class.clone(),
            })
            .collect()
    }

    /// The pod takes its node from now on, volumes included.
    fn reserve(
        &mut self,
        key: &Key,
        pod: &Arc<Pod>,
        class: &Class,
        index: NodeIndex,
        now: Duration,
    ) -> Verdict {
        let Some(row) = self.snapshot.row(index) else {
            unreachable!("only nodes that exist are decided for");
        };
        let node = Arc::clone(&row.node().name);
        let storage = self.snapshot.storage();
        let waiting = volume_binding::waiting(&class.load, storage);
        let steps = volume_binding::plan(&waiting, row.node(), storage).unwrap_or_default();
        self.snapshot.add(&node, &class.load);
        self.tenants.put(&node, key, pod);
        self.nominees.remove(key);
        let assumed = Assumed {
            uid: pod.uid.clone(),
            node: Arc::clone(&node),
            class: class.clone(),
        };
        self.assumed.insert(key.clone(), assumed);
        // Whoever wants to be near this pod may now be placed.
        self.touch(&class.load.identity, crate::framework::ClusterEvents::POD_ADDED);
        if steps.is_empty() {
            return Verdict::Bind(node);
        }
        self.assume_volumes(&steps);
        let awaiting = Awaiting::new(pod, &node, &waiting, now);
        self.awaiting.insert(key.clone(), awaiting);
        Verdict::Prepare(node, steps)
    }

    /// No node will do: whether removing others would help, and what people are told.
    fn post_filter(
        &mut self,
        key: &Key,
        unbound: &Unbound,
        class: &Class,
        diagnosis: &Diagnosis,
        nominated: &[Nominated],
        now: Duration,
    ) -> Option<Verdict> {
        let outcome = self.preempt(key, unbound, diagnosis, nominated);
        if let Some(preemption::Outcome::Node(node, victims)) = outcome {
            let message = Arc::clone(&diagnosis.message);
            self.queue.unschedulable(key, diagnosis.helped_by, &message, now);
            self.leaving
                .extend(victims.iter().map(|victim| victim.key.clone()));
            self.displace(&node, unbound.priority, now);
            let nominee = Nominee {
                node: Arc::clone(&node),
                class: class.clone(),
                priority: unbound.priority,
            };
            self.nominees.insert(key.clone(), nominee);
            return Some(Verdict::Preempt {
                message,
                node,
                victims,
            });
        }
        let mut nomination = Nomination::Keep;
        let message = match outcome {
            Some(preemption::Outcome::None(why)) => {
                if !self.is_cleared_for(key, unbound) && self.nominees.remove(key).is_some() {
                    nomination = Nomination::Clear;
                }
                format!("{} preemption: {why}", diagnosis.message).into()
            }
            _ => Arc::clone(&diagnosis.message),
        };
        let is_news = self.queue.unschedulable(key, diagnosis.helped_by, &message, now);
        (is_news || nomination == Nomination::Clear).then_some(Verdict::Tell(message, nomination))
    }

    /// Tries to make room; `None` where the profile does not, or where there is no node at all.
    fn preempt(
        &mut self,
        key: &Key,
        unbound: &Unbound,
        diagnosis: &Diagnosis,
        nominated: &[Nominated],
    ) -> Option<preemption::Outcome> {
        let is_cleared = self.is_cleared_for(key, unbound);
        let Self {
            cycles,
            snapshot,
            tenants,
            budgets,
            ..
        } = self;
        let cycle = cycles.get(&unbound.scheduler_name)?;
        let limits = cycle.profile().preemption.filter(|_| !snapshot.is_empty())?;
        if is_cleared && !unbound.never_preempts {
            let why = "not eligible due to a terminating pod on the nominated node.";
            return Some(preemption::Outcome::None(why.to_owned()));
        }
        let around = Surroundings {
            cycle,
            tenants,
            budgets,
            nominated,
        };
        Some(preemption::attempt(limits, unbound, diagnosis, &around, snapshot))
    }

    /// Whether pods of lower priority are on their way out of the node that was cleared for the pod.
    fn is_cleared_for(&self, key: &Key, unbound: &Unbound) -> bool {
        let Some(nominee) = self.nominees.get(key) else {
            return false;
        };
        let mut tenants = self.tenants.on(&nominee.node);
        tenants.any(|(tenant, pod)| {
            let is_deleting = || pod.load().is_some_and(|load| load.identity.is_deleting);
            pod.priority() < unbound.priority && (is_deleting() || self.leaving.contains(tenant))
        })
    }

    /// Pods of lower priority that hoped for a node do so no more.
    fn displace(&mut self, node: &str, priority: i32, now: Duration) {
        let lower = (self.nominees.iter())
            .filter(|(_, nominee)| *nominee.node == *node && nominee.priority < priority);
        let lower: Vec<Key> = lower.map(|(key, _)| key.clone()).collect();
        for key in lower {
            self.nominees.remove(&key);
            self.queue.retry(&key, now);
        }
    }
}

/// The node that was cleared for the pod, if it will do by now.
fn cleared_node(
    node: &str,
    cycle: &Cycle,
    class: &Class,
    nominated: &[Nominated],
    snapshot: &mut Snapshot,
) -> Option<NodeIndex> {
    let index = snapshot.find(node)?.index();
    snapshot.prepare(class);
    let promised: Vec<&Nominated> = nominated.iter().filter(|other| *other.node == *node).collect();
    let admits = cycle.admits_now(class, snapshot, index)
        && (promised.is_empty()
            || suppose_all(&promised, snapshot, |snapshot| {
                cycle.admits_now(class, snapshot, index)
            }));
    admits.then_some(index)
}
