//! Jobs.

use coracle_api::{ApiError, LabelSelector, Labels, time, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{PodFailurePolicy, SuccessPolicy};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Condition, Meta, Template, object::Json};

/// Who manages Jobs where nothing else is said.
const OURSELVES: &str = "kubernetes.io/job-controller";

#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    pub(crate) meta: Meta,
    pub(crate) spec: JobSpec,
    pub(crate) selector: LabelSelector,
    pub(crate) status: JobStatus,
    /// The time of its CronJob's schedule that it was made for.
    pub(crate) scheduled_at: Option<Timestamp>,
}

/// The annotation that tells for which time of a schedule a Job was made.
pub(crate) const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// spec
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct JobSpec {
    pub(crate) parallelism: Option<i32>,
    pub(crate) completions: Option<i32>,
    pub(crate) active_deadline_seconds: Option<i64>,
    pub(crate) backoff_limit: Option<i32>,
    pub(crate) backoff_limit_per_index: Option<u32>,
    pub(crate) max_failed_indexes: Option<usize>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) completion_mode: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) suspend: bool,
    pub(crate) pod_failure_policy: Option<Box<PodFailurePolicy>>,
    pub(crate) success_policy: Option<Box<SuccessPolicy>>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) pod_replacement_policy: Box<str>,
    pub(crate) ttl_seconds_after_finished: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    managed_by: Box<str>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) template: Template,
    selector: Option<LabelSelector>,
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct JobStatus {
    pub(crate) active: i32,
    pub(crate) ready: Option<i32>,
    pub(crate) terminating: Option<i32>,
    pub(crate) succeeded: i32,
    pub(crate) failed: i32,
    #[serde(deserialize_with = "or_default")]
    pub(crate) completed_indexes: Box<str>,
    pub(crate) failed_indexes: Option<Box<str>>,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) completion_time: Option<Timestamp>,
    pub(crate) uncounted_terminated_pods: Option<Uncounted>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

/// UIDs of pods that have ended, that still carry the finalizer, and that are in no counter yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Uncounted {
    #[serde(deserialize_with = "or_default")]
    pub(crate) succeeded: Vec<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) failed: Vec<Box<str>>,
}

impl Project for Job {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            mut spec,
            status,
        }: Json<JobSpec, JobStatus, Labels> = object.read()?;
        let (meta, annotations) = metadata.split();
        let scheduled_at = annotations.get(SCHEDULED_AT).and_then(time::parse);
        Ok(Self {
            meta,
            scheduled_at,
            selector: spec.selector.take().unwrap_or_else(LabelSelector::nothing),
            spec,
            status,
        })
    }
}

impl Job {
    /// The condition of this type, where it is true.
    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        let mut conditions = self.status.conditions.iter();
        conditions.find(|own| &*own.kind == kind && &*own.status == "True")
    }

    /// The condition by which it has ended.
    pub(crate) fn finished(&self) -> Option<&Condition> {
        self.condition("Complete").or_else(|| self.condition("Failed"))
    }

    /// Nobody else has been named as its manager.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(&*self.spec.managed_by, "" | OURSELVES)
    }

    /// Its pods have numbers.
    pub(crate) fn is_indexed(&self) -> bool {
        &*self.spec.completion_mode == "Indexed"
    }

    /// A pod is replaced only once it has ended.
    pub(crate) fn replaces_only_failed(&self) -> bool {
        &*self.spec.pod_replacement_policy == "Failed" || self.spec.pod_failure_policy.is_some()
    }
}

impl JobStatus {
    /// As a patch of the whole status.
    pub(crate) fn to_patch(&self) -> Value {
        let count = |number: i32| if number == 0 { Value::Null } else { number.into() };
        let at = |time: Option<Timestamp>| time.map_or(Value::Null, |time| time::format(time).into());
        let uids = |own: &[Box<str>]| if own.is_empty() { Value::Null } else { json!(own) };
        let uncounted = self.uncounted_terminated_pods.as_ref();
        let conditions = self.conditions.iter().map(|condition| {
            let mut json = condition.to_json();
            json["lastProbeTime"] = at(condition.last_transition_time);
            json
        });
        let indexes = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        json!({"status": {
            "active": count(self.active),
            "ready": self.ready,
            "terminating": self.terminating,
            "succeeded": count(self.succeeded),
            "failed": count(self.failed),
            "completedIndexes": indexes(&self.completed_indexes),
            "failedIndexes": self.failed_indexes,
            "startTime": at(self.start_time),
            "completionTime": at(self.completion_time),
            "uncountedTerminatedPods": uncounted.map(|own| json!({
                "succeeded": uids(&own.succeeded), "failed": uids(&own.failed),
            })),
            "conditions": if self.conditions.is_empty() { Value::Null } else { conditions.collect() },
        }})
    }
}
