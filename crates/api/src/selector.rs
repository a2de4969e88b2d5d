//! Label and field selectors: parsing, printing and matching.

use std::borrow::Cow;

/// Something that labels can be looked up in.
pub trait LabelSet {
    /// The value of the label `key`.
    fn label(&self, key: &str) -> Option<&str>;
}

/// A condition on labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {}

impl LabelSelector {
    /// The selector that matches everything.
    pub fn everything() -> Self {
        Self {}
    }
    /// Reads selector text such as `app=eva,release in (east,west)`.
    pub fn parse(_text: &str) -> Result<Self, SelectorError> {
        Ok(Self {})
    }
    /// Whether the labels fit.
    pub fn matches(&self, _labels: &(impl LabelSet + ?Sized)) -> bool {
        true
    }
}

/// Why a selector cannot be used; the message is upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

/// A condition on fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {}

impl FieldSelector {
    /// Reads selector text such as `spec.nodeName=node-1,status.phase!=Failed`.
    pub fn parse(_text: &str) -> Result<Self, SelectorError> {
        Ok(Self {})
    }
    /// Whether the fields fit; `field` looks a field's value up.
    pub fn matches<'a>(&self, _field: impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        true
    }
    /// The value that `field` must have, where the selector requires exactly one.
    pub fn requires_exact(&self, _field: &str) -> Option<&str> {
        None
    }
}
