//! Which pods a Job creates and deletes.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    BURST,
    look::{Look, finished_at, limit, tries},
    policy::{self, Verdict},
};
use crate::{
    view::{FAILURES, IGNORED, INDEX, Job, Phase, Pod, TRACKING},
    writes,
};

/// The longest wait before a failed pod is replaced.
const BACKOFF_MAX: Duration = Duration::from_secs(600);
/// A host name has at most 63 characters, of which a generated name takes five.
const HOST_NAME_MAX: usize = 63;
const SUFFIX: usize = 5;

/// How long to wait after a failure, and what is remembered of earlier ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) backoff: Duration,
    pub(super) known: Failures,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// When the last one was.
    pub(super) last: Option<Timestamp>,
}

impl Failures {
    /// Those that the pods tell of, since the last of them that succeeded; and where pods are gone that were known to have
    /// failed since, no fewer than those.
    pub(super) fn of(look: &Look<'_>, known: Self) -> Self {
        let ended_well = look.pods.iter().filter(|pod| pod.phase == Phase::Succeeded);
        let since = ended_well
            .map(|pod| finished_at(pod))
            .max()
            .unwrap_or(Timestamp::MIN);
        let failed = look
            .pods
            .iter()
            .filter(|pod| look.is_failed(pod))
            .map(|pod| finished_at(pod))
            .filter(|at| *at > since);
        let (count, last) = failed.fold((0_u32, None), |(count, last), at| {
            (count.saturating_add(1), last.max(Some(at)))
        });
        let seen = Self { count, last };
        if known.last.is_some_and(|last| last > since) && known.count > count {
            Self {
                last: known.last.max(last),
                ..known
            }
        } else {
            seen
        }
    }
}

/// Creates or deletes what makes the number right; returns how many will be active.
pub(super) fn manage(look: &Look<'_>, pace: &Pace, now: Timestamp, plan: &mut Plan) -> usize {
    let (job, active) = (look.job, look.active.len());
    let wanted = if job.spec.suspend { 0 } else { wanted(look) };
    let doomed = doomed(look, wanted, now);
    if !doomed.is_empty() {
        for pod in &doomed {
            // It is no failure that there are too many.
            if pod.is_tracked() {
                plan.write(writes::remove_finalizer(kinds::POD, &pod.meta, TRACKING));
            }
            plan.steps.push(deletion(job, pod));
        }
        return active - doomed.len();
    }
    let leaving = if job.replaces_only_failed() {
        look.terminating
    } else {
        0
    };
    let missing = wanted.saturating_sub(active + leaving).min(BURST);
    if missing == 0 || job.spec.suspend {
        return active;
    }
    let bodies = if job.is_indexed() {
        indexed(look, missing, pace, now, plan)
    } else if let Some(wait) = backoff(look, pace, now) {
        plan.look_again_after(wait);
        Vec::new()
    } else {
        vec![plain(job); missing]
    };
    let about = job.meta.reference(kinds::JOB);
    plan.slow_start = true;
    for body in &bodies {
        plan.steps.push(Step {
            write: writes::create(kinds::POD, &job.meta.namespace, body.clone()),
            then: Some(Note::normal(
                about.clone(),
                "SuccessfulCreate",
                "Created pod: {name}",
            )),
            otherwise: Some(Note::warning(
                about.clone(),
                "FailedCreate",
                "Error creating: {error}",
            )),
        });
    }
    active + bodies.len()
}

/// Ends all active pods, because the Job does; returns how many.
pub(super) fn delete_active(look: &Look<'_>, plan: &mut Plan) -> usize {
    let doomed = look.active.iter().take(BURST);
    plan.steps
        .extend(doomed.clone().map(|pod| deletion(look.job, pod)));
    doomed.len()
}

fn deletion(job: &Job, pod: &Pod) -> Step {
    let about = job.meta.reference(kinds::JOB);
    let told = format!("Deleted pod: {}", pod.meta.name);
    Step {
        write: writes::delete(kinds::POD, &pod.meta, Propagation::Background),
        then: Some(Note::normal(about.clone(), "SuccessfulDelete", told)),
        otherwise: Some(Note::warning(about, "FailedDelete", "Error deleting: {error}")),
    }
}

/// How many pods should be active.
fn wanted(look: &Look<'_>) -> usize {
    let number = |own: i32| usize::try_from(own).unwrap_or(0);
    let parallelism = number(look.job.spec.parallelism.unwrap_or(1));
    match look.job.spec.completions {
        Some(completions) => number(completions)
            .saturating_sub(look.succeeded)
            .min(parallelism),
        // Once one has succeeded no more are started; those that run may end.
        None if look.succeeded > 0 => look.active.len().min(parallelism),
        None => parallelism,
    }
}

/// Pods that must go: second ones of a number, numbers that the Job no longer has, and then as many as are too many.
fn doomed<'a>(look: &Look<'a>, wanted: usize, now: Timestamp) -> Vec<&'a Arc<Pod>> {
    let mut active = look.active.clone();
    // The least advanced first, so that of two with the same number the better one stays.
    active.sort_by_cached_key(|pod| rank(pod, now));
    let (mut doomed, mut rest) = (Vec::new(), Vec::new());
    if look.job.is_indexed() {
        let mut kept = BTreeSet::new();
        for pod in active.into_iter().rev() {
            let valid = look
                .valid_index(pod)
                .filter(|index| !look.completed.contains(*index));
            match valid {
                Some(index) if kept.insert(index) => rest.push(pod),
                _ => doomed.push(pod),
            }
        }
        rest.reverse();
    } else {
        rest = active;
    }
    let surplus = rest.len().saturating_sub(wanted);
    doomed.extend(rest.into_iter().take(surplus));
    doomed.truncate(BURST);
    doomed
}

