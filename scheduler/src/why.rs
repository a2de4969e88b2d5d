//! Why a pod is not scheduled: what every plugin says of every node, and the smallest changes that would let it fit.
//!
//! Each change is tried on the snapshot by the same decision that the scheduler takes, before it is proposed. Nothing is
//! left changed.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use crate::{
    cycle::{Cycle, Decision},
    framework::Candidate,
    projection::Node,
    requirements::{Class, Effect, HOSTNAME, Requirements, Taint, Toleration},
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

mod load;
#[cfg(test)]
mod tests;

pub use load::{READ_TIMEOUT, read};

/// Nodes whose taints, or whose likeness, are tried as a change, at most; nodes that look the same count once.
const TRIED_MAX: usize = 64;

/// What a plugin says of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Upstream's name of the plugin.
    pub plugin: &'static str,
    /// Why it does not admit the pod there; empty where it does.
    pub reasons: Vec<String>,
}

/// What all plugins say of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfNode {
    /// metadata.name
    pub node: String,
    /// In the order in which they are asked.
    pub answers: Vec<Answer>,
}

/// A change that was tried and would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In words, as an imperative.
    pub change: String,
    /// The node that the pod would then get.
    pub node: String,
}

/// Everything there is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Where the pod stands, or upstream's sentence.
    pub message: String,
    /// The node that the pod would get now.
    pub node: Option<String>,
    /// A row a node, by name.
    pub nodes: Vec<OfNode>,
    /// Changes that would let it fit.
    pub changes: Vec<Change>,
}

/// Explains what becomes of pods of a class.
pub fn explain(class: &Class, cycle: &mut Cycle, snapshot: &mut Snapshot) -> Explanation {
    let decision = cycle.decide(class, snapshot);
    let nodes = matrix(class, cycle, snapshot);
    match decision {
        Decision::Node(index) => {
            let node = name(snapshot, index);
            Explanation {
                message: format!("{node} admits it, and is the best of those that do"),
                node: Some(node),
                nodes,
                changes: Vec::new(),
            }
        }
        Decision::Unschedulable(diagnosis) => Explanation {
            message: diagnosis.message.to_string(),
            node: None,
            nodes,
            changes: changes(class, cycle, snapshot),
        },
    }
}

fn name(snapshot: &Snapshot, index: NodeIndex) -> String {
    snapshot
        .row(index)
        .map(|row| row.node().name.to_string())
        .unwrap_or_default()
}

/// What every plugin says of every node, those after the first refusal included.
fn matrix(class: &Class, cycle: &Cycle, snapshot: &Snapshot) -> Vec<OfNode> {
    let profile = cycle.profile();
    let prepared = Candidate::prepare(class, profile.filters_for(class), snapshot);
    let ask = |row: NodeRow<'_>| {
        let answers = match &prepared {
            Err(rejection) => vec![Answer {
                plugin: rejection.plugin,
                reasons: vec![rejection.message.clone()],
            }],
            Ok((candidate, filters)) => (filters.iter())
                .map(|filter| Answer {
                    plugin: filter.name(),
                    reasons: filter.reasons(candidate, row),
                })
                .collect(),
        };
        OfNode {
            node: row.node().name.to_string(),
            answers,
        }
    };
    let mut nodes: Vec<OfNode> = snapshot.iter().map(ask).collect();
    nodes.sort_by(|one, other| one.node.cmp(&other.node));
    nodes
}

/// Every kind of change that would do by itself.
fn changes(class: &Class, cycle: &mut Cycle, snapshot: &mut Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(less(class, cycle, snapshot));
    changes.extend(tolerate(class, cycle, snapshot));
    changes.extend(uncordon(class, cycle, snapshot));
    for (what, without) in wishes() {
        let mut asks_less = Requirements::clone(class);
        without(&mut asks_less);
        if asks_less != **class {
            changes.extend(attempt(what.to_owned(), asks_less, cycle, snapshot));
        }
    }
    changes.extend(one_more_node(class, cycle, snapshot));
    changes
}

/// Tries the pod with other requirements.
fn attempt(
    change: String,
    requirements: Requirements,
    cycle: &mut Cycle,
    snapshot: &mut Snapshot,
) -> Option<Change> {
    match cycle.decide(&Class::new(requirements), snapshot) {
        Decision::Node(index) => Some(Change {
            change,
            node: name(snapshot, index),
        }),
        Decision::Unschedulable(_) => None,
    }
}

