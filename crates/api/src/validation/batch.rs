//! Jobs and CronJobs.

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec};

use super::apps::shown_selector;
use super::check::{Errors, IMMUTABLE, not_negative, one_of, text};
use super::selector::{label_selector, matches_template};
use super::{immutable, pod_template, schedule};
use crate::field_error::{FieldError, Path, Value};

/// How many pods an indexed Job may run at once.
const MAX_INDEXED_PARALLELISM: i32 = 100_000;
/// The names of a CronJob's Jobs get 11 characters more, and have at most 63.
const CRON_JOB_NAME_MAX: usize = 52;
const POLICY_RULES_MAX: usize = 20;

/// Mistakes in a new Job, outside its metadata. Its selector has been generated, unless it is manual.
pub fn job(job: &Job) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &job.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = job_spec(spec, &path);
    match &spec.selector {
        None => errors.push(FieldError::required(&path.child("selector"), "")),
        Some(selector) => errors.extend(matches_template(selector, &spec.template, &path)),
    }
    if spec.manual_selector != Some(true) {
        generated_selector(&mut errors, job, spec, &path);
    }
    errors
}

/// A selector that nobody chose must select by the Job's UID, and the template must carry the labels that go with it.
fn generated_selector(errors: &mut Errors, job: &Job, spec: &JobSpec, path: &Path) {
    let labels = spec
        .template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    let uid = text(&job.metadata.uid);
    let name = text(&job.metadata.name);
    let at = path.child("template").child("metadata").child("labels");
    for (label, expected) in [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ] {
        let own = labels.and_then(|labels| labels.get(label));
        match own {
            Some(own) if own == expected => {}
            None => errors.push(FieldError::required(&at, format!("must be '{expected}'"))),
            Some(own) => errors.push(FieldError::invalid(
                &at,
                super::check::go_map(labels),
                format!("label '{label}' must be '{expected}', is '{own}'"),
            )),
        }
    }
    let selects = |label: &str| {
        let own = spec.selector.as_ref().and_then(|own| own.match_labels.as_ref());
        own.and_then(|own| own.get(label)).is_some_and(|own| own == uid)
    };
    if !selects("batch.kubernetes.io/controller-uid") && !selects("controller-uid") {
        errors.push(FieldError::invalid(
            &path.child("selector"),
            shown_selector(&spec.selector),
            "`selector` not auto-generated",
        ));
    }
}

/// What the spec of a Job must hold to, wherever it stands.
fn job_spec(spec: &JobSpec, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (field, value) in [
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ] {
        not_negative(&mut errors, path, field, value);
    }
    not_negative(
        &mut errors,
        path,
        "activeDeadlineSeconds",
        spec.active_deadline_seconds,
    );
    if let Some(selector) = &spec.selector {
        errors.extend(label_selector(selector, &path.child("selector")));
    }
    indexed(&mut errors, spec, path);
    replacement(&mut errors, spec, path);
    errors.extend(pod_template(&spec.template, false, &path.child("template")));
    let own = spec.template.spec.as_ref();
    let policy = own.map(|own| text(&own.restart_policy)).unwrap_or_default();
    let path = path.child("template").child("spec").child("restartPolicy");
    match policy {
        "OnFailure" | "Never" => {}
        "Always" => errors.push(FieldError::required(
            &path,
            "valid values: \"OnFailure\", \"Never\"",
        )),
        other => errors.push(FieldError::not_supported(&path, other, &["Never", "OnFailure"])),
    }
    if spec.pod_failure_policy.is_some() && policy != "Never" {
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(FieldError::invalid(&path, policy, detail));
    }
    errors
}

