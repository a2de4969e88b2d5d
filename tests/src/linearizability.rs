//! Whether a history of reads, writes and swaps of one register is linearizable: whether some order of the operations
//! explains every answer and agrees with the order in which they really followed each other.
//!
//! The search is Wing and Gong's, with Lowe's memory of the states that led nowhere. An operation whose outcome is not
//! known may have happened at any time after it was begun, or never.
//! Source: J. M. Wing, C. Gong, "Testing and verifying concurrent objects", 1993; G. Lowe, "Testing for
//! linearizability", 2017.

use std::{cmp::Reverse, collections::HashSet};

/// What was asked of the register, and what it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It held this.
    Read(u64),
    /// Set to this, whatever it held.
    Write(u64),
    /// Set where it held `expected`.
    Swap {
        /// What it had to hold.
        expected: u64,
        /// What was to be set.
        new: u64,
        /// Whether it was; where the outcome is not known, whatever fits.
        done: Option<bool>,
    },
}

/// One operation. Times are places in one order of all beginnings and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What.
    pub action: Action,
    /// When it was begun.
    pub begin: u64,
    /// When its answer came; `None` where it never did.
    pub end: Option<u64>,
}

/// The verdict on a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains it.
    Linearizable,
    /// There is none.
    Violation,
    /// More states than [`MAX_STATES`] were looked at.
    GaveUp,
}

/// The most states that are looked at.
pub const MAX_STATES: usize = 1_000_000;

/// Judges the history of one register that held `initial`.
#[must_use]
pub fn check(initial: u64, history: &[Operation]) -> Verdict {
    let mut operations = history.to_vec();
    operations.sort_by_key(|operation| operation.begin);
    let start = State {
        done: vec![0; operations.len().div_ceil(64)],
        value: initial,
    };
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        // Only what was begun before the first outstanding answer can come next.
        let outstanding = |index: &usize| !state.has(*index);
        let bound = (0..operations.len())
            .filter(outstanding)
            .filter_map(|index| operations[index].end)
            .min();
        let Some(bound) = bound else {
            return Verdict::Linearizable;
        };
        let mut next: Vec<usize> = (0..operations.len())
            .take_while(|&index| operations[index].begin < bound)
            .filter(outstanding)
            .collect();
        // The last is tried first: what was answered soonest, and only then what perhaps never happened.
        next.sort_by_key(|&index| Reverse(operations[index].end.unwrap_or(u64::MAX)));
        for index in next {
            let Some(value) = apply(state.value, operations[index].action) else {
                continue;
            };
            let following = state.with(index, value);
            if seen.insert(following.clone()) {
                open.push(following);
            }
        }
        if seen.len() > MAX_STATES {
            return Verdict::GaveUp;
        }
    }
    Verdict::Violation
}

/// What the register holds after an operation; `None` where it could not have answered so.
fn apply(value: u64, action: Action) -> Option<u64> {
    match action {
        Action::Read(read) => (read == value).then_some(value),
        Action::Write(new) => Some(new),
        Action::Swap { expected, new, done } => match (expected == value, done) {
            (true, Some(true) | None) => Some(new),
            (false, Some(false) | None) => Some(value),
            (true, Some(false)) | (false, Some(true)) => None,
        },
    }
}

/// Which operations have happened, and what the register holds then.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    done: Vec<u64>,
    value: u64,
}

impl State {
    fn has(&self, index: usize) -> bool {
        self.done[index / 64] & (1 << (index % 64)) != 0
    }

    fn with(&self, index: usize, value: u64) -> Self {
        let mut done = self.done.clone();
        done[index / 64] |= 1 << (index % 64);
        Self { done, value }
    }
}

#[cfg(test)]
mod tests;
