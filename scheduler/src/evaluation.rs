//! What the plugins of node scope say of every node for one shape of pods, kept current row by row.
//!
//! Computing it costs one look at every node. After that a change of a node costs one look at that node, so that
//! ten thousand replicas of one template are not ten thousand looks at every node, and neither are ten thousand
//! pods of a thousand owners. Relative scores are kept as the plugins gave them: their range is over the nodes
//! that all plugins admit, which only the pod at hand decides.

use crate::{
    framework::{Candidate, Scope},
    profile::Profile,
    requirements::Class,
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

/// In place of a sum, where a node does not admit the pod.
const REFUSED: i64 = i64::MIN;

/// Positions in the profile of the plugins of node scope that apply to a shape.
pub struct Looks {
    filters: Vec<usize>,
    absolute: Vec<usize>,
    relative: Vec<usize>,
}

impl Looks {
    /// Those for pods of the class.
    #[must_use]
    pub fn new(class: &Class, profile: &Profile) -> Self {
        let scores = |is_relative| {
            let plugins = profile.scores.iter().enumerate();
            let chosen = plugins.filter(move |(_, score)| {
                score.plugin.scope() == Scope::Node && score.plugin.is_relative() == is_relative
            });
            let applying = chosen.filter(|(_, score)| score.plugin.applies(class));
            applying.map(|(at, _)| at).collect()
        };
        let filters = profile.filters.iter().enumerate();
        Self {
            filters: filters
                .filter(|(_, filter)| filter.scope() == Scope::Node && filter.applies(class))
                .map(|(at, _)| at)
                .collect(),
            absolute: scores(false),
            relative: scores(true),
        }
    }

    /// Positions of the relative scores.
    #[must_use]
    pub fn relative(&self) -> &[usize] {
        &self.relative
    }

    /// The weighted sum of the absolute scores; `None` where the node does not admit the pod.
    #[must_use]
    pub fn sum(&self, profile: &Profile, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Option<i64> {
        let mut filters = self.filters.iter().map(|at| &profile.filters[*at]);
        filters.all(|filter| filter.admits(candidate, row)).then(|| {
            let absolute = self.absolute.iter().map(|at| &profile.scores[*at]);
            absolute
                .map(|score| score.weight * score.plugin.score(candidate, row))
                .sum()
        })
    }
}

/// The answers for a shape, as of one version of the snapshot.
pub struct Evaluation {
    class: Class,
    looks: Looks,
    version: u64,
    sums: Vec<i64>,
    /// Relative scores, a column a plugin.
    raw: Vec<Vec<i64>>,
}

/// Nodes that may run a pod, with what is known of their scores. Kept between decisions for its memory.
#[derive(Debug, Default)]
pub struct Field {
    /// The nodes.
    pub rows: Vec<NodeIndex>,
    /// The weighted sum of the scores that are known in full.
    pub sums: Vec<i64>,
    /// Scores before normalization: the plugin's position, and a score a node.
    pub relative: Vec<(usize, Vec<i64>)>,
}

impl Field {
    /// Empties it, for these relative scores.
    pub fn begin(&mut self, relative: &[usize]) {
        self.rows.clear();
        self.sums.clear();
        self.relative.truncate(relative.len());
        self.relative.resize_with(relative.len(), Default::default);
        for ((position, scores), at) in self.relative.iter_mut().zip(relative) {
            *position = *at;
            scores.clear();
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, at: usize) {
        self.rows.swap_remove(at);
        self.sums.swap_remove(at);
        for (_, scores) in &mut self.relative {
            scores.swap_remove(at);
        }
    }
}

impl Evaluation {
    /// Asks every plugin about every node.
    #[must_use]
    pub fn new(class: Class, profile: &Profile, snapshot: &Snapshot) -> Self {
        let looks = Looks::new(&class, profile);
        let mut evaluation = Self {
            raw: vec![Vec::new(); looks.relative.len()],
            looks,
            class,
            version: 0,
            sums: Vec::new(),
        };
        evaluation.renew(profile, snapshot);
        evaluation
    }

    /// How many nodes must be looked at to bring the answers up to the snapshot's present state.
    #[must_use]
    pub fn lag(&self, snapshot: &Snapshot) -> usize {
        let changes = snapshot.version().saturating_sub(self.version);
        usize::try_from(changes)
            .unwrap_or(usize::MAX)
            .min(snapshot.rows())
    }

    /// Brings the answers up to the snapshot's present state.
    pub fn refresh(&mut self, profile: &Profile, snapshot: &Snapshot) {
        if self.version == snapshot.version() {
            return;
        }
        match snapshot.changes_since(self.version) {
            Some(changes) if snapshot.rows() == self.sums.len() => {
                self.version = snapshot.version();
                let class = self.class.clone();
                let candidate = Candidate::bare(&class);
                for index in changes {
                    self.look_at(index.position(), &candidate, profile, snapshot);
                }
            }
            _ => self.renew(profile, snapshot),
        }
    }

    /// Collects the nodes that admit the pod, and that `admits` too.
    pub fn collect(&self, field: &mut Field, mut admits: impl FnMut(NodeIndex) -> bool) {
        field.begin(&self.looks.relative);
        for (position, sum) in self.sums.iter().enumerate() {
            let index = NodeIndex::at(position);
            if *sum == REFUSED || !admits(index) {
                continue;
            }
            field.rows.push(index);
            field.sums.push(*sum);
            for ((_, scores), raw) in field.relative.iter_mut().zip(&self.raw) {
                scores.push(raw[position]);
            }
        }
    }

    fn renew(&mut self, profile: &Profile, snapshot: &Snapshot) {
        self.version = snapshot.version();
        self.sums = vec![REFUSED; snapshot.rows()];
        for raw in &mut self.raw {
            *raw = vec![0; snapshot.rows()];
        }
        let class = self.class.clone();
        let candidate = Candidate::bare(&class);
        for position in 0..snapshot.rows() {
            self.look_at(position, &candidate, profile, snapshot);
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
        self.sums[position] = REFUSED;
        let Some(row) = snapshot.row(NodeIndex::at(position)) else {
            return;
        };
        let Some(sum) = self.looks.sum(profile, candidate, row) else {
            return;
        };
        self.sums[position] = sum;
        for (raw, at) in self.raw.iter_mut().zip(&self.looks.relative) {
            raw[position] = profile.scores[*at].plugin.score(candidate, row);
        }
    }
}
