//! One line of the audit log.

use std::collections::BTreeMap;

use coracle_api::time;
use coracle_service::Peer;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Level;
use crate::{Attributes, Target, review::user_info};

/// What is known of a request beside what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Tells it from all others.
    pub id: &'a str,
    /// As it stands in the request line.
    pub uri: &'a str,
    /// What the client calls itself; may be empty.
    pub user_agent: &'a str,
    /// Who came, where that is somebody else than who is acted as.
    pub caller: Option<&'a Peer>,
    /// When.
    pub received: Timestamp,
}

/// What became of a request.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The HTTP code.
    pub code: u16,
    /// The body of the request, where it is kept.
    pub request: Option<Value>,
    /// The body of the answer, where it is kept.
    pub response: Option<Value>,
}

/// A request that is kept.
#[derive(Clone, Debug)]
pub struct Event {
    level: Level,
    json: Value,
}

impl Event {
    /// Notes a request at a level above [`Level::None`].
    #[must_use]
    pub fn new(level: Level, asked: &Attributes<'_>, request: Request<'_>) -> Self {
        let Request {
            id,
            uri,
            user_agent,
            caller,
            received,
        } = request;
        let mut json = json!({
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": level.name(),
            "auditID": id,
            "stage": "ResponseComplete",
            "requestURI": uri,
            "verb": asked.verb,
            "user": user_info(caller.unwrap_or(asked.user)),
            "requestReceivedTimestamp": time::format_micro(received),
        });
        if caller.is_some() {
            json["impersonatedUser"] = user_info(asked.user);
        }
        if !user_agent.is_empty() {
            json["userAgent"] = json!(user_agent);
        }
        if let Target::Resource(about) = asked.target {
            let fields = [
                ("resource", about.resource),
                ("namespace", about.namespace),
                ("name", about.name),
                ("apiGroup", about.group),
                ("apiVersion", about.version),
                ("subresource", about.subresource),
            ];
            let object: serde_json::Map<String, Value> = fields
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(key, value)| (key.to_owned(), json!(value)))
                .collect();
            json["objectRef"] = Value::Object(object);
        }
        Self { level, json }
    }

    /// Adds what webhooks and policies say of the request.
    pub fn annotate(&mut self, annotations: BTreeMap<String, String>) {
        for (key, value) in annotations {
            self.json["annotations"][key] = value.into();
        }
    }

    /// How much of the request is kept.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The line, when the request has been answered.
    #[must_use]
    pub fn finish(mut self, outcome: Outcome, now: Timestamp) -> String {
        self.json["responseStatus"] = json!({"metadata": {}, "code": outcome.code});
        let decision = if outcome.code == 403 { "forbid" } else { "allow" };
        self.json["annotations"]["authorization.k8s.io/decision"] = json!(decision);
        if let Some(request) = outcome.request.filter(|_| self.level >= Level::Request) {
            self.json["requestObject"] = request;
        }
        if let Some(response) = outcome.response.filter(|_| self.level >= Level::RequestResponse) {
            self.json["responseObject"] = response;
        }
        self.json["stageTimestamp"] = json!(time::format_micro(now));
        self.json.to_string()
    }
}
