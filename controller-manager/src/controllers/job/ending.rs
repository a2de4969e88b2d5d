//! Whether a Job comes to its end, and why.

use std::time::Duration;

use coracle_runtime::Plan;
use jiff::Timestamp;

use super::{
    look::{Look, limit},
    policy::{self, Verdict},
};
use crate::view::Phase;

pub(super) const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";
pub(super) const FAILURE_TARGET: &str = "FailureTarget";

/// Why Jobs fail.
const FAILURES: [&str; 5] = [
    "PodFailurePolicy",
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "MaxFailedIndexesExceeded",
    "FailedIndexes",
];

/// How a Job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) succeeds: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Ending {
    fn failure(reason: &str, message: impl Into<String>) -> Self {
        Self {
            succeeds: false,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn success(reason: &str, message: impl Into<String>) -> Self {
        Self {
            succeeds: true,
            ..Self::failure(reason, message)
        }
    }

    /// The reason once more, as events take it.
    pub(super) fn reason_of_event(&self) -> &'static str {
        let known = FAILURES.iter().find(|known| **known == self.reason);
        known.copied().unwrap_or("Failed")
    }

    /// The condition that tells of it before the pods have ended.
    pub(super) fn interim(&self) -> &'static str {
        if self.succeeds {
            SUCCESS_CRITERIA_MET
        } else {
            FAILURE_TARGET
        }
    }

    /// The condition that tells of it afterwards.
    pub(super) fn terminal(&self) -> &'static str {
        if self.succeeds { "Complete" } else { "Failed" }
    }
}

/// Why the Job ends though it could go on; also asks to be called again at its deadline.
pub(super) fn decide(look: &Look<'_>, now: Timestamp, plan: &mut Plan) -> Option<Ending> {
    let decided = decided(look)
        .or_else(|| by_failure_policy(look))
        .or_else(|| by_backoff_limit(look))
        .or_else(|| by_deadline(look, now, plan));
    if !look.job.is_indexed() {
        return decided;
    }
    decided.or_else(|| by_failed_indexes(look)).or_else(|| {
        let why = policy::success(look.job, &look.completed, limit(look.job))?;
        Some(Ending::success("SuccessPolicy", why))
    })
}

/// What was decided on an earlier look stands.
fn decided(look: &Look<'_>) -> Option<Ending> {
    if let Some(known) = look.job.condition(FAILURE_TARGET) {
        return Some(Ending::failure(&known.reason, &*known.message));
    }
    let known = look.job.condition(SUCCESS_CRITERIA_MET)?;
    Some(Ending::success(&known.reason, &*known.message))
}

fn by_failure_policy(look: &Look<'_>) -> Option<Ending> {
    look.job.spec.pod_failure_policy.as_ref()?;
    look.pods
        .iter()
        .find_map(|pod| match policy::judge(look.job, pod) {
            Verdict::FailJob(why) => Some(Ending::failure("PodFailurePolicy", why)),
            _ => None,
        })
}

fn by_backoff_limit(look: &Look<'_>) -> Option<Ending> {
    let limit = usize::try_from(look.job.spec.backoff_limit.unwrap_or(i32::MAX)).unwrap_or(0);
    // Containers that are restarted in place count, too.
    let restarts = look
        .active
        .iter()
        .filter(|pod| matches!(pod.phase, Phase::Pending | Phase::Running));
    let restarts: usize = restarts.map(|pod| pod.restarts as usize).sum();
    let is_past = restarts > 0 && restarts >= limit;
    (look.failed > limit || is_past).then(|| {
        Ending::failure(
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        )
    })
}

fn by_deadline(look: &Look<'_>, now: Timestamp, plan: &mut Plan) -> Option<Ending> {
    let job = look.job;
    let seconds = job.spec.active_deadline_seconds.filter(|_| !job.spec.suspend)?;
    // A Job that starts with this plan has all of its time left.
    let start = job.status.start_time.unwrap_or(now);
    let left = start.as_second().saturating_add(seconds) - now.as_second();
    match u64::try_from(left) {
        Ok(left @ 1..) => {
            plan.look_again_after(Duration::from_secs(left));
            None
        }
        _ => Some(Ending::failure(
            "DeadlineExceeded",
            "Job was active longer than specified deadline",
        )),
    }
}

fn by_failed_indexes(look: &Look<'_>) -> Option<Ending> {
    look.job.spec.backoff_limit_per_index?;
    let failed = look.failed_indexes.len();
    if look.job.spec.max_failed_indexes.is_some_and(|most| failed > most) {
        let why = "Job has exceeded the specified maximal number of failed indexes";
        return Some(Ending::failure("MaxFailedIndexesExceeded", why));
    }
    let all = limit(look.job) as usize;
    (failed > 0 && failed + look.completed.len() >= all)
        .then(|| Ending::failure("FailedIndexes", "Job has failed indexes"))
}

/// Whether the Job has done what it was for, with so many pods left.
pub(super) fn completion(look: &Look<'_>, active: usize) -> Option<Ending> {
    let is_complete = active == 0
        && match look.job.spec.completions.map(usize::try_from) {
            Some(wanted) => look.succeeded >= wanted.unwrap_or(0),
            // Pods that agree among themselves when the work is done.
            None => look.succeeded > 0,
        };
    is_complete.then(|| Ending::success("CompletionsReached", "Reached expected number of succeeded pods"))
}
