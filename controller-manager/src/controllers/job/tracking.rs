//! Exact counting: every pod that ends is counted once, whatever happens in between.
//!
//! A pod carries a finalizer. First its UID goes into the status (or its number into `completedIndexes`), then it loses
//! the finalizer, then the counter grows and the UID goes. The process may end after any of the three.

use std::collections::BTreeSet;

use coracle_api::kinds;
use coracle_runtime::Plan;

use super::{
    ending::Ending,
    indexes::Indexes,
    look::{Look, limit},
    policy::{self, Verdict},
};
use crate::{
    view::{JobStatus, Phase, Pod, TRACKING, Uncounted},
    writes,
};

/// UIDs that a status holds at most; as upstream.
const UNCOUNTED_MAX: usize = 500;

/// Brings the counters and the list of uncounted pods up to date.
pub(super) fn count(look: &Look<'_>, status: &mut JobStatus) {
    let stored = look
        .job
        .status
        .uncounted_terminated_pods
        .clone()
        .unwrap_or_default();
    let tracked: BTreeSet<&str> = look
        .pods
        .iter()
        .filter(|pod| pod.is_tracked())
        .map(|pod| &*pod.meta.uid)
        .collect();
    let split = |uids: Vec<Box<str>>| -> (Vec<Box<str>>, i32) {
        let before = uids.len();
        let still: Vec<_> = uids.into_iter().filter(|uid| tracked.contains(&**uid)).collect();
        let counted = i32::try_from(before - still.len()).unwrap_or(i32::MAX);
        (still, counted)
    };
    let (mut succeeded, more_succeeded) = split(stored.succeeded);
    let (mut failed, more_failed) = split(stored.failed);
    status.failed = status.failed.saturating_add(more_failed);
    let mut room = UNCOUNTED_MAX.saturating_sub(succeeded.len() + failed.len());
    for (pods, list) in [
        (&look.new_succeeded, &mut succeeded),
        (&look.new_failed, &mut failed),
    ] {
        list.extend(pods.iter().take(room).map(|pod| pod.meta.uid.clone()));
        room -= pods.len().min(room);
    }
    if look.job.is_indexed() {
        status.succeeded = i32::try_from(look.completed.len()).unwrap_or(i32::MAX);
        status.completed_indexes = look.completed.to_string().into();
        if look.job.spec.backoff_limit_per_index.is_some() {
            status.failed_indexes = Some(look.failed_indexes.to_string().into());
        }
    } else {
        status.succeeded = status.succeeded.saturating_add(more_succeeded);
    }
    status.uncounted_terminated_pods = Some(Uncounted { succeeded, failed });
}

/// Lets go of the pods that the stored status speaks for.
pub(super) fn let_go(look: &Look<'_>, ending: Option<&Ending>, plan: &mut Plan) {
    let status = &look.job.status;
    let stored = status.uncounted_terminated_pods.clone().unwrap_or_default();
    let uids: BTreeSet<&str> = stored
        .succeeded
        .iter()
        .chain(&stored.failed)
        .map(|uid| &**uid)
        .collect();
    let completed = Indexes::parse(&status.completed_indexes, limit(look.job));
    let given_up = Indexes::parse(
        status.failed_indexes.as_deref().unwrap_or_default(),
        limit(look.job),
    );
    for pod in look.pods.iter().filter(|pod| pod.is_tracked()) {
        if look.job.meta.is_deleting()
            || speaks_for(look, pod, &uids, &completed) && !is_kept(look, pod, ending, &given_up)
        {
            plan.write(writes::remove_finalizer(kinds::POD, &pod.meta, TRACKING));
        }
    }
}

fn speaks_for(look: &Look<'_>, pod: &Pod, uids: &BTreeSet<&str>, completed: &Indexes) -> bool {
    let is_failed = look.is_failed(pod);
    if uids.contains(&*pod.meta.uid) {
        return true;
    }
    if !look.job.is_indexed() {
        return is_failed && policy::judge(look.job, pod) == Verdict::Ignore;
    }
    match (look.valid_index(pod), pod.phase) {
        // It counts for nothing.
        (None, Phase::Succeeded) => true,
        (None, _) => is_failed,
        (Some(index), Phase::Succeeded) => completed.contains(index),
        (Some(_), _) => is_failed && policy::judge(look.job, pod) == Verdict::Ignore,
    }
}

/// A failed pod of a number that will be tried again tells how often it was tried; and a number that will not be is
/// told first.
fn is_kept(look: &Look<'_>, pod: &Pod, ending: Option<&Ending>, given_up: &Indexes) -> bool {
    let Some(index) = look.valid_index(pod).filter(|_| ending.is_none()) else {
        return false;
    };
    let is_last = look
        .retried
        .get(&index)
        .is_some_and(|last| last.meta.uid == pod.meta.uid);
    is_last || (look.failed_indexes.contains(index) && !given_up.contains(index))
}
