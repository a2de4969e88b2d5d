//! What a CronJob needs. Source: the CronJob page of the Kubernetes documentation.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::{kinds, time};
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::times::{Due, Times};
use crate::{
    view::{ActiveJob, ConcurrencyPolicy, CronJob, Job, SCHEDULED_AT},
    writes,
};

/// What is known about a CronJob.
pub(crate) struct Snapshot {
    pub(super) cron_job: Arc<CronJob>,
    /// Its Jobs.
    pub(super) jobs: Vec<Arc<Job>>,
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    update_status(snapshot, &mut plan);
    remove_history(snapshot, &mut plan);
    let cron_job = &*snapshot.cron_job;
    if cron_job.meta.is_deleting() || cron_job.spec.suspend {
        return plan;
    }
    let times = match Times::of(cron_job) {
        Ok(times) => times,
        Err(why) => {
            let told = format!("unparseable schedule: {} : {why}", cron_job.spec.schedule);
            plan.notes.push(warning(cron_job, "UnparseableSchedule", told));
            return plan;
        }
    };
    if let Some(due) = times.due(acted_until(snapshot, now), now) {
        act(snapshot, &times, &due, now, &mut plan);
    }
    if let Some(next) = times.next_after(now) {
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        plan.look_again_after(wait);
    }
    plan
}

/// Up to when everything was acted upon, or is too old to be.
fn acted_until(snapshot: &Snapshot, now: Timestamp) -> Timestamp {
    let cron_job = &snapshot.cron_job;
    let last = last_schedule_time(snapshot).unwrap_or(cron_job.meta.created);
    let deadline = cron_job.spec.starting_deadline_seconds;
    // A time that is exactly at its deadline still counts.
    let oldest = deadline.and_then(|seconds| Timestamp::from_second(now.as_second() - seconds - 1).ok());
    oldest.map_or(last, |oldest| last.max(oldest))
}

fn last_schedule_time(snapshot: &Snapshot) -> Option<Timestamp> {
    let made = snapshot.jobs.iter().filter_map(|job| job.scheduled_at).max();
    made.max(snapshot.cron_job.status.last_schedule_time)
}

/// Jobs of the schedule that have not ended.
fn active(snapshot: &Snapshot) -> Vec<&Arc<Job>> {
    let is_active = |job: &&Arc<Job>| job.scheduled_at.is_some() && job.finished().is_none();
    let mut active: Vec<&Arc<Job>> = snapshot.jobs.iter().filter(is_active).collect();
    active.sort_by_key(|job| (job.scheduled_at, job.meta.uid.clone()));
    active
}

fn act(snapshot: &Snapshot, times: &Times, due: &Due, now: Timestamp, plan: &mut Plan) {
    let cron_job = &*snapshot.cron_job;
    if due.too_many {
        let told =
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        plan.notes.push(warning(cron_job, "TooManyMissedTimes", told));
    }
    let deadline = cron_job.spec.starting_deadline_seconds;
    if deadline.is_some_and(|seconds| due.at.as_second().saturating_add(seconds) < now.as_second()) {
        let told = format!("Missed scheduled time to start a job: {}", time::format(due.at));
        plan.notes.push(warning(cron_job, "MissSchedule", told));
        return;
    }
    // A schedule that is finer than a minute makes one Job a minute: names tell no less.
    if snapshot
        .jobs
        .iter()
        .any(|job| *job.meta.name == *name_of(cron_job, due.at))
    {
        return;
    }
    // One that is being deleted may still run.
    let active = active(snapshot);
    match cron_job.spec.concurrency_policy {
        ConcurrencyPolicy::Forbid if !active.is_empty() => {
            let told = "Not starting job because prior execution is running and concurrency policy is Forbid";
            plan.notes.push(normal(cron_job, "JobAlreadyActive", told));
            return;
        }
        ConcurrencyPolicy::Replace if !active.is_empty() => {
            for job in active.iter().filter(|job| !job.meta.is_deleting()) {
                plan.steps.push(deletion(cron_job, job));
            }
        }
        _ => {}
    }
    plan.steps.push(Step {
        write: writes::create(
            kinds::JOB,
            &cron_job.meta.namespace,
            job_of(cron_job, times, due.at),
        ),
        then: Some(normal(cron_job, "SuccessfulCreate", "Created job {name}")),
        otherwise: Some(warning(cron_job, "FailedCreate", "Error creating job: {error}")),
    });
}

fn name_of(cron_job: &CronJob, at: Timestamp) -> String {
    format!("{}-{}", cron_job.meta.name, at.as_second().div_euclid(60))
}

