//! The post-filter phase: makes room for a pod that no node admits by removing pods of lower priority.
//!
//! Upstream's DefaultPreemption, in its order. On each node where fewer pods could help, all pods of lower priority are
//! taken away; if the pod then fits, as many as possible are given back, those under a disruption budget first and the
//! more important before the less. Of the nodes found, the one whose victims cost least is chosen. Everything is tried
//! on the snapshot itself, which ends as it began.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use coracle_runtime::Key;

use crate::{
    cycle::{Cycle, Nominated},
    diagnosis::{Diagnosis, histogram},
    projection::{Budget, Pod, Unbound},
    snapshot::{NodeIndex, Snapshot},
    tenants::Tenants,
};

#[cfg(test)]
mod tests;

/// Upstream's plugin of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultPreemption {
    /// The least share of the nodes, in percent, that is searched for candidates.
    pub min_candidate_nodes_percentage: usize,
    /// The least number of candidates that is searched for.
    pub min_candidate_nodes_absolute: usize,
}

impl Default for DefaultPreemption {
    fn default() -> Self {
        Self {
            min_candidate_nodes_percentage: 10,
            min_candidate_nodes_absolute: 100,
        }
    }
}

/// A pod that has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Which pod.
    pub key: Key,
    /// As it was.
    pub pod: Arc<Pod>,
}

/// What preemption came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The victims leave this node, and the pod gets it.
    Node(Arc<str>, Vec<Victim>),
    /// It would not help, and why.
    None(String),
}

/// What preemption looks at beside the snapshot.
pub struct Surroundings<'a> {
    /// Asks whether a node would admit the pod.
    pub cycle: &'a Cycle,
    /// Who is where.
    pub tenants: &'a Tenants,
    /// What protects pods.
    pub budgets: &'a BTreeMap<Key, Arc<Budget>>,
    /// For whom nodes are being cleared already, where they come before the pod.
    pub nominated: &'a [Nominated],
}

/// A node that can be cleared.
struct Candidate {
    node: Arc<str>,
    victims: Vec<Victim>,
    violations: usize,
}

/// In the order of upstream's criteria; the least is chosen.
type Cost = (usize, i32, i64, usize, Reverse<Box<str>>);

impl Candidate {
    /// Fewest violations, then the least important first victim, the least sum of priorities, the fewest victims,
    /// and the most important victims having started last.
    fn cost(&self) -> Cost {
        let priorities = || self.victims.iter().map(|victim| victim.pod.priority());
        let highest = priorities().max().unwrap_or(i32::MIN);
        // Shifted, so that a few pods of negative priority are not cheaper than one.
        let sum = priorities()
            .map(|priority| i64::from(priority) - i64::from(i32::MIN) + 1)
            .sum();
        let top = self
            .victims
            .iter()
            .filter(|victim| victim.pod.priority() == highest);
        let earliest = top.map(|victim| started(&victim.pod)).min().unwrap_or_default();
        (
            self.violations,
            highest,
            sum,
            self.victims.len(),
            Reverse(earliest.into()),
        )
    }
}

/// Tries to make room for a pod for which the diagnosis says that no node admits it.
pub fn attempt(
    limits: DefaultPreemption,
    pod: &Unbound,
    diagnosis: &Diagnosis,
    around: &Surroundings<'_>,
    snapshot: &mut Snapshot,
) -> Outcome {
    if pod.never_preempts {
        return Outcome::None("not eligible due to preemptionPolicy=Never.".to_owned());
    }
    let nodes = snapshot.len();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let unhelpful = nodes.saturating_sub(diagnosis.resolvable.len());
    if unhelpful > 0 {
        counts.insert("Preemption is not helpful for scheduling".to_owned(), unhelpful);
    }
    let wanted = (nodes * limits.min_candidate_nodes_percentage / 100)
        .max(limits.min_candidate_nodes_absolute)
        .min(nodes);
    let mut candidates: Vec<Candidate> = Vec::new();
    // Cheap ones are enough; one that violates a budget is only taken for want of better.
    // Upstream begins anywhere; going round spares the nodes that were just promised to others.
    let (before, after) = diagnosis
        .resolvable
        .split_at(around.cycle.turn(diagnosis.resolvable.len()));
    for index in after.iter().chain(before) {
        match search(pod, *index, around, snapshot) {
            Ok(candidate) => candidates.push(candidate),
            Err(reasons) => reasons
                .into_iter()
                .for_each(|reason| *counts.entry(reason).or_default() += 1),
        }
        if candidates.len() >= wanted && candidates.iter().any(|candidate| candidate.violations == 0) {
            break;
        }
    }
    match candidates.into_iter().min_by_key(Candidate::cost) {
        Some(Candidate { node, victims, .. }) => Outcome::Node(node, victims),
        None => {
            let counts = counts.iter().map(|(reason, count)| (&**reason, *count));
            Outcome::None(histogram(nodes, &counts.collect()))
        }
    }
}

