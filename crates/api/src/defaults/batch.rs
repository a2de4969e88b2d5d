//! Defaults of Jobs and CronJobs.

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};

use super::empty::{default_to, drop_blank, drop_empty};
use super::pod_template;

/// How often a Job's pods may fail.
const BACKOFF_LIMIT: i32 = 6;
/// How many successful and failed Jobs a CronJob keeps.
const SUCCESSFUL_JOBS_HISTORY: i32 = 3;
const FAILED_JOBS_HISTORY: i32 = 1;

/// Sets the defaults of a Job. Its selector and the labels that go with it are generated when it is created.
pub fn job(job: &mut Job) {
    let spec = job.spec.get_or_insert_default();
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let is_per_index = spec.backoff_limit_per_index.is_some();
    spec.backoff_limit
        .get_or_insert(if is_per_index { i32::MAX } else { BACKOFF_LIMIT });
    default_to(&mut spec.completion_mode, "NonIndexed");
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    drop_blank(&mut spec.managed_by);
    let policy = if spec.pod_failure_policy.is_some() {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    default_to(&mut spec.pod_replacement_policy, policy);
    template(spec);
    let labels = spec
        .template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.clone());
    if job.metadata.labels.is_none() {
        job.metadata.labels = labels;
    }
}

/// Sets the defaults of a CronJob. Those of its Jobs come when a Job is created.
pub fn cron_job(job: &mut CronJob) {
    let spec = job.spec.get_or_insert_default();
    default_to(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit
        .get_or_insert(SUCCESSFUL_JOBS_HISTORY);
    spec.failed_jobs_history_limit.get_or_insert(FAILED_JOBS_HISTORY);
    if let Some(metadata) = &mut spec.job_template.metadata {
        super::metadata(metadata);
    }
    template(spec.job_template.spec.get_or_insert_default());
    if let Some(status) = &mut job.status {
        drop_empty(&mut status.active);
    }
}

/// What the specs of Jobs have in common, wherever they stand.
fn template(spec: &mut JobSpec) {
    if let Some(policy) = &mut spec.pod_failure_policy {
        for rule in &mut policy.rules {
            drop_empty(&mut rule.on_pod_conditions);
            for pattern in rule.on_pod_conditions.iter_mut().flatten() {
                if pattern.status.is_empty() {
                    "True".clone_into(&mut pattern.status);
                }
            }
        }
    }
    pod_template(&mut spec.template);
}