/// What belongs to Jobs whose pods have indexes.
fn indexed(errors: &mut Errors, spec: &JobSpec, path: &Path) {
    one_of(
        errors,
        path,
        "completionMode",
        &spec.completion_mode,
        &["Indexed", "NonIndexed"],
    );
    if text(&spec.completion_mode) == "Indexed" {
        if spec.completions.is_none() {
            let detail = "when completion mode is Indexed";
            errors.push(FieldError::required(&path.child("completions"), detail));
        }
        if let Some(own) = spec.parallelism.filter(|own| *own > MAX_INDEXED_PARALLELISM) {
            let detail = "must be less than or equal to 100000 when completion mode is Indexed";
            errors.push(FieldError::invalid(&path.child("parallelism"), own, detail));
        }
        let (max, completions) = (spec.max_failed_indexes, spec.completions);
        if let (Some(max), Some(completions)) = (max, completions)
            && max > completions
        {
            let detail = "must be less than or equal to completions";
            errors.push(FieldError::invalid(&path.child("maxFailedIndexes"), max, detail));
        }
    } else {
        for (field, value) in [
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ] {
            if let Some(value) = value {
                errors.push(FieldError::invalid(
                    &path.child(field),
                    value,
                    "requires indexed completion mode",
                ));
            }
        }
        if let Some(policy) = &spec.success_policy {
            let detail = "requires indexed completion mode";
            errors.push(FieldError::invalid(
                &path.child("successPolicy"),
                Value::json(policy),
                detail,
            ));
        }
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let detail = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(&path.child("backoffLimitPerIndex"), detail));
    }
}

/// What becomes of pods that fail.
fn replacement(errors: &mut Errors, spec: &JobSpec, path: &Path) {
    let supported: &[&str] = if spec.pod_failure_policy.is_some() {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    one_of(
        errors,
        path,
        "podReplacementPolicy",
        &spec.pod_replacement_policy,
        supported,
    );
    let Some(policy) = &spec.pod_failure_policy else {
        return;
    };
    let path = path.child("podFailurePolicy").child("rules");
    if policy.rules.len() > POLICY_RULES_MAX {
        errors.push(FieldError::too_many(&path, policy.rules.len(), POLICY_RULES_MAX));
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        let path = path.index(index);
        let action = Some(rule.action.clone());
        one_of(
            errors,
            &path,
            "action",
            &action,
            &["Count", "FailIndex", "FailJob", "Ignore"],
        );
        match (&rule.on_exit_codes, &rule.on_pod_conditions) {
            (None, None) => {
                let detail = "specifying one of OnExitCodes and OnPodConditions is required";
                errors.push(FieldError::invalid(&path, Value::json(rule), detail));
            }
            (Some(_), Some(_)) => {
                let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
                errors.push(FieldError::invalid(&path, Value::json(rule), detail));
            }
            _ => {}
        }
        if let Some(codes) = &rule.on_exit_codes {
            let path = path.child("onExitCodes");
            one_of(
                errors,
                &path,
                "operator",
                &Some(codes.operator.clone()),
                &["In", "NotIn"],
            );
            if codes.values.is_empty() {
                let detail = "at least one value is required";
                errors.push(FieldError::invalid(
                    &path.child("values"),
                    Value::bare("[]"),
                    detail,
                ));
            }
        }
    }
}

/// Mistakes in the change of a Job: what its pods are made of stands for ever.
pub fn job_update(new: &Job, old: &Job) -> Vec<FieldError> {
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else {
        return vec![FieldError::required(&Path::new("spec"), "")];
    };
    if spec == before {
        return Vec::new();
    }
    let path = Path::new("spec");
    let mut errors = job_spec(spec, &path);
    let is_elastic = text(&spec.completion_mode) == "Indexed" && spec.completions == spec.parallelism;
    if spec.completions != before.completions && !is_elastic {
        let shown = spec.completions.map_or_else(|| Value::bare("null"), Value::from);
        errors.push(FieldError::invalid(&path.child("completions"), shown, IMMUTABLE));
    }
    errors.extend(immutable(
        &spec.selector,
        &before.selector,
        &path.child("selector"),
        shown_selector,
    ));
    if template_of(spec, new, old) != before.template {
        let shown = Value::json(&spec.template);
        errors.push(FieldError::invalid(&path.child("template"), shown, IMMUTABLE));
    }
    macro_rules! fixed {
        ($($field:ident: $name:literal,)*) => {$(
            errors.extend(immutable(&spec.$field, &before.$field, &path.child($name), Value::json));
        )*};
    }
    fixed! {
        completion_mode: "completionMode",
        pod_failure_policy: "podFailurePolicy",
        backoff_limit_per_index: "backoffLimitPerIndex",
        managed_by: "managedBy",
        success_policy: "successPolicy",
    }
    errors
}

/// The template without what may still change: where the pods of a suspended Job may go, before any was made.
fn template_of(spec: &JobSpec, new: &Job, old: &Job) -> k8s_openapi::api::core::v1::PodTemplateSpec {
    let mut template = spec.template.clone();
    let was_suspended = old.spec.as_ref().and_then(|spec| spec.suspend) == Some(true);
    let has_started = new
        .status
        .as_ref()
        .is_some_and(|status| status.start_time.is_some());
    if !was_suspended || has_started {
        return template;
    }
    let Some(before) = old.spec.as_ref().map(|spec| &spec.template) else {
        return template;
    };
    if let (Some(own), Some(before)) = (&mut template.spec, &before.spec) {
        own.node_selector.clone_from(&before.node_selector);
        own.tolerations.clone_from(&before.tolerations);
        own.scheduling_gates.clone_from(&before.scheduling_gates);
        own.affinity.clone_from(&before.affinity);
    }
    if let (Some(own), Some(before)) = (&mut template.metadata, &before.metadata) {
        own.annotations.clone_from(&before.annotations);
        own.labels.clone_from(&before.labels);
    }
    template
}

/// Mistakes in a CronJob, outside what all metadata must hold to.
pub fn cron_job(job: &CronJob) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &job.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = cron_job_spec(spec, &path);
    let name = text(&job.metadata.name);
    if name.len() > CRON_JOB_NAME_MAX {
        let detail = "must be no more than 52 characters";
        errors.push(FieldError::invalid(
            &Path::new("metadata").child("name"),
            name,
            detail,
        ));
    }
    errors
}

