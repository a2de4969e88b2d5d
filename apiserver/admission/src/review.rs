//! `AdmissionReview` of `admission.k8s.io/v1` on the wire: what a webhook is asked and what it answers.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use coracle_api::{ApiError, Details, Reason};
use coracle_custom::review::Kind;
use serde::Deserialize;
use serde_json::Value;

use crate::Objects;

/// The only version of the review that is spoken.
pub(crate) const VERSION: &str = "v1";

const REVIEW: Kind = Kind {
    api_version: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    missing: "webhook response is missing the response field",
};

/// The body of a call. `request` is that of [`crate::Attributes::request`]; the objects' bytes are copied as they are.
pub(crate) fn body(request: &Value, uid: &str, objects: &Objects) -> Bytes {
    let mut request = request.clone();
    request["uid"] = uid.into();
    let json = |object: &'_ Option<Bytes>| object.clone().unwrap_or(Bytes::from_static(b"null"));
    let (object, old) = (json(&objects.object), json(&objects.old));
    REVIEW.body(&request, [("object", &object[..]), ("oldObject", &old[..])])
}

/// What a webhook decided.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Response {
    pub allowed: bool,
    status: Option<Status>,
    patch: Option<String>,
    patch_type: Option<String>,
    pub audit_annotations: BTreeMap<String, String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    message: String,
    reason: String,
    code: u16,
    details: Option<Details>,
}

/// Reads the answer to the review `uid`.
///
/// # Errors
/// What is wrong with the answer.
pub(crate) fn read(body: &[u8], uid: &str) -> Result<Response, String> {
    REVIEW.response(body, uid, |error| {
        format!("couldn't get version/kind; json parse error: {error}")
    })
}

impl Response {
    /// The object as the webhook wants it; `None` where it wants no change.
    ///
    /// # Errors
    /// What is wrong with the patch.
    pub fn apply(&self, object: Option<&Bytes>) -> Result<Option<Bytes>, String> {
        let Some(patch) = self.patch.as_ref().filter(|patch| !patch.is_empty()) else {
            return match &self.patch_type {
                Some(_) => Err("webhook returned response.patchType but not response.patch".to_owned()),
                None => Ok(None),
            };
        };
        match self.patch_type.as_deref() {
            Some("JSONPatch") => {}
            None => return Err("webhook returned response.patch but not response.patchType".to_owned()),
            Some(other) => return Err(format!("unsupported patch type {other:?}")),
        }
        let patch = STANDARD
            .decode(patch)
            .map_err(|error| format!("read response.patch as base64: {error}"))?;
        let patch: json_patch::Patch = serde_json::from_slice(&patch).map_err(|error| error.to_string())?;
        if patch.0.is_empty() {
            return Ok(None);
        }
        let Some(object) = object else {
            return Err("unsupported: a patch where there is no object".to_owned());
        };
        let mut value: Value = serde_json::from_slice(object).map_err(|error| error.to_string())?;
        json_patch::patch(&mut value, &patch).map_err(|error| error.to_string())?;
        let patched = serde_json::to_vec(&value).map_err(|error| error.to_string())?;
        Ok(Some(patched.into()))
    }

    /// The refusal as the client sees it.
    pub fn denial(self, webhook: &str) -> ApiError {
        let Status {
            message,
            reason,
            code,
            details,
        } = self.status.unwrap_or_default();
        let denied = format!("admission webhook {webhook:?} denied the request");
        let message = match (message.as_str(), reason.as_str()) {
            ("", "") => format!("{denied} without explanation"),
            ("", reason) => format!("{denied}: {reason}"),
            (message, _) => format!("{denied}: {message}"),
        };
        let reason = Reason::parse(&reason).unwrap_or(Reason::Unknown);
        let error = ApiError::new(reason, message).with_code(if code < 400 { 400 } else { code });
        match details {
            Some(details) => error.with_details(details),
            None => error,
        }
    }
}
