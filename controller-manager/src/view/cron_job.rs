//! CronJobs.

use coracle_api::{ApiError, time, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Meta;

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct CronJob {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) spec: CronJobSpec,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) status: CronJobStatus,
}

/// spec
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CronJobSpec {
    #[serde(deserialize_with = "or_default")]
    pub(crate) schedule: Box<str>,
    pub(crate) time_zone: Option<Box<str>>,
    pub(crate) starting_deadline_seconds: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) concurrency_policy: ConcurrencyPolicy,
    #[serde(deserialize_with = "or_default")]
    pub(crate) suspend: bool,
    pub(crate) successful_jobs_history_limit: Option<usize>,
    pub(crate) failed_jobs_history_limit: Option<usize>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) job_template: JobTemplate,
}

/// What happens when it is time and the last Job still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum ConcurrencyPolicy {
    #[default]
    Allow,
    Forbid,
    Replace,
}

/// spec.jobTemplate, as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobTemplate {
    #[serde(deserialize_with = "or_default")]
    pub(crate) metadata: TemplateMeta,
    pub(crate) spec: Value,
}

/// What of a template's metadata its Jobs get.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TemplateMeta {
    pub(crate) labels: Value,
    pub(crate) annotations: Value,
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CronJobStatus {
    /// Jobs that have not ended, oldest first.
    #[serde(deserialize_with = "or_default")]
    pub(crate) active: Vec<ActiveJob>,
    pub(crate) last_schedule_time: Option<Timestamp>,
    pub(crate) last_successful_time: Option<Timestamp>,
}

/// A Job that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ActiveJob {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) name: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) uid: Box<str>,
}

impl CronJobStatus {
    /// As a patch of the whole status.
    pub(crate) fn to_patch(&self, namespace: &str) -> Value {
        let at = |time: Option<Timestamp>| time.map_or(Value::Null, |time| time::format(time).into());
        let active = self.active.iter().map(|job| {
            json!({"apiVersion": "batch/v1", "kind": "Job", "namespace": namespace, "name": job.name, "uid": job.uid})
        });
        json!({"status": {
            "active": if self.active.is_empty() { Value::Null } else { active.collect() },
            "lastScheduleTime": at(self.last_schedule_time),
            "lastSuccessfulTime": at(self.last_successful_time),
        }})
    }
}

impl Project for CronJob {
    fn project(object: &Object) -> Result<Self, ApiError> {
        object.read()
    }
}
