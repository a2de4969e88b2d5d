//! What a Job needs. Source: the Job page of the Kubernetes documentation.

use std::sync::Arc;

use coracle_api::{kinds, time};
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;

use super::{
    ending::{self, Ending},
    look::Look,
    pods::{self, Pace},
    tracking,
};
use crate::{
    view::{Condition, Job, JobStatus, Pod, TRACKING},
    writes,
};

const SUSPENDED: &str = "Suspended";

/// What is known about a Job.
pub(crate) struct Snapshot {
    /// `None` where it is gone, verified.
    pub(super) job: Option<Arc<Job>>,
    /// Its pods.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Pods that carry the finalizer and belong to no Job that is there.
    pub(super) strangers: Vec<Arc<Pod>>,
    /// Pods to adopt, verified.
    pub(super) orphans: Vec<Arc<Pod>>,
    pub(super) pace: Pace,
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let_go(&snapshot.strangers, &mut plan);
    let Some(job) = snapshot.job.as_deref().filter(|job| job.is_ours()) else {
        return plan;
    };
    if job.finished().is_some() {
        let_go(&snapshot.pods, &mut plan);
        return plan;
    }
    adopt(job, &snapshot.orphans, &mut plan);
    let look = Look::new(job, &snapshot.pods);
    let mut ending = ending::decide(&look, now, &mut plan);
    let mut active = look.active.len();
    if !job.meta.is_deleting() {
        if ending.is_some() {
            active -= pods::delete_active(&look, &mut plan);
        } else if snapshot.orphans.is_empty() {
            active = pods::manage(&look, &snapshot.pace, now, &mut plan);
            ending = ending::completion(&look, active);
        }
    }
    tracking::let_go(&look, ending.as_ref(), &mut plan);
    update_status(&look, ending.as_ref(), active, now, &mut plan);
    plan
}

fn let_go(pods: &[Arc<Pod>], plan: &mut Plan) {
    for pod in pods.iter().filter(|pod| pod.is_tracked()) {
        plan.write(writes::remove_finalizer(kinds::POD, &pod.meta, TRACKING));
    }
}

/// Pods of a Job with a selector of its own that were there before it.
fn adopt(job: &Job, orphans: &[Arc<Pod>], plan: &mut Plan) {
    let owner = writes::owner_reference(kinds::JOB, &job.meta);
    for pod in orphans {
        plan.write(writes::adopt(kinds::POD, &pod.meta, &owner));
    }
}

fn update_status(look: &Look<'_>, ending: Option<&Ending>, active: usize, now: Timestamp, plan: &mut Plan) {
    let job = look.job;
    let mut status = job.status.clone();
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let deleted = look.active.len().saturating_sub(active);
    status.active = count(active);
    status.ready = Some(count(look.ready.min(active)));
    status.terminating = Some(count(look.terminating + deleted));
    tracking::count(look, &mut status);
    let mut note = None;
    if status.start_time.is_none() && !job.spec.suspend {
        status.start_time = Some(time::whole_seconds(now));
    }
    match ending {
        Some(ending) => note = end(look, ending, &mut status, now),
        None => note = suspend_or_resume(job, &mut status, now).or(note),
    }
    if status != job.status {
        plan.steps.push(Step {
            write: writes::patch_status_exactly(kinds::JOB, &job.meta, &status.to_patch()),
            then: note,
            otherwise: None,
        });
    }
}

/// Says that the Job ends, and once nothing is left of its pods to count, that it has ended.
fn end(look: &Look<'_>, ending: &Ending, status: &mut JobStatus, now: Timestamp) -> Option<Note> {
    let job = look.job;
    if job.condition(ending.interim()).is_none() {
        status.conditions.push(condition(
            ending.interim(),
            "True",
            &ending.reason,
            &ending.message,
            now,
        ));
    }
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let all_counted = uncounted.is_none_or(|own| own.succeeded.is_empty() && own.failed.is_empty());
    let all_gone = status.active == 0 && status.terminating == Some(0);
    if !all_counted || !all_gone || look.pods.iter().any(|pod| pod.is_tracked()) {
        return None;
    }
    status.conditions.push(condition(
        ending.terminal(),
        "True",
        &ending.reason,
        &ending.message,
        now,
    ));
    let about = job.meta.reference(kinds::JOB);
    if ending.succeeds {
        status.completion_time = Some(time::whole_seconds(now));
        return Some(Note::normal(about, "Completed", "Job completed"));
    }
    Some(Note::warning(about, ending.reason_of_event(), &*ending.message))
}

fn suspend_or_resume(job: &Job, status: &mut JobStatus, now: Timestamp) -> Option<Note> {
    let known = status.conditions.iter_mut().find(|own| &*own.kind == SUSPENDED);
    let was = known.as_ref().map(|own| &*own.status == "True");
    let about = job.meta.reference(kinds::JOB);
    let (is, reason, told) = match (job.spec.suspend, was) {
        (true, None | Some(false)) => ("True", "JobSuspended", "Job suspended"),
        (false, Some(true)) => ("False", "JobResumed", "Job resumed"),
        _ => return None,
    };
    let new = condition(SUSPENDED, is, reason, told, now);
    match known {
        Some(own) => *own = new,
        None => status.conditions.push(new),
    }
    if job.spec.suspend {
        return Some(Note::normal(about, "Suspended", told));
    }
    // Its time begins anew.
    status.start_time = Some(time::whole_seconds(now));
    Some(Note::normal(about, "Resumed", told))
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Condition {
    Condition {
        last_update_time: None,
        ..Condition::new(kind, status, reason, message, now)
    }
}
