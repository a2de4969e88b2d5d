//! One scheduling decision: a pod's class and the snapshot in, a node or the reason for none out.
//!
//! Pure but for what it remembers: evaluations of the shapes that came last, each renewed only where the snapshot
//! changed. Forgetting one changes the cost of an answer, and on clusters of up to a hundred nodes never the answer.
//! On larger ones a decision whose shape is not remembered, or has been for too long, looks at as many nodes as
//! upstream would and takes the best of those; so no decision costs more than upstream's, whatever came before it.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use crate::{
    diagnosis::Diagnosis,
    evaluation::{Evaluation, Field, Looks},
    framework::{Candidate, Filter, IGNORED, Range, Scope},
    profile::Profile,
    requirements::{Class, Shape},
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

#[cfg(test)]
mod tests;

/// Evaluations remembered, at most.
const EVALUATIONS_MAX: usize = 1_024;
/// Rows in all evaluations remembered together, at most (about 16 bytes each). Eight evaluations are always kept.
const EVALUATION_ROWS_MAX: usize = 1 << 20;
/// Diagnoses remembered, at most; beyond that all are forgotten.
const DIAGNOSES_MAX: usize = 1_024;
/// Upstream's least number of nodes that are worth finding.
const SAMPLE_MIN: usize = 100;
/// Upstream's least share of the nodes, in percent, on the largest clusters.
const SAMPLE_PERCENT_MIN: usize = 5;

/// What was decided for a pod.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The best node.
    Node(NodeIndex),
    /// No node will do.
    Unschedulable(Arc<Diagnosis>),
}

/// A pod that a node is being cleared for: it counts there as if it had arrived.
#[derive(Clone, Debug)]
pub struct Nominated {
    /// The node.
    pub node: Arc<str>,
    /// What it will take, among other things.
    pub class: Class,
}

/// Decides, and remembers what it worked out.
#[derive(Default)]
pub struct Cycle {
    profile: Profile,
    evaluations: HashMap<Shape, Remembered>,
    diagnoses: HashMap<Class, (u64, u64, Arc<Diagnosis>)>,
    /// Counts decisions, to find the evaluation that was used longest ago.
    decisions: u64,
    /// Where the next sample begins, so that samples go round.
    next_start: usize,
    field: Field,
}

struct Remembered {
    evaluation: Evaluation,
    used: u64,
    /// How many looks sampling has cost since: once renewing costs no more, it is renewed.
    spent: usize,
}

