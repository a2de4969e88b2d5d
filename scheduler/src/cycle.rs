//! One scheduling decision: a pod's class and the snapshot in, a node or the reason for none out.
//!
//! Pure but for what it remembers: evaluations of the classes that came last, each renewed only where the snapshot
//! changed. Forgetting one changes the cost of an answer and never the answer.

use std::{collections::HashMap, sync::Arc};

use crate::{
    diagnosis::Diagnosis,
    evaluation::Evaluation,
    framework::{Candidate, Profile},
    requirements::Class,
    snapshot::{NodeIndex, Snapshot},
};

#[cfg(test)]
mod tests;

/// Evaluations remembered, at most.
const EVALUATIONS_MAX: usize = 1_024;
/// Rows in all evaluations remembered together, at most (about 100 bytes each). Eight evaluations are always kept.
const EVALUATION_ROWS_MAX: usize = 1 << 19;

/// What was decided for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The best node.
    Node(NodeIndex),
    /// No node will do.
    Unschedulable(Arc<Diagnosis>),
}

/// Decides, and remembers what it worked out.
#[derive(Default)]
pub struct Cycle {
    profile: Profile,
    evaluations: HashMap<Class, Remembered>,
    /// Counts decisions, to find the evaluation that was used longest ago.
    decisions: u64,
}

struct Remembered {
    evaluation: Evaluation,
    used: u64,
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

    /// Finds the best node for a pod of the class. The caller accounts for the pod before the next decision.
    pub fn decide(&mut self, class: &Class, snapshot: &Snapshot) -> Decision {
        self.decisions += 1;
        let used = self.decisions;
        if let Some(remembered) = self.evaluations.get_mut(class) {
            remembered.used = used;
            remembered.evaluation.refresh(&self.profile, snapshot);
        } else {
            self.make_room(snapshot.rows());
            let evaluation = Evaluation::new(class.clone(), &self.profile, snapshot);
            self.evaluations
                .insert(class.clone(), Remembered { evaluation, used });
        }
        let Some(Remembered { evaluation, .. }) = self.evaluations.get_mut(class) else {
            unreachable!("it was found or inserted above");
        };
        match evaluation.best() {
            Some(index) => Decision::Node(index),
            None => Decision::Unschedulable(evaluation.diagnosis(&self.profile, snapshot)),
        }
    }

    /// Whether one node would admit a pod of the class, whatever its score.
    #[must_use]
    pub fn admits(&self, class: &Class, snapshot: &Snapshot, index: NodeIndex) -> bool {
        let candidate = Candidate::new(class, snapshot);
        snapshot.row(index).is_some_and(|row| {
            let mut filters = self.profile.filters.iter().filter(|filter| filter.applies(class));
            filters.all(|filter| filter.admits(&candidate, row))
        })
    }

    fn make_room(&mut self, rows: usize) {
        let keep = (EVALUATION_ROWS_MAX / rows.max(1)).clamp(8, EVALUATIONS_MAX);
        while self.evaluations.len() >= keep {
            let oldest = self
                .evaluations
                .iter()
                .min_by_key(|(_, remembered)| remembered.used);
            let Some(oldest) = oldest.map(|(class, _)| class.clone()) else {
                return;
            };
            self.evaluations.remove(&oldest);
        }
    }
}
