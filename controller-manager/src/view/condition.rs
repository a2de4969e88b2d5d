//! Conditions, as every kind has them in its status.

use coracle_api::{time, view::or_default};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

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