/// A wish that a pod can give up, and how it does so.
type Wish = (&'static str, fn(&mut Requirements));

/// Wishes that a pod can give up.
fn wishes() -> [Wish; 6] {
    [
        ("remove the node selector", |pod| {
            pod.node_selector = Box::default()
        }),
        ("remove the required node affinity", |pod| {
            pod.required_terms = None
        }),
        ("remove the host ports", |pod| {
            pod.load.host_ports = Box::default()
        }),
        ("remove the hard topology spread constraints", |pod| {
            pod.spread = pod.spread.iter().filter(|one| !one.is_hard).cloned().collect();
        }),
        ("remove the required pod affinity", |pod| {
            without_terms(pod, |terms| terms.affinity.clear());
        }),
        ("remove the required pod anti-affinity", |pod| {
            without_terms(pod, |terms| terms.anti_affinity.clear());
        }),
    ]
}

fn without_terms(pod: &mut Requirements, clear: impl FnOnce(&mut crate::requirements::PodTerms)) {
    let identity = Arc::make_mut(&mut pod.load.identity);
    if let Some(terms) = &mut identity.terms {
        clear(terms);
    }
}

/// Requests cut to what is free on the node where least must be cut.
fn less(class: &Class, cycle: &mut Cycle, snapshot: &mut Snapshot) -> Option<Change> {
    let requests = &class.load.requests;
    let mut cuts: Vec<(f64, i64, i64)> = Vec::new();
    for row in snapshot.iter() {
        let cut = |wanted: i64, free: i64| wanted.min(free.max(0));
        let cpu = cut(requests.cpu_milli, row.cpu_milli().free());
        let memory = cut(requests.memory_bytes, row.memory_bytes().free());
        let share = |kept: i64, wanted: i64| {
            if wanted == 0 {
                0.0
            } else {
                1.0 - kept as f64 / wanted as f64
            }
        };
        let lost = share(cpu, requests.cpu_milli) + share(memory, requests.memory_bytes);
        if lost > 0.0 {
            cuts.push((lost, cpu, memory));
        }
    }
    cuts.sort_by(|one, other| one.0.total_cmp(&other.0));
    cuts.dedup();
    for (_, cpu, memory) in cuts.into_iter().take(TRIED_MAX) {
        let mut asks_less = Requirements::clone(class);
        let mut texts = Vec::new();
        let requests = &mut asks_less.load.requests;
        if cpu < requests.cpu_milli {
            texts.push(format!("{cpu}m cpu instead of {}m", requests.cpu_milli));
            (requests.cpu_milli, requests.nonzero_cpu_milli) = (cpu, cpu);
        }
        if memory < requests.memory_bytes {
            let mebibytes = |bytes: i64| bytes >> 20;
            let now = mebibytes(requests.memory_bytes);
            texts.push(format!("{}Mi memory instead of {now}Mi", mebibytes(memory)));
            let whole = mebibytes(memory) << 20;
            (requests.memory_bytes, requests.nonzero_memory_bytes) = (whole, whole);
        }
        let change = format!("request {}", texts.join(" and "));
        if let Some(change) = attempt(change, asks_less, cycle, snapshot) {
            return Some(change);
        }
    }
    None
}

/// Tolerations for the taints of one node, as few as will do.
fn tolerate(class: &Class, cycle: &mut Cycle, snapshot: &mut Snapshot) -> Option<Change> {
    let mut sets: BTreeSet<(usize, Vec<Taint>)> = BTreeSet::new();
    for row in snapshot.iter() {
        let hard = row.node().taints.iter().filter(|taint| {
            taint.effect != Effect::PreferNoSchedule && !taint.is_tolerated(&class.tolerations)
        });
        let taints: Vec<Taint> = hard.cloned().collect();
        if !taints.is_empty() && sets.len() < TRIED_MAX {
            sets.insert((taints.len(), taints));
        }
    }
    for (_, taints) in sets {
        let mut tolerant = Requirements::clone(class);
        let new = taints.iter().map(|taint| Toleration {
            key: taint.key.clone(),
            value: Some(taint.value.clone()),
            effect: Some(taint.effect),
        });
        tolerant.tolerations = class.tolerations.iter().cloned().chain(new).collect();
        let text = |taint: &Taint| match &*taint.value {
            "" => format!("{}:{:?}", taint.key, taint.effect),
            value => format!("{}={value}:{:?}", taint.key, taint.effect),
        };
        let texts: Vec<String> = taints.iter().map(text).collect();
        let change = format!("tolerate {}", texts.join(" and "));
        if let Some(change) = attempt(change, tolerant, cycle, snapshot) {
            return Some(change);
        }
    }
    None
}

/// A cordoned node given back.
fn uncordon(class: &Class, cycle: &mut Cycle, snapshot: &mut Snapshot) -> Option<Change> {
    let cordoned = snapshot.iter().filter(|row| row.node().is_unschedulable);
    let cordoned: Vec<Node> = cordoned.map(|row| row.node().clone()).take(TRIED_MAX).collect();
    for node in cordoned {
        let mut open = node.clone();
        open.is_unschedulable = false;
        snapshot.set_node(Arc::new(open));
        let change = format!("uncordon {}", node.name);
        let found = attempt(change, Requirements::clone(class), cycle, snapshot);
        snapshot.set_node(Arc::new(node));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A node like one that is there, without pods.
fn one_more_node(class: &Class, cycle: &mut Cycle, snapshot: &mut Snapshot) -> Option<Change> {
    const NAME: &str = "a-new-node";
    let mut seen: Vec<Node> = Vec::new();
    for row in snapshot.iter() {
        let mut like = row.node().clone();
        like.name = NAME.into();
        for (key, value) in &mut like.labels {
            if &**key == HOSTNAME {
                *value = NAME.into();
            }
        }
        if seen.len() < TRIED_MAX && !seen.contains(&like) && snapshot.find(NAME).is_none() {
            seen.push(like);
        }
    }
    let models: Vec<String> = seen
        .iter()
        .map(|like| {
            let model = snapshot
                .iter()
                .find(|row| row.node().allocatable == like.allocatable);
            model.map(|row| row.node().name.to_string()).unwrap_or_default()
        })
        .collect();
    for (like, model) in seen.into_iter().zip(models) {
        snapshot.set_node(Arc::new(like));
        let change = format!("add a node like {model}");
        let found = attempt(change, Requirements::clone(class), cycle, snapshot);
        snapshot.remove_node(NAME);
        if found.is_some() {
            return found;
        }
    }
    None
}