/// Mistakes in the change of a CronJob.
pub fn cron_job_update(new: &CronJob, old: &CronJob) -> Vec<FieldError> {
    if new.spec == old.spec {
        return Vec::new();
    }
    match &new.spec {
        Some(spec) => cron_job_spec(spec, &Path::new("spec")),
        None => vec![FieldError::required(&Path::new("spec"), "")],
    }
}

fn cron_job_spec(spec: &CronJobSpec, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    schedule::schedule(&mut errors, &spec.schedule, spec.time_zone.as_deref(), path);
    not_negative(
        &mut errors,
        path,
        "startingDeadlineSeconds",
        spec.starting_deadline_seconds,
    );
    one_of(
        &mut errors,
        path,
        "concurrencyPolicy",
        &spec.concurrency_policy,
        &["Allow", "Forbid", "Replace"],
    );
    for (field, value) in [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ] {
        not_negative(&mut errors, path, field, value);
    }
    let path = path.child("jobTemplate").child("spec");
    let Some(own) = &spec.job_template.spec else {
        errors.push(FieldError::required(&path, ""));
        return errors;
    };
    if own.manual_selector == Some(true) {
        let path = path.child("manualSelector");
        errors.push(FieldError::not_supported(&path, true, &["nil", "false"]));
    }
    if own.selector.is_some() {
        errors.push(FieldError::invalid(
            &path.child("selector"),
            shown_selector(&own.selector),
            "`selector` will be auto-generated",
        ));
    }
    let mut own = own.clone();
    // What a Job's own defaults will set is not missing here.
    own.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    own.pod_replacement_policy
        .get_or_insert_with(|| "Failed".to_owned());
    errors.extend(job_spec(&own, &path));
    errors
}
