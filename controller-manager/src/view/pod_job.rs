//! What Jobs ask about their pods, and nobody else does.

use coracle_api::{ApiError, kinds, view::or_default};
use coracle_client::Object;
use jiff::Timestamp;
use serde::Deserialize;

use super::{Meta, Pod};

/// Keeps a pod until its Job has counted it.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The label of a Job's name; the annotation and label of a pod's number.
pub(crate) const JOB_NAME: &str = "batch.kubernetes.io/job-name";
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often the pods of an index failed before this one, and how often that was ignored.
pub(crate) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
pub(crate) const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// The part of a Job's pod that only its Job looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodOfJob {
    /// The Job it belongs to, or belonged to.
    pub(crate) name: Box<str>,
    /// Its number.
    pub(crate) index: Option<u32>,
    /// Failures of its number's pods before it.
    pub(crate) failures: u32,
    pub(crate) ignored: u32,
    /// When it ended, for one that has.
    pub(crate) finished_at: Option<Timestamp>,
    /// Containers that ended badly, with their codes.
    pub(crate) exits: Vec<(Box<str>, i32)>,
    /// Types and states of its conditions, of pods that failed.
    pub(crate) conditions: Vec<(Box<str>, Box<str>)>,
}

#[derive(Deserialize)]
struct Json {
    metadata: Annotated,
    #[serde(default, deserialize_with = "or_default")]
    status: Status,
}

#[derive(Deserialize)]
struct Annotated {
    #[serde(default, deserialize_with = "or_default")]
    annotations: coracle_api::Labels,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    phase: Box<str>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    init_container_statuses: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: Box<str>,
    status: Box<str>,
    last_transition_time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Container {
    name: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    terminated: Option<Terminated>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    #[serde(default)]
    exit_code: i32,
    finished_at: Option<Timestamp>,
}

impl PodOfJob {
    /// Reads it where the pod is a Job's.
    pub(super) fn read(object: &Object, meta: &Meta) -> Result<Option<Self>, ApiError> {
        let owner = meta
            .controller()
            .filter(|owner| owner.resource == Some(kinds::JOB));
        let by_label = meta.labels.get(JOB_NAME).filter(|_| meta.has_finalizer(TRACKING));
        let Some(name) = owner.map(|owner| &*owner.name).or(by_label) else {
            return Ok(None);
        };
        let Json {
            metadata: Annotated { annotations },
            status,
        } = object.read()?;
        let number = |annotation: &str| annotations.get(annotation).and_then(|text| text.parse().ok());
        let ended = status
            .init_container_statuses
            .into_iter()
            .chain(status.container_statuses)
            .filter_map(|own| Some((own.name, own.state.terminated?)));
        let (mut finished_at, mut exits) = (None, Vec::new());
        for (name, terminated) in ended {
            finished_at = finished_at.max(terminated.finished_at);
            if terminated.exit_code != 0 {
                exits.push((name, terminated.exit_code));
            }
        }
        let ready = status.conditions.iter().find(|own| &*own.kind == "Ready");
        let is_failed = &*status.phase == "Failed";
        let is_finished = is_failed || &*status.phase == "Succeeded";
        let finished_at = finished_at.or_else(|| ready.and_then(|own| own.last_transition_time));
        let conditions = status.conditions.into_iter().map(|own| (own.kind, own.status));
        Ok(Some(Self {
            name: name.into(),
            index: number(INDEX),
            failures: number(FAILURES).unwrap_or(0),
            ignored: number(IGNORED).unwrap_or(0),
            finished_at: finished_at.filter(|_| is_finished),
            exits,
            conditions: if is_failed {
                conditions.collect()
            } else {
                Vec::new()
            },
        }))
    }
}

impl Pod {
    /// Its Job has not let go of it.
    pub(crate) fn is_tracked(&self) -> bool {
        self.meta.has_finalizer(TRACKING)
    }

    /// Its number among the pods of its Job.
    pub(crate) fn index(&self) -> Option<u32> {
        self.of_job.as_ref()?.index
    }
}
