//! The strategies: rolling update, and recreation.

use std::collections::BTreeMap;

use super::{plan::Draft, progress, revision};
use crate::view::{ReplicaSet, Strategy};

/// Replaces old pods by new ones, never more than `maxSurge` too many or `maxUnavailable` too few.
pub(super) fn roll(draft: &mut Draft<'_>) {
    revision::follow_or_create(draft);
    let Some(new) = draft.new else { return };
    let size = size_of_new(draft, new.replicas);
    if size != new.replicas {
        // Old ones go once the count of the new ones is known again.
        return draft.resize(new, size);
    }
    draft.resize(new, size);
    let sizes = sizes_of_old(draft, new);
    if sizes.is_empty() {
        if progress::is_complete(draft) {
            draft.remove_history();
        }
        return;
    }
    for set in draft.old.clone() {
        if let Some(size) = sizes.get(&*set.meta.uid) {
            draft.resize(set, *size);
        }
    }
}

/// Ends all old pods before the first new one is made.
pub(super) fn recreate(draft: &mut Draft<'_>) {
    revision::follow(draft);
    let active: Vec<_> = draft.old.iter().copied().filter(|set| set.is_active()).collect();
    if !active.is_empty() {
        active.into_iter().for_each(|set| draft.resize(set, 0));
        return;
    }
    let old_runs = |set: &&ReplicaSet| {
        set.status.replicas > 0
            || draft
                .snapshot
                .running
                .get(&set.meta.uid)
                .is_some_and(|pods| *pods > 0)
    };
    if draft.old.iter().any(old_runs) {
        return;
    }
    match draft.new {
        None => revision::follow_or_create(draft),
        Some(new) => draft.resize(new, draft.deployment.replicas),
    }
    if progress::is_complete(draft) {
        draft.remove_history();
    }
}

/// How many pods the new ReplicaSet may have now, given that it wants `present`.
pub(super) fn size_of_new(draft: &Draft<'_>, present: i32) -> i32 {
    let wanted = draft.deployment.replicas;
    if draft.deployment.strategy == Strategy::Recreate || present >= wanted {
        return wanted;
    }
    let (surge, _) = draft.deployment.surge_and_unavailable();
    let total: i32 = draft.all().map(|set| set.replicas).sum();
    let room = (wanted + surge - total).max(0);
    present + room.min(wanted - present)
}

/// New sizes of old ReplicaSets, for those that change: unhealthy pods go first, then as many others as may be
/// missing.
fn sizes_of_old<'a>(draft: &Draft<'a>, new: &ReplicaSet) -> BTreeMap<&'a str, i32> {
    let mut sizes: BTreeMap<&str, i32> = draft
        .old
        .iter()
        .filter(|set| set.is_active())
        .map(|set| (&*set.meta.uid, set.replicas))
        .collect();
    let (_, unavailable) = draft.deployment.surge_and_unavailable();
    let min_available = draft.deployment.replicas - unavailable.min(draft.deployment.replicas);
    let total: i32 = draft.all().map(|set| set.replicas).sum();
    let new_unavailable = new.replicas - new.status.available_replicas;
    let mut may_go = total - min_available - new_unavailable;
    if may_go <= 0 {
        return BTreeMap::new();
    }
    let before = sizes.clone();
    for set in &draft.old {
        let Some(size) = sizes.get_mut(&*set.meta.uid) else {
            continue;
        };
        let unhealthy = (*size - set.status.available_replicas).clamp(0, may_go);
        *size -= unhealthy;
        may_go -= unhealthy;
    }
    let available: i32 = draft.all().map(|set| set.status.available_replicas).sum();
    let mut may_go = (available - min_available).max(0);
    for set in &draft.old {
        let Some(size) = sizes.get_mut(&*set.meta.uid) else {
            continue;
        };
        let going = (*size).min(may_go);
        *size -= going;
        may_go -= going;
    }
    sizes.retain(|uid, size| before.get(uid) != Some(size));
    sizes
}
