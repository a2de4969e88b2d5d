//! The scheduler alone, measured: pods decided per second on a made-up cluster, with nothing written.
//!
//! Everything between a change told by the cache and a decided binding is in the figure: queue, evaluation,
//! accounting, and the confirmation that the binding arrived. JSON, network and the apiserver are not.

use std::{sync::Arc, time::Duration};

use coracle_api::LabelSelector;
use coracle_runtime::Key;
use coracle_service::Clock;

use crate::{
    profile::Profile,
    projection::{Allocatable, Node, Pod, State, Unbound},
    queue,
    requirements::{
        Class, HOSTNAME, Identity, Load, PodSet, PodTerm, PodTerms, Requests, Requirements, SpreadConstraint,
        ZONE,
    },
    run::SCHEDULER_NAME,
    scheduler::{Scheduler, Verdict},
};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Nodes in the cluster.
    pub nodes: usize,
    /// Pods to schedule.
    pub pods: usize,
    /// Owners that the pods belong to, in turn.
    pub owners: usize,
    /// Templates that the owners have, in turn.
    pub templates: usize,
    /// What the pods want of each other.
    pub wishes: Wishes,
    /// Pods that arrive, are decided and are confirmed together.
    pub batch: usize,
}

/// What the pods of a measurement want of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wishes {
    /// Nothing: only the default spreading.
    #[default]
    None,
    /// To be spread over zones, strictly.
    Spread,
    /// Not to be on a node with another of the same owner.
    Apart,
}

