//! Spreads pods over topology domains: spec.topologySpreadConstraints, hard ones as a filter and soft ones as a score.
//!
//! Pods without constraints of their own get the profile's defaults, counted by controlling owner instead of by the
//! selector of the owner: the same pods, and the count is kept and never taken.

use crate::{
    framework::{
        Candidate, ClusterEvents, CycleState, Filter, IGNORED, MAX_SCORE, Range, Rejection, Scope, Score,
    },
    requirements::{HOSTNAME, Requirements, SpreadConstraint},
    snapshot::{NodeIndex, NodeRow, Snapshot, TopologyId},
};

use super::{node_affinity, taint_toleration};

/// Hard and soft constraints.
pub struct TopologySpread {
    /// For pods that bring none.
    pub defaults: Box<[SpreadConstraint]>,
    /// Whether the defaults also hold on nodes that lack one of the labels: upstream's own defaults do, listed ones
    /// do not.
    pub is_system: bool,
}

impl Default for TopologySpread {
    fn default() -> Self {
        Self {
            defaults: SpreadConstraint::system_defaults(),
            is_system: true,
        }
    }
}

/// A hard constraint, counted.
#[derive(Debug)]
pub struct Hard {
    topology: TopologyId,
    /// Matching pods by domain.
    counts: Vec<i64>,
    /// The fewest in any domain.
    min: i64,
    /// One, if the pod itself matches.
    own: i64,
    max_skew: i64,
}

/// A soft constraint: what each domain contributes to the score.
#[derive(Debug)]
pub struct Soft {
    topology: TopologyId,
    shares: Vec<f64>,
    /// Whether nodes without the label take no part.
    is_required: bool,
}

impl TopologySpread {
    fn constraints<'a>(
        &'a self,
        requirements: &'a Requirements,
        is_hard: bool,
    ) -> impl Iterator<Item = &'a SpreadConstraint> {
        let list = match &*requirements.spread {
            [] if requirements.load.owner.is_some() => &*self.defaults,
            own => own,
        };
        list.iter()
            .filter(move |constraint| constraint.is_hard == is_hard)
    }
}

impl Filter for TopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        self.constraints(requirements, true).next().is_some()
    }

    fn pre_filter(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        state: &mut CycleState,
    ) -> Result<bool, Rejection> {
        let named: Vec<(&SpreadConstraint, TopologyId)> = self
            .constraints(requirements, true)
            .filter_map(|constraint| Some((constraint, snapshot.topology(&constraint.topology_key)?)))
            .collect();
        // A node makes domains only where it has every label that the pod names.
        let has_labels = |index: NodeIndex| {
            named
                .iter()
                .all(|(_, topology)| snapshot.domain(*topology, index).is_some())
        };
        for (constraint, topology) in &named {
            let mut counts: Vec<Option<i64>> = vec![None; snapshot.domains(*topology)];
            let counted = |index: NodeIndex| {
                let row = snapshot.row(index)?;
                (has_labels(index) && counts_in(constraint, requirements, row)).then_some(())?;
                snapshot.domain(*topology, index)
            };
            for row in snapshot.iter() {
                if let Some(domain) = counted(row.index()) {
                    counts[domain].get_or_insert(0);
                }
            }
            each_node(constraint, requirements, snapshot, |index, count| {
                if let Some(domain) = counted(index) {
                    *counts[domain].get_or_insert(0) += i64::from(count);
                }
            });
            let domains = counts.iter().flatten().count() as i64;
            let fewest = counts.iter().flatten().min().copied().unwrap_or_default();
            let own = match &constraint.pods {
                Some(set) => snapshot.holds(set, &requirements.load.identity),
                None => true,
            };
            state.hard_spread.push(Hard {
                topology: *topology,
                counts: counts.into_iter().map(Option::unwrap_or_default).collect(),
                min: if domains < constraint.min_domains {
                    0
                } else {
                    fewest
                },
                own: i64::from(own),
                max_skew: constraint.max_skew,
            });
        }
        Ok(true)
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        candidate.state.hard_spread.iter().all(|hard| {
            row.domain(hard.topology)
                .is_some_and(|domain| hard.counts[domain] + hard.own - hard.min <= hard.max_skew)
        })
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        const REASON: &str = "node(s) didn't match pod topology spread constraints";
        for hard in &candidate.state.hard_spread {
            match row.domain(hard.topology) {
                None => return vec![format!("{REASON} (missing required label)")],
                Some(domain) if hard.counts[domain] + hard.own - hard.min > hard.max_skew => {
                    return vec![REASON.to_owned()];
                }
                Some(_) => {}
            }
        }
        Vec::new()
    }

    fn is_resolvable(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let mut constraints = candidate.state.hard_spread.iter();
        constraints.all(|hard| row.domain(hard.topology).is_some())
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::DOMAINS
            .union(ClusterEvents::POD_ADDED)
            .union(ClusterEvents::POD_REMOVED)
    }
}

