//! The answers of all plugins for one equivalence class of pods, over all nodes, kept current row by row.
//!
//! Computing them costs one look at every node. After that a change of a node costs one look at that node, so that
//! ten thousand replicas of one template are not ten thousand evaluations of every node. Relative scores are kept
//! before normalization beside a histogram; only when the range of a histogram moves are all nodes scored again,
//! which for an even spread happens once a round over the nodes.

use std::{cmp::Reverse, sync::Arc};

use crate::{
    diagnosis::Diagnosis,
    framework::{Candidate, Profile, Range},
    requirements::Class,
    snapshot::{NodeIndex, Snapshot},
};

mod tournament;

use tournament::Tournament;

/// Where a node stands among those that may run a pod; the greatest is chosen.
///
/// Upstream draws among nodes of equal score. Here the one with the fewest pods is taken, then one by its name's
/// hash: as even, and the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    score: i64,
    pods: Reverse<i64>,
    tie: u32,
}

/// What a class's plugins say of every node, as of one version of the snapshot.
pub struct Evaluation {
    class: Class,
    /// Positions in the profile of the plugins that apply to the class.
    filters: Vec<usize>,
    absolute: Vec<usize>,
    relative: Vec<usize>,
    version: u64,
    rows: Vec<Option<Row>>,
    /// Scores before normalization, `relative.len()` for each row.
    raw: Vec<i64>,
    histograms: Vec<Histogram>,
    ranges: Vec<Range>,
    ranking: Tournament<Rank>,
    diagnosis: Option<Arc<Diagnosis>>,
}

/// A node that may run the pod.
#[derive(Clone, Copy)]
struct Row {
    /// The weighted sum of the scores that need no normalization.
    base: i64,
    pods: i64,
    tie: u32,
}

impl Evaluation {
    /// Asks every plugin about every node.
    #[must_use]
    pub fn new(class: Class, profile: &Profile, snapshot: &Snapshot) -> Self {
        let positions = |applies: &dyn Fn(usize) -> bool, len| (0..len).filter(|at| applies(*at)).collect();
        let score = |at: usize, is_relative| {
            profile.scores[at].applies(&class) && profile.scores[at].is_relative() == is_relative
        };
        let relative: Vec<usize> = positions(&|at| score(at, true), profile.scores.len());
        let mut evaluation = Self {
            filters: positions(&|at| profile.filters[at].applies(&class), profile.filters.len()),
            absolute: positions(&|at| score(at, false), profile.scores.len()),
            class,
            version: 0,
            rows: Vec::new(),
            raw: Vec::new(),
            histograms: Vec::new(),
            ranges: Vec::new(),
            ranking: Tournament::default(),
            diagnosis: None,
            relative,
        };
        evaluation.renew(profile, snapshot);
        evaluation
    }

    /// Brings the answers up to the snapshot's present state.
    pub fn refresh(&mut self, profile: &Profile, snapshot: &Snapshot) {
        if self.version == snapshot.version() {
            return;
        }
        match snapshot.changes_since(self.version) {
            Some(changes) if snapshot.rows() == self.rows.len() => self.follow(changes, profile, snapshot),
            _ => self.renew(profile, snapshot),
        }
    }

    /// The best node, if any may run the pod.
    #[must_use]
    pub fn best(&self) -> Option<NodeIndex> {
        self.ranking.best().map(NodeIndex::at)
    }

    /// The weighted sum of a node's normalized scores; `None` where it may not run the pod.
    #[must_use]
    pub fn score(&self, index: NodeIndex) -> Option<i64> {
        self.ranking.get(index.position()).map(|rank| rank.score)
    }

    /// Why no node will do; counted once for all pods of the class until something changes.
    pub fn diagnosis(&mut self, profile: &Profile, snapshot: &Snapshot) -> Arc<Diagnosis> {
        let filters = self.filters.iter().map(|at| &*profile.filters[*at]);
        let class = &self.class;
        Arc::clone(self.diagnosis.get_or_insert_with(|| {
            Arc::new(Diagnosis::of(
                &Candidate::new(class, snapshot),
                filters.collect::<Vec<_>>(),
                snapshot,
            ))
        }))
    }