fn job_of(cron_job: &CronJob, times: &Times, at: Timestamp) -> Bytes {
    let template = &cron_job.spec.job_template;
    let mut annotations = template
        .metadata
        .annotations
        .as_object()
        .cloned()
        .unwrap_or_default();
    annotations.insert(SCHEDULED_AT.to_owned(), json!(times.in_zone(at)));
    let mut metadata = json!({
        "name": name_of(cron_job, at),
        "annotations": annotations,
        "ownerReferences": [writes::owner_reference(kinds::CRON_JOB, &cron_job.meta)],
    });
    if template.metadata.labels.is_object() {
        metadata["labels"] = template.metadata.labels.clone();
    }
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template.spec});
    Bytes::from(job.to_string())
}

fn update_status(snapshot: &Snapshot, plan: &mut Plan) {
    let cron_job = &*snapshot.cron_job;
    let mut status = cron_job.status.clone();
    for known in &cron_job.status.active {
        match snapshot.jobs.iter().find(|job| job.meta.uid == known.uid) {
            Some(job) => {
                if let Some(condition) = job.finished() {
                    let told = format!("Saw completed job: {}, condition: {}", known.name, condition.kind);
                    plan.notes.push(normal(cron_job, "SawCompletedJob", told));
                }
            }
            None => {
                let told = format!("Active job went missing: {}", known.name);
                plan.notes.push(normal(cron_job, "MissingJob", told));
            }
        }
    }
    tell_of_others(snapshot, plan);
    let active = active(snapshot).into_iter();
    status.active = active
        .map(|job| ActiveJob {
            name: job.meta.name.clone(),
            uid: job.meta.uid.clone(),
        })
        .collect();
    status.last_schedule_time = last_schedule_time(snapshot);
    let succeeded = snapshot
        .jobs
        .iter()
        .filter(|job| job.condition("Complete").is_some());
    let succeeded = succeeded.filter_map(|job| job.status.completion_time).max();
    status.last_successful_time = status.last_successful_time.max(succeeded);
    if status != cron_job.status {
        let patch: Value = status.to_patch(&cron_job.meta.namespace);
        plan.write(writes::patch_status(kinds::CRON_JOB, &cron_job.meta, &patch));
    }
}

/// Jobs that somebody else made in the CronJob's name; they end by themselves and do not count.
fn tell_of_others(snapshot: &Snapshot, plan: &mut Plan) {
    let cron_job = &*snapshot.cron_job;
    let is_known = |job: &Job| {
        cron_job
            .status
            .active
            .iter()
            .any(|known| known.uid == job.meta.uid)
    };
    let others = snapshot
        .jobs
        .iter()
        .filter(|job| job.scheduled_at.is_none() && job.finished().is_none() && !is_known(job));
    for job in others {
        let told = format!(
            "Saw a job that the controller did not create or forgot: {}",
            job.meta.name
        );
        plan.notes.push(warning(cron_job, "UnexpectedJob", told));
    }
}

/// Deletes the oldest of the Jobs that have ended, beyond as many as are kept.
fn remove_history(snapshot: &Snapshot, plan: &mut Plan) {
    let spec = &snapshot.cron_job.spec;
    let limits = [
        ("Complete", spec.successful_jobs_history_limit),
        ("Failed", spec.failed_jobs_history_limit),
    ];
    for (condition, limit) in limits {
        let Some(limit) = limit else { continue };
        let ended = |job: &&Arc<Job>| job.condition(condition).is_some() && !job.meta.is_deleting();
        let mut ended: Vec<&Arc<Job>> = snapshot.jobs.iter().filter(ended).collect();
        ended.sort_by_key(|job| {
            (
                job.status.start_time.unwrap_or(job.meta.created),
                job.meta.name.clone(),
            )
        });
        let surplus = ended.len().saturating_sub(limit);
        for job in ended.into_iter().take(surplus) {
            plan.steps.push(deletion(&snapshot.cron_job, job));
        }
    }
}

fn deletion(cron_job: &CronJob, job: &Job) -> Step {
    Step {
        write: writes::delete(kinds::JOB, &job.meta, Propagation::Background),
        then: Some(normal(
            cron_job,
            "SuccessfulDelete",
            format!("Deleted job {}", job.meta.name),
        )),
        otherwise: Some(warning(cron_job, "FailedDelete", "Deleted job: {error}")),
    }
}

fn normal(cron_job: &CronJob, reason: &'static str, message: impl Into<String>) -> Note {
    Note::normal(cron_job.meta.reference(kinds::CRON_JOB), reason, message)
}

fn warning(cron_job: &CronJob, reason: &'static str, message: impl Into<String>) -> Note {
    Note::warning(cron_job.meta.reference(kinds::CRON_JOB), reason, message)
}