impl Score for TopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, requirements: &Requirements) -> bool {
        self.constraints(requirements, false).next().is_some()
    }

    fn pre_score(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        rows: &[NodeIndex],
        state: &mut CycleState,
    ) -> bool {
        let is_required = !(self.is_system && requirements.spread.is_empty());
        let named: Vec<(&SpreadConstraint, TopologyId)> = self
            .constraints(requirements, false)
            .filter_map(|constraint| Some((constraint, snapshot.topology(&constraint.topology_key)?)))
            .collect();
        let is_ignored = |index: NodeIndex| {
            is_required
                && named
                    .iter()
                    .any(|(_, topology)| snapshot.domain(*topology, index).is_none())
        };
        for (constraint, topology) in &named {
            let mut counts: Vec<Option<u32>> = vec![None; snapshot.domains(*topology)];
            let mut nodes = 0_usize;
            for index in rows.iter().filter(|index| !is_ignored(**index)) {
                nodes += 1;
                if let Some(domain) = snapshot.domain(*topology, *index) {
                    counts[domain].get_or_insert(0);
                }
            }
            let domains = if &*constraint.topology_key == HOSTNAME {
                nodes
            } else {
                counts.iter().flatten().count()
            };
            each_node(constraint, requirements, snapshot, |index, count| {
                let Some(row) = snapshot.row(index) else { return };
                if !is_ignored(index)
                    && counts_in(constraint, requirements, row)
                    && let Some(domain) = snapshot.domain(*topology, index)
                    && let Some(sum) = &mut counts[domain]
                {
                    *sum += count;
                }
            });
            // Small topologies count for less: a zone more or less matters more than a host more or less.
            let weight = (domains as f64 + 2.0).ln();
            let share = |count: Option<u32>| {
                count.map_or(0.0, |count| {
                    f64::from(count) * weight + (constraint.max_skew - 1) as f64
                })
            };
            state.soft_spread.push(Soft {
                topology: *topology,
                shares: counts.into_iter().map(share).collect(),
                is_required,
            });
        }
        !state.soft_spread.is_empty()
    }

    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        let mut sum = 0.0;
        for soft in &candidate.state.soft_spread {
            match row.domain(soft.topology) {
                Some(domain) => sum += soft.shares[domain],
                None if soft.is_required => return IGNORED,
                None => {}
            }
        }
        sum.round() as i64
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn normalize(&self, score: i64, range: Range) -> i64 {
        if range.max == 0 {
            MAX_SCORE
        } else {
            MAX_SCORE * (range.max + range.min - score) / range.max
        }
    }
}

/// Whether a node makes domains of a constraint.
fn counts_in(constraint: &SpreadConstraint, requirements: &Requirements, row: NodeRow<'_>) -> bool {
    (!constraint.honors_affinity || node_affinity::is_drawn_to(requirements, row.node()))
        && (!constraint.honors_taints || taint_toleration::tolerates(requirements, row.node()))
}

/// Calls `count` for every node that holds pods which a constraint counts.
fn each_node(
    constraint: &SpreadConstraint,
    requirements: &Requirements,
    snapshot: &Snapshot,
    mut count: impl FnMut(NodeIndex, u32),
) {
    match (&constraint.pods, &requirements.load.owner) {
        (Some(set), _) => {
            for group in snapshot.groups_of(set) {
                if !group.identity().is_deleting {
                    group.nodes().for_each(|(index, pods)| count(index, pods));
                }
            }
        }
        (None, Some(owner)) => {
            let nodes = snapshot.owned(owner).into_iter().flatten();
            nodes.for_each(|(index, pods)| count(*index, *pods));
        }
        (None, None) => {}
    }
}