    fn renew(&mut self, profile: &Profile, snapshot: &Snapshot) {
        self.version = snapshot.version();
        self.diagnosis = None;
        self.rows = vec![None; snapshot.rows()];
        self.raw = vec![0; snapshot.rows() * self.relative.len()];
        self.histograms = vec![Histogram::default(); self.relative.len()];
        let class = self.class.clone();
        let candidate = Candidate::new(&class, snapshot);
        for position in 0..snapshot.rows() {
            self.look_at(position, &candidate, profile, snapshot);
        }
        self.ranges = self.histograms.iter().map(Histogram::range).collect();
        self.rank_all(profile);
    }

    fn follow(&mut self, changes: impl Iterator<Item = NodeIndex>, profile: &Profile, snapshot: &Snapshot) {
        self.version = snapshot.version();
        self.diagnosis = None;
        let class = self.class.clone();
        let candidate = Candidate::new(&class, snapshot);
        let mut changed = Vec::new();
        for index in changes {
            self.look_at(index.position(), &candidate, profile, snapshot);
            changed.push(index.position());
        }
        let moved = self
            .histograms
            .iter()
            .zip(&mut self.ranges)
            .fold(false, |moved, (histogram, range)| {
                let now = histogram.range();
                let before = std::mem::replace(range, now);
                moved || before != now
            });
        if moved {
            self.rank_all(profile);
        } else {
            for position in changed {
                let rank = self.rank(position, profile);
                self.ranking.set(position, rank);
            }
        }
    }

    /// Asks the plugins about one row and keeps what they say.
    fn look_at(
        &mut self,
        position: usize,
        candidate: &Candidate<'_>,
        profile: &Profile,
        snapshot: &Snapshot,
    ) {
        let raw_at = position * self.relative.len();
        if self.rows[position].take().is_some() {
            for (offset, histogram) in self.histograms.iter_mut().enumerate() {
                histogram.remove(self.raw[raw_at + offset]);
            }
        }
        let Some(row) = snapshot.row(NodeIndex::at(position)) else {
            return;
        };
        if !self
            .filters
            .iter()
            .all(|at| profile.filters[*at].admits(candidate, row))
        {
            return;
        }
        let absolute = self.absolute.iter().map(|at| &profile.scores[*at]);
        let base = absolute
            .map(|plugin| plugin.weight() * plugin.score(candidate, row))
            .sum();
        for (offset, at) in self.relative.iter().enumerate() {
            let score = profile.scores[*at].score(candidate, row);
            self.raw[raw_at + offset] = score;
            self.histograms[offset].add(score);
        }
        self.rows[position] = Some(Row {
            base,
            pods: row.pods().requested,
            tie: row.tie(),
        });
    }

    fn rank_all(&mut self, profile: &Profile) {
        let ranks = (0..self.rows.len())
            .map(|position| self.rank(position, profile))
            .collect();
        self.ranking = Tournament::new(ranks);
    }

    fn rank(&self, position: usize, profile: &Profile) -> Option<Rank> {
        let row = self.rows[position]?;
        let raw = &self.raw[position * self.relative.len()..];
        let relative = self
            .relative
            .iter()
            .zip(raw)
            .zip(&self.ranges)
            .map(|((at, score), range)| {
                let plugin = &profile.scores[*at];
                plugin.weight() * plugin.normalize(*score, *range)
            });
        Some(Rank {
            score: row.base + relative.sum::<i64>(),
            pods: Reverse(row.pods),
            tie: row.tie,
        })
    }
}

/// How often each score occurs among the nodes that may run the pod.
///
/// A sorted list: relative scores are counts and sums of a few weights, so there are few different ones.
#[derive(Clone, Debug, Default)]
struct Histogram {
    counts: Vec<(i64, u32)>,
}

impl Histogram {
    fn add(&mut self, score: i64) {
        match self.counts.binary_search_by_key(&score, |(score, _)| *score) {
            Ok(at) => self.counts[at].1 += 1,
            Err(at) => self.counts.insert(at, (score, 1)),
        }
    }

    fn remove(&mut self, score: i64) {
        if let Ok(at) = self.counts.binary_search_by_key(&score, |(score, _)| *score) {
            self.counts[at].1 -= 1;
            if self.counts[at].1 == 0 {
                self.counts.remove(at);
            }
        }
    }

    fn range(&self) -> Range {
        let score = |entry: Option<&(i64, u32)>| entry.map_or(0, |(score, _)| *score);
        Range {
            min: score(self.counts.first()),
            max: score(self.counts.last()),
        }
    }
}
