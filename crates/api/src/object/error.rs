//! Why JSON could not become an object, and how that is told to the client.

use serde::Deserialize;

use crate::kinds::Resource;
use crate::scan;
use crate::status::ApiError;

/// How much of a broken body an error message repeats, in bytes.
const SNIPPET_MAX_BYTES: usize = 64;

/// Why JSON could not become an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is not JSON.
    #[error("couldn't get version/kind; json parse error: {message} ({snippet})")]
    Syntax {
        /// What the parser says, with line and column.
        message: String,
        /// How the text begins.
        snippet: String,
    },
    /// The object says that it is of another kind.
    #[error("{kind} in version {api_version:?} cannot be handled as a {expected}: wrong kind")]
    WrongKind {
        /// The object's own `apiVersion`.
        api_version: String,
        /// The object's own `kind`.
        kind: String,
        /// The kind that was asked for.
        expected: String,
    },
    /// The object says that it is of another group or version.
    #[error("the API version in the data ({found}) does not match the expected API version ({expected})")]
    WrongVersion {
        /// The object's own `apiVersion`.
        found: String,
        /// The version that was asked for.
        expected: String,
    },
    /// A field has a value of the wrong type or form.
    #[error("json: cannot unmarshal field {path}: {message}")]
    Field {
        /// The field's path.
        path: String,
        /// What the decoder says.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeMeta {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
}

impl DecodeError {
    /// Finds out why decoding failed; only called when it did, so a second pass does not matter.
    pub(super) fn explain(resource: &Resource, json: &[u8], source: &serde_json::Error) -> Self {
        if let Ok(TypeMeta { api_version, kind }) = serde_json::from_slice::<TypeMeta>(json) {
            let api_version = api_version.unwrap_or_default();
            let kind = kind.unwrap_or_default();
            if !kind.is_empty() && kind != resource.kind {
                return Self::WrongKind {
                    api_version,
                    kind,
                    expected: resource.kind.to_owned(),
                };
            }
            if !api_version.is_empty() && api_version != resource.api_version {
                return Self::WrongVersion {
                    found: api_version,
                    expected: resource.api_version.to_owned(),
                };
            }
        }
        Self::broken(json, source)
    }

    pub(super) fn broken(json: &[u8], source: &serde_json::Error) -> Self {
        if source.is_syntax() || source.is_eof() {
            let snippet = String::from_utf8_lossy(&json[..json.len().min(SNIPPET_MAX_BYTES)]).into_owned();
            return Self::Syntax {
                message: source.to_string(),
                snippet,
            };
        }
        let message = source.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        let offset = scan::offset_of(json, source.line(), source.column());
        let path = scan::path_at(json, offset);
        let path = if path.is_empty() { "<nil>".to_owned() } else { path };
        Self::Field {
            path,
            message: message.to_owned(),
        }
    }

    /// The Status that upstream answers: 400 BadRequest.
    pub fn into_api_error(self, resource: &Resource) -> ApiError {
        let Resource { kind, version, .. } = resource;
        let message = match self {
            Self::Syntax { .. } => {
                format!("the object provided is unrecognized (must be of type {kind}): {self}")
            }
            Self::WrongKind {
                api_version: found,
                kind: other,
                ..
            } => {
                let version = found.rsplit_once('/').map_or(found.as_str(), |(_, last)| last);
                let group = if resource.group.is_empty() {
                    "core"
                } else {
                    resource.group
                };
                format!(
                    "{other} in version {found:?} cannot be handled as a {kind}: \
                     converting ({version}.{other}) to ({group}.{kind}): unknown conversion"
                )
            }
            Self::WrongVersion { .. } => self.to_string(),
            Self::Field { .. } => {
                format!("{kind} in version {version:?} cannot be handled as a {kind}: {self}")
            }
        };
        ApiError::bad_request(message)
    }
}
