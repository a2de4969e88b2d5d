//! Reviews: what every webhook is asked and answers in the same form, whether it admits objects or converts them.
//!
//! The request is put together of bytes, so that the objects in it are those of the caller; of the answer, only what
//! answers this very review is believed.

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A kind of review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Such as `admission.k8s.io/v1`.
    pub api_version: &'static str,
    /// Such as `AdmissionReview`.
    pub kind: &'static str,
    /// What is said where an answer has no response.
    pub missing: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    api_version: String,
    response: Option<Map<String, Value>>,
}

impl Kind {
    /// The body of a call with this request, to which `fields` are added: their values are JSON already.
    #[must_use]
    pub fn body<'a>(&self, request: &Value, fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Bytes {
        let head = serde_json::json!(self.api_version);
        let kind = serde_json::json!(self.kind);
        let mut body = format!("{{\"kind\":{kind},\"apiVersion\":{head},\"request\":{request}").into_bytes();
        // Reopens the request, which has fields.
        body.pop();
        for (name, value) in fields {
            body.extend_from_slice(format!(",\"{name}\":").as_bytes());
            body.extend_from_slice(value);
        }
        body.extend_from_slice(b"}}");
        body.into()
    }

    /// The response of an answer to the review `uid`. That the answer is no JSON is told by `unreadable`.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn response<T: DeserializeOwned>(
        &self,
        answer: &[u8],
        uid: &str,
        unreadable: impl Fn(serde_json::Error) -> String,
    ) -> Result<T, String> {
        let answer: Answer = serde_json::from_slice(answer).map_err(&unreadable)?;
        if (answer.kind.as_str(), answer.api_version.as_str()) != (self.kind, self.api_version) {
            return Err(format!(
                "expected webhook response of {}, Kind={}, got {}, Kind={}",
                self.api_version, self.kind, answer.api_version, answer.kind
            ));
        }
        let response = answer.response.ok_or(self.missing)?;
        let found = response.get("uid").and_then(Value::as_str).unwrap_or_default();
        if found != uid {
            return Err(format!("expected response.uid={uid:?}, got {found:?}"));
        }
        serde_json::from_value(Value::Object(response)).map_err(unreadable)
    }
}
