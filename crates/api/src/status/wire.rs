//! A failure as the JSON of a Status object, and back.

use serde::{Deserialize, Serialize};

use super::{ApiError, Details, Inner, Reason};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    metadata: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    status: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    #[serde(default)]
    code: u16,
}

impl ApiError {
    /// The Status object as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            kind: "Status".to_owned(),
            api_version: "v1".to_owned(),
            metadata: serde_json::Map::new(),
            status: "Failure".to_owned(),
            message: self.0.message.clone(),
            reason: self.0.reason.as_str().to_owned(),
            details: self.0.details.clone(),
            code: self.0.code,
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a Status object; `None` where the JSON is not a failure's Status.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(json).ok()?;
        if wire.kind != "Status" || wire.status == "Success" {
            return None;
        }
        let reason = Reason::from_parts(&wire.reason, wire.code);
        let code = if wire.code == 0 { reason.code() } else { wire.code };
        Some(Self(Box::new(Inner {
            code,
            reason,
            message: wire.message,
            details: wire.details,
        })))
    }
}
