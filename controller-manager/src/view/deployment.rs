//! Deployments.

use coracle_api::{ApiError, LabelSelector, Labels, time, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{HasMeta, Meta, Selects, Template, replica_set::annotations};

#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    pub(crate) meta: Meta,
    pub(crate) annotations: Labels,
    pub(crate) replicas: i32,
    pub(crate) selector: LabelSelector,
    /// spec.selector, as it is.
    pub(crate) selector_json: Value,
    pub(crate) template: Template,
    pub(crate) strategy: Strategy,
    pub(crate) min_ready_seconds: i64,
    /// `None` for no limit.
    pub(crate) revision_history_limit: Option<i32>,
    pub(crate) paused: bool,
    /// `None` for no deadline.
    pub(crate) progress_deadline_seconds: Option<i64>,
    pub(crate) status: DeploymentStatus,
}

/// spec.strategy
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    Recreate,
    RollingUpdate {
        max_surge: IntOrString,
        max_unavailable: IntOrString,
    },
}

impl Default for Strategy {
    fn default() -> Self {
        Self::RollingUpdate {
            max_surge: IntOrString::percent(25),
            max_unavailable: IntOrString::percent(25),
        }
    }
}

/// A number, or a share of another number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum IntOrString {
    Int(i32),
    String(Box<str>),
}

impl IntOrString {
    pub(crate) fn percent(percent: i32) -> Self {
        Self::String(format!("{percent}%").into())
    }

    /// The number, or its share of `total`, rounded as asked; zero where the text is no percentage.
    pub(crate) fn resolve(&self, total: i32, round_up: bool) -> i32 {
        match self {
            Self::Int(number) => *number,
            Self::String(text) => {
                let percent = text
                    .strip_suffix('%')
                    .and_then(|digits| digits.parse::<i64>().ok())
                    .unwrap_or(0);
                let share = percent * i64::from(total);
                let rounded = if round_up {
                    (share + 99).div_euclid(100)
                } else {
                    share.div_euclid(100)
                };
                i32::try_from(rounded).unwrap_or(i32::MAX)
            }
        }
    }
}

/// status
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentStatus {
    pub(crate) observed_generation: i64,
    pub(crate) replicas: i32,
    pub(crate) updated_replicas: i32,
    pub(crate) ready_replicas: i32,
    pub(crate) available_replicas: i32,
    pub(crate) unavailable_replicas: i32,
    pub(crate) collision_count: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

/// A condition of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: Box<str>,
    pub(crate) status: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) reason: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) message: Box<str>,
    /// Deployments only.
    pub(crate) last_update_time: Option<Timestamp>,
    pub(crate) last_transition_time: Option<Timestamp>,
}

impl Condition {
    pub(crate) fn new(kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Self {
        let now = Some(time::whole_seconds(now));
        Self {
            kind: kind.into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            last_update_time: now,
            last_transition_time: now,
        }
    }

    /// As JSON; null for none, which removes them.
    pub(crate) fn list(conditions: &[Self]) -> Value {
        if conditions.is_empty() {
            Value::Null
        } else {
            conditions.iter().map(Self::to_json).collect()
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({"type": self.kind, "status": self.status});
        let texts = [("reason", &self.reason), ("message", &self.message)];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            json[name] = json!(text);
        }
        let times = [
            ("lastUpdateTime", self.last_update_time),
            ("lastTransitionTime", self.last_transition_time),
        ];
        for (name, at) in times {
            if let Some(at) = at {
                json[name] = json!(time::format(at));
            }
        }
        json
    }
}

#[derive(Deserialize)]
struct Json {
    metadata: Meta,
    #[serde(default)]
    spec: SpecJson,
    #[serde(default, deserialize_with = "or_default")]
    status: DeploymentStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    replicas: Option<i32>,
    selector: Value,
    #[serde(deserialize_with = "or_default")]
    template: Template,
    #[serde(deserialize_with = "or_default")]
    strategy: StrategyJson,
    #[serde(deserialize_with = "or_default")]
    min_ready_seconds: i64,
    revision_history_limit: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    paused: bool,
    progress_deadline_seconds: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StrategyJson {
    #[serde(rename = "type")]
    kind: Option<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    rolling_update: RollingJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RollingJson {
    max_surge: Option<IntOrString>,
    max_unavailable: Option<IntOrString>,
}

impl Project for Deployment {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        } = object.read()?;
        let selector = Option::<LabelSelector>::deserialize(&spec.selector)
            .map_err(|error| ApiError::internal(format!("read selector of deployment: {error}")))?;
        let strategy = match spec.strategy.kind.as_deref() {
            Some("Recreate") => Strategy::Recreate,
            _ => {
                let RollingJson {
                    max_surge,
                    max_unavailable,
                } = spec.strategy.rolling_update;
                let usual = || IntOrString::percent(25);
                Strategy::RollingUpdate {
                    max_surge: max_surge.unwrap_or_else(usual),
                    max_unavailable: max_unavailable.unwrap_or_else(usual),
                }
            }
        };
        Ok(Self {
            meta: metadata,
            annotations: annotations(object)?,
            replicas: spec.replicas.unwrap_or(1),
            selector: selector.unwrap_or_else(LabelSelector::nothing),
            selector_json: spec.selector,
            template: spec.template,
            strategy,
            min_ready_seconds: spec.min_ready_seconds,
            // The largest number means that there is no limit, as upstream has it.
            revision_history_limit: spec.revision_history_limit.filter(|limit| *limit != i32::MAX),
            paused: spec.paused,
            progress_deadline_seconds: spec
                .progress_deadline_seconds
                .filter(|seconds| *seconds != i64::from(i32::MAX)),
            status,
        })
    }
}

impl HasMeta for Deployment {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl Selects for Deployment {
    fn selector(&self) -> &LabelSelector {
        &self.selector
    }
}

impl Deployment {
    /// How many pods there may be above, and how many may be missing below, the wanted number. Both shares rounded to
    /// zero would stand still, so one pod may be missing then.
    pub(crate) fn surge_and_unavailable(&self) -> (i32, i32) {
        let Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } = &self.strategy
        else {
            return (0, 0);
        };
        let surge = max_surge.resolve(self.replicas, true);
        let unavailable = max_unavailable.resolve(self.replicas, false);
        if surge == 0 && unavailable == 0 {
            (0, 1)
        } else {
            (surge, unavailable)
        }
    }
}