impl Cycle {
    /// With these plugins.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            ..Self::default()
        }
    }

    /// The plugins.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A number below `of` that goes round with the decisions.
    #[must_use]
    pub fn turn(&self, of: usize) -> usize {
        (self.decisions % of.max(1) as u64) as usize
    }

    /// Finds the best node for a pod of the class. The caller accounts for the pod before the next decision.
    pub fn decide(&mut self, class: &Class, snapshot: &mut Snapshot) -> Decision {
        self.decide_beside(class, &[], snapshot)
    }

    /// As [`Cycle::decide`], where nodes are being cleared for other pods that come first.
    pub fn decide_beside(
        &mut self,
        class: &Class,
        nominated: &[Nominated],
        snapshot: &mut Snapshot,
    ) -> Decision {
        self.decisions += 1;
        snapshot.prepare(class);
        let mut field = std::mem::take(&mut self.field);
        let found = self.find(class, nominated, snapshot, &mut field);
        self.field = field;
        match found {
            Some(index) => Decision::Node(index),
            None => Decision::Unschedulable(self.diagnose(class, nominated, snapshot)),
        }
    }

    /// Whether one node would admit a pod of the class, as far as that node and what is on it decide.
    #[must_use]
    pub fn admits(&self, class: &Class, snapshot: &Snapshot, index: NodeIndex) -> bool {
        let candidate = Candidate::bare(class);
        snapshot.row(index).is_some_and(|row| {
            let mut filters = self.profile.filters_of(Scope::Node, class);
            filters.all(|filter| filter.admits(&candidate, row))
        })
    }

    /// Whether one node would admit a pod of the class, asked of all plugins from scratch.
    #[must_use]
    pub fn admits_now(&self, class: &Class, snapshot: &Snapshot, index: NodeIndex) -> bool {
        let prepared = Candidate::prepare(class, self.profile.filters_for(class), snapshot);
        let (Ok((candidate, filters)), Some(row)) = (prepared, snapshot.row(index)) else {
            return false;
        };
        filters.iter().all(|filter| filter.admits(&candidate, row))
    }

    /// Why one node does not admit a pod of the class, asked of all plugins from scratch.
    #[must_use]
    pub fn reasons_now(&self, class: &Class, snapshot: &Snapshot, index: NodeIndex) -> Vec<String> {
        match Candidate::prepare(class, self.profile.filters_for(class), snapshot) {
            Err(rejection) => vec![rejection.message],
            Ok((candidate, filters)) => {
                let Some(row) = snapshot.row(index) else {
                    return Vec::new();
                };
                let refusing = filters.iter().find(|filter| !filter.admits(&candidate, row));
                refusing.map_or_else(Vec::new, |filter| filter.reasons(&candidate, row))
            }
        }
    }

    fn find(
        &mut self,
        class: &Class,
        nominated: &[Nominated],
        snapshot: &mut Snapshot,
        field: &mut Field,
    ) -> Option<NodeIndex> {
        self.remember(class, snapshot);
        let filters = self.profile.filters_of(Scope::Cluster, class);
        let (mut candidate, further) = Candidate::prepare(class, filters, snapshot).ok()?;
        let sought = Sought {
            class,
            profile: &self.profile,
            candidate: &candidate,
            further: &further,
        };
        let sample = sample_size(&self.profile, snapshot.len());
        let is_known = self
            .evaluations
            .get_mut(&class.shape())
            .is_some_and(|remembered| {
                remembered.used = self.decisions;
                remembered.collect(&sought, sample, snapshot, field)
            });
        if !is_known {
            sought.sample(sample, &mut self.next_start, snapshot, field);
        }
        self.drop_promised(class, nominated, snapshot, field);
        if field.rows.is_empty() {
            return None;
        }
        for at in 0..self.profile.scores.len() {
            let score = &self.profile.scores[at];
            let plugin = &score.plugin;
            if plugin.scope() != Scope::Cluster
                || !plugin.applies(class)
                || !plugin.pre_score(class, snapshot, &field.rows, &mut candidate.state)
            {
                continue;
            }
            let rows = field.rows.iter().filter_map(|index| snapshot.row(*index));
            let scores = rows.map(|row| plugin.score(&candidate, row));
            if plugin.is_relative() {
                let scores = scores.collect();
                field.relative.push((at, scores));
            } else {
                for (sum, score_of) in field.sums.iter_mut().zip(scores) {
                    *sum += score.weight * score_of;
                }
            }
        }
        Some(self.best(snapshot, field))
    }

    /// Takes out nodes that would not admit the pod beside those that they are being cleared for.
    fn drop_promised(
        &self,
        class: &Class,
        nominated: &[Nominated],
        snapshot: &mut Snapshot,
        field: &mut Field,
    ) {
        if field.rows.is_empty() {
            return;
        }
        for (index, promised) in promised(nominated, snapshot) {
            let Some(at) = field.rows.iter().position(|row| *row == index) else {
                continue;
            };
            if !suppose_all(&promised, snapshot, |snapshot| {
                self.admits_now(class, snapshot, index)
            }) {
                field.remove(at);
            }
        }
    }

    /// The node with the greatest sum.
    ///
    /// Upstream draws among nodes of equal score. Here the one with the fewest pods is taken, then one by its name's
    /// hash: as even, and the same in every run.
    fn best(&self, snapshot: &Snapshot, field: &mut Field) -> NodeIndex {
        let Field { rows, sums, relative } = field;
        for (at, scores) in relative {
            let score = &self.profile.scores[*at];
            let range = Range::of(scores);
            if range.min == range.max && !scores.contains(&IGNORED) {
                // What is the same for all decides nothing.
                continue;
            }
            // Neighbours often have equal scores; dividing is the dearest step.
            let mut last = (IGNORED, 0);
            for (sum, raw) in sums.iter_mut().zip(scores.iter()) {
                if *raw == IGNORED {
                    continue;
                }
                if *raw != last.0 {
                    last = (*raw, score.weight * score.plugin.normalize(*raw, range));
                }
                *sum += last.1;
            }
        }
        let top = sums.iter().max().copied().unwrap_or_default();
        let ties = rows.iter().zip(sums.iter()).filter(|(_, sum)| **sum == top);
        let rank = |index: &NodeIndex| {
            let row = snapshot.row(*index);
            row.map(|row| (Reverse(row.pods().requested), row.tie(), Reverse(*index)))
        };
        let Some(best) = ties.map(|(index, _)| *index).max_by_key(rank) else {
            unreachable!("one of some rows has the greatest sum");
        };
        best
    }

    /// Sees to it that the class's shape is remembered, if that does not crowd out one in use.
    fn remember(&mut self, class: &Class, snapshot: &Snapshot) {
        let shape = class.shape();
        if self.evaluations.contains_key(&shape) {
            return;
        }
        let keep = (EVALUATION_ROWS_MAX / snapshot.rows().max(1)).clamp(8, EVALUATIONS_MAX);
        while self.evaluations.len() >= keep {
            let oldest = (self.evaluations.iter()).min_by_key(|(_, remembered)| remembered.used);
            let Some((oldest, used)) = oldest.map(|(shape, remembered)| (shape.clone(), remembered.used))
            else {
                return;
            };
            let is_in_use = self.decisions - used <= 2 * keep as u64;
            if is_in_use && snapshot.len() > SAMPLE_MIN {
                return;
            }
            self.evaluations.remove(&oldest);
        }
        let remembered = Remembered {
            evaluation: Evaluation::new(class.clone(), &self.profile, snapshot),
            used: self.decisions,
            spent: 0,
        };
        self.evaluations.insert(shape, remembered);
    }

    fn diagnose(
        &mut self,
        class: &Class,
        nominated: &[Nominated],
        snapshot: &mut Snapshot,
    ) -> Arc<Diagnosis> {
        let now = (snapshot.version(), snapshot.epoch());
        if nominated.is_empty()
            && let Some((version, epoch, known)) = self.diagnoses.get(class)
            && (*version, *epoch) == now
        {
            return Arc::clone(known);
        }
        let diagnosis = Arc::new(Diagnosis::of(class, &self.profile, nominated, snapshot));
        if nominated.is_empty() {
            if self.diagnoses.len() >= DIAGNOSES_MAX {
                self.diagnoses.clear();
            }
            let known = (now.0, now.1, Arc::clone(&diagnosis));
            self.diagnoses.insert(class.clone(), known);
        }
        diagnosis
    }
}