impl Default for Config {
    /// 10,000 pods of ten owners with as many templates on 5,000 nodes, 512 at a time.
    fn default() -> Self {
        Self {
            nodes: 5_000,
            pods: 10_000,
            owners: 10,
            templates: 10,
            wishes: Wishes::None,
            batch: 512,
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Pods that got a node.
    pub bound: usize,
    /// Pods that got none.
    pub unschedulable: usize,
    /// From the first pod's arrival to the last one's confirmation.
    pub elapsed: Duration,
    /// The fewest and the most pods on a node at the end.
    pub pods_on_node: (i64, i64),
}

impl Report {
    /// Pods decided in a second.
    #[must_use]
    pub fn pods_per_second(&self) -> f64 {
        (self.bound + self.unschedulable) as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Runs it once on the caller's thread.
#[must_use]
pub fn run(config: Config, clock: &Clock) -> Report {
    let mut scheduler = Scheduler::new(vec![Profile::default()], queue::Limits::default());
    for number in 0..config.nodes {
        let node = node(number);
        scheduler.node_changed(&Key::new("", &node.name), Some(&Arc::new(node)));
    }
    let classes: Vec<Class> = (0..config.owners.max(1))
        .map(|owner| class(owner, config.templates.max(1), config.wishes))
        .collect();
    let pods: Vec<(Key, Arc<Pod>)> = (0..config.pods)
        .map(|number| (key(number), Arc::new(waiting(number, &classes))))
        .collect();
    let began = clock.monotonic();
    let mut bound = 0;
    for batch in pods.chunks(config.batch.max(1)) {
        let now = clock.monotonic().duration_since(began);
        for (key, pod) in batch {
            scheduler.pod_changed(key, None, Some(pod), now);
        }
        for outcome in scheduler.schedule(now, batch.len()) {
            let Verdict::Bind(node) = outcome.verdict else {
                continue;
            };
            let load = outcome
                .pod
                .unbound()
                .map(|unbound| unbound.class.load.clone())
                .unwrap_or_default();
            let confirmed = Pod {
                uid: outcome.pod.uid.clone(),
                state: State::Bound {
                    node: (*node).into(),
                    load,
                    priority: 0,
                    started: "".into(),
                },
            };
            scheduler.pod_changed(&outcome.key, Some(&outcome.pod), Some(&Arc::new(confirmed)), now);
            bound += 1;
        }
    }
    let elapsed = clock.monotonic().duration_since(began);
    let on_nodes = || scheduler.snapshot().iter().map(|row| row.pods().requested);
    Report {
        bound,
        unschedulable: config.pods - bound,
        elapsed,
        pods_on_node: (
            on_nodes().min().unwrap_or_default(),
            on_nodes().max().unwrap_or_default(),
        ),
    }
}

/// A node of 32 cores, 128 GiB and 110 pods, in one of three zones.
fn node(number: usize) -> Node {
    let name = format!("node-{number}");
    Node {
        labels: Box::new([
            ("kubernetes.io/hostname".into(), name.as_str().into()),
            (
                "topology.kubernetes.io/zone".into(),
                format!("zone-{}", number % 3).into(),
            ),
        ]),
        name: name.into(),
        taints: Box::new([]),
        is_unschedulable: false,
        allocatable: Allocatable {
            cpu_milli: 32_000,
            memory_bytes: 128 << 30,
            ephemeral_storage_bytes: 100 << 30,
            pods: 110,
            extended: Box::new([]),
        },
        images: Box::new([]),
    }
}

fn class(owner: usize, templates: usize, wishes: Wishes) -> Class {
    let (cpu_milli, memory_bytes) = (100 + (owner % templates) as i64, 128 << 20);
    let name: Box<str> = format!("owner-{owner}").into();
    let siblings = Arc::new(PodSet {
        namespaces: Box::new(["bench".into()]),
        namespace_selector: LabelSelector::nothing(),
        selector: LabelSelector::from_labels([("app", &*name)]),
    });
    let spread = SpreadConstraint {
        topology_key: ZONE.into(),
        max_skew: 1,
        is_hard: true,
        min_domains: 1,
        pods: Some(Arc::clone(&siblings)),
        honors_affinity: true,
        honors_taints: false,
    };
    let apart = PodTerms {
        anti_affinity: vec![PodTerm {
            topology_key: HOSTNAME.into(),
            pods: siblings,
        }],
        ..PodTerms::NONE
    };
    Class::new(Requirements {
        spread: (wishes == Wishes::Spread).then_some(spread).into_iter().collect(),
        load: Load {
            requests: Requests {
                cpu_milli,
                memory_bytes,
                nonzero_cpu_milli: cpu_milli,
                nonzero_memory_bytes: memory_bytes,
                ..Requests::default()
            },
            identity: Arc::new(Identity {
                namespace: "bench".into(),
                labels: Box::new([("app".into(), name.clone())]),
                is_deleting: false,
                terms: (wishes == Wishes::Apart).then(|| Box::new(apart)),
            }),
            owner: Some((*name).into()),
            ..Load::default()
        },
        ..Requirements::default()
    })
}

fn key(number: usize) -> Key {
    Key::new("bench", &format!("pod-{number}"))
}

fn waiting(number: usize, classes: &[Class]) -> Pod {
    let unbound = Unbound {
        revision: 0,
        scheduler_name: SCHEDULER_NAME.into(),
        priority: 0,
        never_preempts: false,
        nominated_node: "".into(),
        is_gated: false,
        is_deleting: false,
        class: classes[number % classes.len()].clone(),
        condition: None,
        owner: None,
    };
    Pod {
        uid: format!("uid-{number}").into(),
        state: State::Unbound(Box::new(unbound)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "prints figures, which only mean something in a release build"]
    fn figures() {
        for (nodes, pods, owners, templates, wishes) in [
            (100, 1_000, 1, 1, Wishes::None),
            (5_000, 10_000, 1, 1, Wishes::None),
            (5_000, 10_000, 10, 10, Wishes::None),
            (5_000, 10_000, 1_000, 10, Wishes::None),
            (5_000, 10_000, 1_000, 1_000, Wishes::None),
            (5_000, 10_000, 10, 10, Wishes::Spread),
            (5_000, 10_000, 100, 10, Wishes::Apart),
        ] {
            let config = Config {
                nodes,
                pods,
                owners,
                templates,
                wishes,
                batch: 512,
            };
            let report = run(config, &Clock::system());
            println!(
                "{config:?} {report:?}: {:.0} pods per second",
                report.pods_per_second()
            );
        }
    }

    #[test]
    fn it_places_every_pod_evenly() {
        let config = Config {
            nodes: 100,
            pods: 1_000,
            owners: 4,
            templates: 4,
            wishes: Wishes::None,
            batch: 64,
        };
        let report = run(config, &Clock::system());
        println!("{report:?}: {:.0} pods per second", report.pods_per_second());
        assert_eq!((report.bound, report.unschedulable), (1_000, 0));
        // Zones of 33 and 34 nodes get the same number of pods, so nodes do not.
        let (fewest, most) = report.pods_on_node;
        assert!(fewest >= 9 && most <= 11, "{report:?}");
    }
}