/// The victims on one node, or why none would help.
fn search(
    pod: &Unbound,
    index: NodeIndex,
    around: &Surroundings<'_>,
    snapshot: &mut Snapshot,
) -> Result<Candidate, Vec<String>> {
    const NO_VICTIMS: &str = "No preemption victims found for incoming pod";
    let Some(node) = snapshot.row(index).map(|row| Arc::clone(&row.node().name)) else {
        return Err(vec![NO_VICTIMS.to_owned()]);
    };
    if !around.tenants.has_below(pod.priority) {
        return Err(vec![NO_VICTIMS.to_owned()]);
    }
    let mut lower: Vec<Victim> = (around.tenants.on(&node))
        .filter(|(_, tenant)| tenant.priority() < pod.priority)
        .map(|(key, tenant)| Victim {
            key: key.clone(),
            pod: Arc::clone(tenant),
        })
        .collect();
    if lower.is_empty() {
        return Err(vec![NO_VICTIMS.to_owned()]);
    }
    // The more important first, the longer running first among equals.
    lower.sort_by(|one, other| {
        let importance = |victim: &Victim| (Reverse(victim.pod.priority()), started(&victim.pod).to_owned());
        importance(one).cmp(&importance(other))
    });
    let promised: Vec<&Nominated> = (around.nominated.iter())
        .filter(|nominated| nominated.node == node)
        .collect();
    let loads: Vec<_> = lower.iter().filter_map(|victim| victim.pod.load()).collect();
    let change = |snapshot: &mut Snapshot, is_made| {
        for load in &loads {
            if is_made {
                snapshot.remove(&node, load);
            } else {
                snapshot.add(&node, load);
            }
        }
        for Nominated { class, .. } in &promised {
            if is_made {
                snapshot.add(&node, &class.load);
            } else {
                snapshot.remove(&node, &class.load);
            }
        }
    };
    let found = snapshot.suppose(change, |snapshot| {
        reprieve(pod, index, &node, &lower, around, snapshot)
    });
    let (victims, violations) = found?;
    if victims.is_empty() {
        return Err(vec![NO_VICTIMS.to_owned()]);
    }
    Ok(Candidate {
        node,
        victims,
        violations,
    })
}

/// With all pods of lower priority gone: gives back as many as leave room for the pod.
fn reprieve(
    pod: &Unbound,
    index: NodeIndex,
    node: &str,
    lower: &[Victim],
    around: &Surroundings<'_>,
    snapshot: &mut Snapshot,
) -> Result<(Vec<Victim>, usize), Vec<String>> {
    if !around.cycle.admits_now(&pod.class, snapshot, index) {
        return Err(around.cycle.reasons_now(&pod.class, snapshot, index));
    }
    let (violating, others) = by_budget(lower, around.budgets);
    let mut victims = Vec::new();
    let mut kept = Vec::new();
    let mut violations = 0;
    for (victim, is_violating) in (violating.into_iter().map(|victim| (victim, true)))
        .chain(others.into_iter().map(|victim| (victim, false)))
    {
        let Some(load) = victim.pod.load() else { continue };
        snapshot.add(node, load);
        if around.cycle.admits_now(&pod.class, snapshot, index) {
            kept.push(load);
        } else {
            snapshot.remove(node, load);
            victims.push(victim.clone());
            violations += usize::from(is_violating);
        }
    }
    // Whoever supposed them gone gives them back itself.
    kept.into_iter().for_each(|load| {
        snapshot.remove(node, load);
    });
    Ok((victims, violations))
}

/// Pods whose removal would break a disruption budget, and the others.
fn by_budget<'v>(
    lower: &'v [Victim],
    budgets: &BTreeMap<Key, Arc<Budget>>,
) -> (Vec<&'v Victim>, Vec<&'v Victim>) {
    let mut left: Vec<(&Budget, i64)> = (budgets.values())
        .map(|budget| (&**budget, budget.allowed))
        .collect();
    lower.iter().partition(|victim| {
        let Some(load) = victim.pod.load() else {
            return false;
        };
        let mut is_violating = false;
        for (budget, allowed) in &mut left {
            if budget.namespace != load.identity.namespace
                || budget.selector.is_everything()
                || !budget.selector.matches(&*load.identity.labels)
                || budget.disrupted.iter().any(|name| **name == *victim.key.name())
            {
                continue;
            }
            *allowed -= 1;
            is_violating |= *allowed < 0;
        }
        is_violating
    })
}

/// When a pod started; one that has not started yet comes last.
fn started(pod: &Pod) -> &str {
    const NEVER: &str = "~";
    match &pod.state {
        crate::projection::State::Bound { started, .. } if !started.is_empty() => started,
        _ => NEVER,
    }
}
