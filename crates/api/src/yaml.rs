//! YAML manifests, and JSON ones, which are YAML too, to JSON values.
//!
//! Text from a client: everything that could make a small text large (aliases, depth, numbers of documents and
//! nodes) has a limit here.

use serde_json::Value;

#[cfg(test)]
mod tests;

/// Largest manifest, in bytes.
pub const MANIFEST_MAX_BYTES: usize = 3 * 1024 * 1024;
/// Most documents in a manifest, items of lists included.
pub const DOCUMENTS_MAX: usize = 10_000;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 100;
/// Most nodes (values and keys) in a manifest.
pub const NODES_MAX: usize = 1_000_000;
/// Most values that aliases may bring in by repetition.
pub const ALIASED_NODES_MAX: usize = 100_000;

/// Why a manifest cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// The line, from one; zero where unknown.
    pub line: u64,
    /// The column, from one; zero where unknown.
    pub column: u64,
}

impl std::fmt::Display for YamlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "read manifest: {}", self.message),
            (line, column) => write!(
                f,
                "read manifest at line {line} column {column}: {}",
                self.message
            ),
        }
    }
}

impl std::error::Error for YamlError {}

impl From<YamlError> for crate::status::ApiError {
    fn from(error: YamlError) -> Self {
        Self::bad_request(error.to_string())
    }
}

fn refuse(message: impl Into<String>) -> YamlError {
    YamlError {
        message: message.into(),
        line: 0,
        column: 0,
    }
}

/// The objects of a manifest, in order.
///
/// Documents that are empty are left out; a `List` counts as its items. What is not an object is refused.
pub fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut objects = Vec::new();
    for document in values(text)? {
        flatten(document, &mut objects)?;
    }
    Ok(objects)
}

/// The one document of a request body in YAML.
pub fn document(text: &str) -> Result<Value, YamlError> {
    let mut values = values(text)?;
    match (values.pop(), values.is_empty()) {
        (Some(value), true) => Ok(value),
        (Some(_), false) => Err(refuse("more than one document")),
        (None, _) => Err(refuse("no document")),
    }
}

fn values(text: &str) -> Result<Vec<Value>, YamlError> {
    if text.len() > MANIFEST_MAX_BYTES {
        return Err(refuse(format!("more than {MANIFEST_MAX_BYTES} bytes")));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
            max_documents: DOCUMENTS_MAX,
            max_total_scalar_bytes: MANIFEST_MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIASED_NODES_MAX,
        },
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let place = error.location();
        let message = error.without_snippet().to_string();
        let message = message
            .split_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        YamlError {
            message: message.to_owned(),
            line: place.as_ref().map_or(0, |place| place.line()),
            column: place.as_ref().map_or(0, |place| place.column()),
        }
    })
}

fn flatten(document: Value, objects: &mut Vec<Value>) -> Result<(), YamlError> {
    match document {
        Value::Null => Ok(()),
        Value::Object(mut map) => {
            if map
                .get("kind")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.ends_with("List"))
                && let Some(Value::Array(items)) = map.get_mut("items").map(Value::take)
            {
                return items.into_iter().try_for_each(|item| flatten(item, objects));
            }
            if objects.len() >= DOCUMENTS_MAX {
                return Err(refuse(format!("more than {DOCUMENTS_MAX} objects")));
            }
            objects.push(Value::Object(map));
            Ok(())
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Array(_) => {
            Err(refuse("a document is not an object"))
        }
    }
}
