//! Scaling a Deployment, also in the middle of a rollout: every ReplicaSet grows or shrinks in proportion.

use super::plan::{DESIRED, Draft, MAX};
use crate::view::{ReplicaSet, Strategy};

/// Whether the wanted number changed since the ReplicaSets were sized.
pub(super) fn was_scaled(draft: &Draft<'_>) -> bool {
    let wanted = i64::from(draft.deployment.replicas);
    draft
        .all()
        .filter(|set| set.is_active())
        .any(|set| set.number(DESIRED).is_some_and(|desired| desired != wanted))
}

/// Sizes all ReplicaSets for the wanted number.
pub(super) fn in_proportion(draft: &mut Draft<'_>) {
    let wanted = draft.deployment.replicas;
    if let Some(only) = only_one(draft) {
        return draft.resize(only, wanted);
    }
    let active_old: Vec<_> = draft.old.iter().copied().filter(|set| set.is_active()).collect();
    if is_saturated(draft) {
        active_old.into_iter().for_each(|set| draft.resize(set, 0));
        return;
    }
    if draft.deployment.strategy == Strategy::Recreate {
        return;
    }
    let mut sets = active_old;
    sets.extend(draft.new.filter(|new| new.is_active()));
    let (surge, _) = draft.deployment.surge_and_unavailable();
    let allowed = if wanted > 0 { wanted + surge } else { 0 };
    let total: i32 = sets.iter().map(|set| set.replicas).sum();
    let to_add = allowed - total;
    // The largest take the rest of the division; of equal ones, when growing the newest and when shrinking the
    // oldest.
    sets.sort_by_key(|set| (std::cmp::Reverse(set.replicas), set.meta.created));
    if to_add > 0 {
        sets.sort_by_key(|set| {
            (
                std::cmp::Reverse(set.replicas),
                std::cmp::Reverse(set.meta.created),
            )
        });
    }
    let mut sizes: Vec<i32> = sets.iter().map(|set| set.replicas).collect();
    let mut left = to_add;
    for (set, size) in sets.iter().zip(&mut sizes).filter(|_| to_add != 0) {
        if left == 0 {
            break;
        }
        let share = share(draft, set, wanted + surge);
        let share = if to_add > 0 {
            share.min(left)
        } else {
            share.max(left)
        };
        *size += share;
        left -= share;
    }
    if let Some(largest) = sizes.first_mut() {
        *largest = (*largest + left).max(0);
    }
    for (set, size) in sets.into_iter().zip(sizes) {
        draft.resize(set, size);
    }
}

/// How much a ReplicaSet should grow to keep its part of the whole.
fn share(draft: &Draft<'_>, set: &ReplicaSet, max: i32) -> i32 {
    if draft.deployment.replicas == 0 {
        return -set.replicas;
    }
    let base = set
        .number(MAX)
        .filter(|max| *max > 0)
        .unwrap_or(i64::from(draft.deployment.status.replicas));
    if base == 0 {
        return 0;
    }
    let size = f64::from(set.replicas) * f64::from(max) / base as f64;
    size.round() as i32 - set.replicas
}

/// The one ReplicaSet that matters, where there is just one: the active one, else the newest.
fn only_one<'a>(draft: &Draft<'a>) -> Option<&'a ReplicaSet> {
    let mut active = draft.all().filter(|set| set.is_active());
    match (active.next(), active.next()) {
        (None, _) => draft.new.or(draft.old.last().copied()),
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether the new ReplicaSet alone has all that is wanted.
fn is_saturated(draft: &Draft<'_>) -> bool {
    let wanted = draft.deployment.replicas;
    draft.new.is_some_and(|new| {
        new.replicas == wanted
            && new.number(DESIRED) == Some(i64::from(wanted))
            && new.status.available_replicas == wanted
    })
}