/// Lower goes first, as with ReplicaSets.
fn rank(pod: &Pod, now: Timestamp) -> impl Ord + use<> {
    let phase = match pod.phase {
        Phase::Pending => 0,
        Phase::Unknown => 1,
        _ => 2,
    };
    let ready_for = pod
        .ready_changed
        .filter(|_| pod.ready)
        .map_or(0, |at| now.as_second() - at.as_second());
    (
        !pod.node.is_empty(),
        phase,
        pod.ready,
        pod.meta.annotations,
        ready_for,
        Reverse(pod.restarts),
        Reverse(pod.meta.created),
        pod.meta.uid.clone(),
    )
}

/// How long to wait until a pod may be created, doubling with each failure since the last success.
fn backoff(look: &Look<'_>, pace: &Pace, now: Timestamp) -> Option<Duration> {
    let failures = Failures::of(look, pace.known);
    remaining(failures.last?, failures.count, pace.backoff, now)
}

fn remaining(last: Timestamp, failures: u32, first: Duration, now: Timestamp) -> Option<Duration> {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = first.saturating_mul(factor.max(1)).min(BACKOFF_MAX);
    let passed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    wait.checked_sub(passed).filter(|left| !left.is_zero())
}

/// The bodies of pods for the first numbers that have none and may be tried.
fn indexed(look: &Look<'_>, missing: usize, pace: &Pace, now: Timestamp, plan: &mut Plan) -> Vec<Bytes> {
    let job = look.job;
    let per_index = job.spec.backoff_limit_per_index.is_some();
    if !per_index && let Some(wait) = backoff(look, pace, now) {
        plan.look_again_after(wait);
        return Vec::new();
    }
    let waits = |pod: &&Arc<Pod>| pod.is_active() || (job.replaces_only_failed() && !pod.is_finished());
    let taken = look.pods.iter().filter(waits).filter_map(|pod| pod.index());
    let taken: BTreeSet<u32> = taken.collect();
    let mut bodies = Vec::new();
    for index in 0..limit(job) {
        if bodies.len() == missing {
            break;
        }
        if taken.contains(&index) || look.completed.contains(index) || look.failed_indexes.contains(index) {
            continue;
        }
        let before = look.retried.get(&index).copied();
        if let Some(failed) = before {
            let count = tries(failed).saturating_add(1);
            if let Some(wait) = remaining(finished_at(failed), count, pace.backoff, now) {
                plan.look_again_after(wait);
                continue;
            }
        }
        bodies.push(numbered(job, index, per_index.then_some(before)));
    }
    bodies
}

fn plain(job: &Job) -> Bytes {
    body(
        job,
        format!("{}-", job.meta.name),
        job.spec.template.metadata.clone(),
        &job.spec.template.spec,
    )
}

/// The pod of a number. `before` is set where failures are counted by number: then the last failed one, if any.
fn numbered(job: &Job, index: u32, before: Option<Option<&Pod>>) -> Bytes {
    let mut metadata = job.spec.template.metadata.clone();
    let text = index.to_string();
    metadata["annotations"][INDEX] = json!(text);
    metadata["labels"][INDEX] = json!(text);
    if let Some(before) = before {
        let own = before.and_then(|pod| Some((pod, pod.of_job.as_ref()?)));
        let (failures, ignored) = own.map_or((0, 0), |(pod, own)| {
            let was_ignored = policy::judge(job, pod) == Verdict::Ignore;
            (
                own.failures + u32::from(!was_ignored),
                own.ignored + u32::from(was_ignored),
            )
        });
        metadata["annotations"][FAILURES] = json!(failures.to_string());
        if ignored > 0 {
            metadata["annotations"][IGNORED] = json!(ignored.to_string());
        }
    }
    let mut spec: Value = serde_json::from_str(&job.spec.template.spec).unwrap_or_default();
    let variable = json!({
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}},
    });
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            match container["env"].as_array_mut() {
                Some(env) if env.iter().any(|own| own["name"] == variable["name"]) => {}
                Some(env) => env.push(variable.clone()),
                None => container["env"] = json!([variable]),
            }
        }
    }
    let host = format!("{}-{index}", job.meta.name);
    if host.len() <= HOST_NAME_MAX {
        spec["hostname"] = json!(host);
    }
    let end = format!("-{index}-");
    let room = HOST_NAME_MAX.saturating_sub(SUFFIX + end.len());
    let stem: String = job.meta.name.chars().take(room).collect();
    body(job, format!("{stem}{end}"), metadata, &spec.to_string())
}

fn body(job: &Job, generate_name: String, mut metadata: Value, spec: &str) -> Bytes {
    metadata["generateName"] = json!(generate_name);
    metadata["ownerReferences"] = json!([writes::owner_reference(kinds::JOB, &job.meta)]);
    let mut finalizers = metadata["finalizers"].as_array().cloned().unwrap_or_default();
    finalizers.push(json!(TRACKING));
    metadata["finalizers"] = finalizers.into();
    Bytes::from(format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{metadata},"spec":{spec}}}"#
    ))
}
