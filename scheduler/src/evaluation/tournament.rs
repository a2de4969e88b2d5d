//! The greatest of many ranks, kept while single ranks change: a tournament tree.
//!
//! Unlike a heap it has no stale entries and finds a contestant by its position.

/// Ranks by position; `None` takes no part. Of equal ranks the lowest position wins.
#[derive(Clone, Debug)]
pub(super) struct Tournament<R> {
    ranks: Vec<Option<R>>,
    /// The winner's position below each inner node; the root is 1, and leaf `p` is at `leaves() + p`.
    winners: Vec<u32>,
}

impl<R> Default for Tournament<R> {
    fn default() -> Self {
        Self {
            ranks: Vec::new(),
            winners: Vec::new(),
        }
    }
}

impl<R: Copy + Ord> Tournament<R> {
    /// Plays every match.
    pub(super) fn new(mut ranks: Vec<Option<R>>) -> Self {
        let leaves = ranks.len().next_power_of_two().max(2);
        ranks.resize(leaves, None);
        let mut tournament = Self {
            ranks,
            winners: vec![0; leaves],
        };
        for node in (1..leaves).rev() {
            tournament.winners[node] = tournament.play(node);
        }
        tournament
    }

    /// The position of the greatest rank.
    pub(super) fn best(&self) -> Option<usize> {
        let winner = *self.winners.get(1)? as usize;
        self.ranks[winner].is_some().then_some(winner)
    }

    /// The rank at a position.
    pub(super) fn get(&self, position: usize) -> Option<R> {
        self.ranks.get(position).copied().flatten()
    }

    /// Changes a rank and plays the matches that this can change.
    pub(super) fn set(&mut self, position: usize, rank: Option<R>) {
        self.ranks[position] = rank;
        let mut node = (self.winners.len() + position) / 2;
        while node >= 1 {
            let before = self.winners[node];
            let now = self.play(node);
            self.winners[node] = now;
            if before != position as u32 && now != position as u32 {
                // It neither won here nor does now: nobody above ever meets it.
                break;
            }
            node /= 2;
        }
    }

    fn play(&self, node: usize) -> u32 {
        let (left, right) = (self.winner_at(2 * node), self.winner_at(2 * node + 1));
        if self.ranks[right as usize] > self.ranks[left as usize] {
            right
        } else {
            left
        }
    }

    fn winner_at(&self, node: usize) -> u32 {
        let leaves = self.winners.len();
        if node >= leaves {
            (node - leaves) as u32
        } else {
            self.winners[node]
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_is_what_a_scan_finds(
            ranks in prop::collection::vec(prop::option::of(0_u8..20), 0..40),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(0_u8..20)), 0..60),
        ) {
            let mut model = ranks.clone();
            let mut tournament = Tournament::new(ranks);
            let scan = |model: &[Option<u8>]| {
                let best = model.iter().max().copied().flatten()?;
                model.iter().position(|rank| *rank == Some(best))
            };
            prop_assert_eq!(tournament.best(), scan(&model));
            for (index, rank) in changes {
                if model.is_empty() {
                    break;
                }
                let position = index.index(model.len());
                model[position] = rank;
                tournament.set(position, rank);
                prop_assert_eq!(tournament.best(), scan(&model));
                prop_assert_eq!(tournament.get(position), rank);
            }
        }
    }
}
