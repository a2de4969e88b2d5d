//! The rolling update of a DaemonSet: old pods go first and new ones follow, or with surge the other way round.

use jiff::Timestamp;

use super::{
    fleet::{Berth, Fit, Fleet},
    plan::Moves,
    pod,
};
use crate::view::{DaemonSet, DaemonUpdate, Pod};

/// What the update does next, where every node has what it should.
pub(super) fn moves<'a>(set: &DaemonSet, fleet: &Fleet<'a>, hash: &str, now: Timestamp) -> Moves<'a> {
    if set.update == DaemonUpdate::OnDelete {
        return Moves::default();
    }
    let wanted = fleet.values().filter(|berth| berth.fit == Fit::Runs).count();
    let (surge, unavailable) = set.surge_and_unavailable(i32::try_from(wanted).unwrap_or(i32::MAX));
    let is_available = |pod: &Pod| pod.is_available(set.min_ready_seconds, now);
    let counts = |berth: &&Berth<'_>| berth.fit == Fit::Runs || !berth.pods.is_empty();
    let berths = fleet
        .iter()
        .filter(|(_, berth)| counts(berth))
        .map(|(node, berth)| (*node, crew(berth, hash)));
    if surge == 0 {
        by_absence(berths, unavailable, is_available)
    } else {
        by_surge(berths, surge, is_available)
    }
}

/// The pods of a node that are not being deleted.
enum Crew<'a> {
    None,
    New(&'a Pod),
    Old(&'a Pod),
    Both {
        new: &'a Pod,
        old: &'a Pod,
    },
    /// More of a sort than there should be.
    Crowd,
}

fn crew<'a>(berth: &Berth<'a>, hash: &str) -> Crew<'a> {
    let there = berth.pods.iter().copied().filter(|pod| !pod.meta.is_deleting());
    let (new, old): (Vec<&Pod>, Vec<&Pod>) = there.partition(|pod| pod::hash(pod) == hash);
    match (new.as_slice(), old.as_slice()) {
        ([], []) => Crew::None,
        ([new], []) => Crew::New(new),
        ([], [old]) => Crew::Old(old),
        ([new], [old]) => Crew::Both { new, old },
        _ => Crew::Crowd,
    }
}

/// Deletes old pods: those that are of no use anyway, and as many others as may be missing.
fn by_absence<'a>(
    berths: impl Iterator<Item = (&'a str, Crew<'a>)>,
    max_unavailable: usize,
    is_available: impl Fn(&Pod) -> bool,
) -> Moves<'a> {
    let mut missing = 0;
    let (mut useless, mut candidates) = (Vec::new(), Vec::new());
    for (_, crew) in berths {
        match crew {
            Crew::New(new) if is_available(new) => {}
            Crew::None | Crew::New(_) | Crew::Both { .. } | Crew::Crowd => missing += 1,
            Crew::Old(old) if is_available(old) => candidates.push(old),
            Crew::Old(old) => useless.push(old),
        }
    }
    let others = candidates
        .into_iter()
        .take(max_unavailable.saturating_sub(missing));
    Moves {
        delete: useless.into_iter().chain(others).collect(),
        create: Vec::new(),
    }
}

/// Makes new pods beside old ones, and deletes old ones whose new one is available.
fn by_surge<'a>(
    berths: impl Iterator<Item = (&'a str, Crew<'a>)>,
    max_surge: usize,
    is_available: impl Fn(&Pod) -> bool,
) -> Moves<'a> {
    let mut surging = 0;
    let mut moves = Moves::default();
    let mut candidates = Vec::new();
    for (node, crew) in berths {
        match crew {
            Crew::None | Crew::New(_) => {}
            Crew::Crowd => surging += 1,
            Crew::Old(old) if is_available(old) => candidates.push(node),
            // It is of no use, so a new one costs nothing.
            Crew::Old(_) => moves.create.push(node),
            Crew::Both { new, old } if is_available(new) => moves.delete.push(old),
            Crew::Both { .. } => surging += 1,
        }
    }
    let others = candidates.into_iter().take(max_surge.saturating_sub(surging));
    moves.create.extend(others);
    moves
}
