//! Label and field selectors: text to conditions, conditions to text, and matching.
//!
//! The parser is our own and keeps upstream's grammar to the letter, odd corners and messages included, because
//! clients send what upstream accepts and show what it answers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

mod field;
mod label;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

pub use field::{FieldSelector, FieldTerm};
pub use label::{LabelSelector, Operator, Requirement};

/// Longest selector text that is parsed, in bytes; longer ones are refused.
pub const SELECTOR_MAX_BYTES: usize = 64 * 1024;

/// Something that labels can be looked up in.
pub trait LabelSet {
    /// The value of the label `key`.
    fn label(&self, key: &str) -> Option<&str>;
}

impl LabelSet for BTreeMap<String, String> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl<S: std::hash::BuildHasher> LabelSet for HashMap<String, String, S> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl<T: LabelSet> LabelSet for Option<T> {
    fn label(&self, key: &str) -> Option<&str> {
        self.as_ref().and_then(|labels| labels.label(key))
    }
}

impl<K: AsRef<str>, V: AsRef<str>> LabelSet for [(K, V)] {
    fn label(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| known.as_ref() == key)
            .map(|(_, value)| value.as_ref())
    }
}

impl<T: LabelSet + ?Sized> LabelSet for &T {
    fn label(&self, key: &str) -> Option<&str> {
        (**self).label(key)
    }
}

/// Why a selector cannot be used; the message is upstream's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError(String);

impl SelectorError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SelectorError {}

impl From<SelectorError> for crate::status::ApiError {
    fn from(error: SelectorError) -> Self {
        Self::bad_request(error.0)
    }
}

fn check_size(text: &str) -> Result<(), SelectorError> {
    if text.len() > SELECTOR_MAX_BYTES {
        return Err(SelectorError::new(format!(
            "selector has more than {SELECTOR_MAX_BYTES} bytes"
        )));
    }
    Ok(())
}