/// A pod for which nodes are collected.
struct Sought<'a> {
    class: &'a Class,
    profile: &'a Profile,
    candidate: &'a Candidate<'a>,
    /// Filters that look further than one node.
    further: &'a [&'a dyn Filter],
}

impl Sought<'_> {
    fn admits(&self, row: NodeRow<'_>) -> bool {
        self.further
            .iter()
            .all(|filter| filter.admits(self.candidate, row))
    }

    /// Looks at nodes, going round, until enough admit the pod.
    fn sample(&self, wanted: usize, next_start: &mut usize, snapshot: &Snapshot, field: &mut Field) {
        let looks = Looks::new(self.class, self.profile);
        field.begin(looks.relative());
        let rows = snapshot.rows();
        let mut looked = 0;
        while looked < rows && field.rows.len() < wanted {
            let index = NodeIndex::at((*next_start + looked) % rows);
            looked += 1;
            let Some(row) = snapshot.row(index) else { continue };
            let sum = looks.sum(self.profile, self.candidate, row);
            let Some(sum) = sum.filter(|_| self.admits(row)) else {
                continue;
            };
            field.rows.push(index);
            field.sums.push(sum);
            for (at, scores) in &mut field.relative {
                scores.push(self.profile.scores[*at].plugin.score(self.candidate, row));
            }
        }
        *next_start = (*next_start + looked) % rows.max(1);
    }
}

impl Remembered {
    /// Collects all nodes that admit the pod, unless bringing the answers up to date costs more than it is worth yet.
    fn collect(
        &mut self,
        sought: &Sought<'_>,
        sample: usize,
        snapshot: &Snapshot,
        field: &mut Field,
    ) -> bool {
        self.spent = self.spent.saturating_add(sample);
        if self.evaluation.lag(snapshot) > self.spent {
            return false;
        }
        self.spent = 0;
        self.evaluation.refresh(sought.profile, snapshot);
        let is_alone = sought.further.is_empty();
        self.evaluation.collect(field, |index| {
            is_alone || snapshot.row(index).is_some_and(|row| sought.admits(row))
        });
        true
    }
}

/// Upstream's number of nodes that are worth finding.
fn sample_size(profile: &Profile, nodes: usize) -> usize {
    let percent = match usize::from(profile.percentage_of_nodes_to_score) {
        0 => 50_usize.saturating_sub(nodes / 125).max(SAMPLE_PERCENT_MIN),
        percent => percent,
    };
    (nodes * percent / 100).max(SAMPLE_MIN)
}

/// What is promised on each node, in the order of nodes.
pub(crate) fn promised<'n>(
    nominated: &'n [Nominated],
    snapshot: &Snapshot,
) -> Vec<(NodeIndex, Vec<&'n Nominated>)> {
    let mut by_node: std::collections::BTreeMap<NodeIndex, Vec<&Nominated>> = Default::default();
    for one in nominated {
        if let Some(row) = snapshot.find(&one.node) {
            by_node.entry(row.index()).or_default().push(one);
        }
    }
    by_node.into_iter().collect()
}

/// Asks something as if the promised pods had arrived.
pub(crate) fn suppose_all<T>(
    promised: &[&Nominated],
    snapshot: &mut Snapshot,
    ask: impl FnOnce(&mut Snapshot) -> T,
) -> T {
    let change = |snapshot: &mut Snapshot, is_made| {
        for Nominated { node, class } in promised {
            if is_made {
                snapshot.add(node, &class.load);
            } else {
                snapshot.remove(node, &class.load);
            }
        }
    };
    snapshot.suppose(change, ask)
}
