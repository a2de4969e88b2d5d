//! YAML (and so JSON) manifests to JSON values.

/// Why a manifest cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong, with line and column where known.
    pub message: String,
}

/// The objects of a manifest, in order; documents that are empty are left out and a `List` counts as its items.
pub fn documents(_text: &str) -> Result<Vec<serde_json::Value>, YamlError> {
    Ok(Vec::new())
}
