//! Conditions on fields: `spec.nodeName=node-1,status.phase!=Failed`.

use std::borrow::Cow;
use std::fmt;

use super::{SelectorError, check_size};
use crate::field_error::quote;
use crate::kinds::Resource;

/// One condition on one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldTerm {
    /// The field's path.
    pub field: Box<str>,
    /// What it is compared with.
    pub value: Box<str>,
    /// Whether it must be equal or must differ.
    pub equal: bool,
}

/// A condition on fields: all terms must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    terms: Box<[FieldTerm]>,
}

impl FieldSelector {
    /// The selector that matches everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The selector that wants one value in one field.
    pub fn equals(field: &str, value: &str) -> Self {
        let term = FieldTerm {
            field: field.into(),
            value: value.into(),
            equal: true,
        };
        Self {
            terms: Box::new([term]),
        }
    }

    /// Reads selector text. In values `\`, `,` and `=` are escaped by `\`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        check_size(text)?;
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::with_capacity(parts.len());
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, equal, value)) = split_term(part) else {
                let message = format!("invalid selector: '{text}'; can't understand '{part}'");
                return Err(SelectorError::new(message));
            };
            terms.push(FieldTerm {
                field: field.into(),
                value: unescape(value)?.into(),
                equal,
            });
        }
        Ok(Self {
            terms: terms.into_boxed_slice(),
        })
    }

    /// As [`FieldSelector::parse`], and every field must be one that `resource` can be selected by.
    pub fn parse_for(resource: &Resource, text: &str) -> Result<Self, SelectorError> {
        let selector = Self::parse(text)?;
        for term in &selector.terms {
            let field = term.field.as_ref();
            if resource.selectable_fields.contains(&field) {
                continue;
            }
            let only_metadata = resource
                .selectable_fields
                .iter()
                .all(|known| known.starts_with("metadata."));
            let message = if only_metadata {
                format!(
                    "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                    quote(field)
                )
            } else {
                format!("field label not supported: {field}")
            };
            return Err(SelectorError::new(message));
        }
        Ok(selector)
    }

    /// Whether the fields fit. `field` looks a field's value up; a missing field counts as the empty string.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        self.terms.iter().all(|term| {
            let value = field(&term.field);
            (value.as_deref().unwrap_or_default() == term.value.as_ref()) == term.equal
        })
    }

    /// The value that `field` must have, where the selector requires exactly one; for indexes.
    pub fn requires_exact(&self, field: &str) -> Option<&str> {
        let term = self
            .terms
            .iter()
            .find(|term| term.equal && term.field.as_ref() == field)?;
        Some(&term.value)
    }

    /// The selector with its fields called as another version of a kind calls them: pairs of a name here and a name
    /// there.
    pub fn renamed(&self, names: &[(&str, &str)]) -> Self {
        let mut renamed = self.clone();
        for term in &mut renamed.terms {
            if let Some((_, name)) = names.iter().find(|(own, _)| **own == *term.field) {
                term.field = (*name).into();
            }
        }
        renamed
    }

    /// The conditions, sorted as text.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether every object fits.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let operator = if term.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

impl std::str::FromStr for FieldSelector {
    type Err = SelectorError;
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// Cuts at commas that no backslash escapes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Cuts at the first operator.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term
        .char_indices()
        .find(|(at, _)| term[*at..].starts_with('=') || term[*at..].starts_with("!="))?
        .0;
    let (field, rest) = term.split_at(at);
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, false, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((field, true, value))
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => text.push(escaped),
                other => {
                    let sequence: String = ['\\'].into_iter().chain(other).collect();
                    let message = format!("invalid field selector: invalid escape sequence: {sequence}");
                    return Err(SelectorError::new(message));
                }
            },
            ',' | '=' => {
                let code = u32::from(character);
                let message = format!("invalid field selector: unescaped character in value: {code}");
                return Err(SelectorError::new(message));
            }
            other => text.push(other),
        }
    }
    Ok(text)
}

fn escape(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', ',', '=']) {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len() + 4);
    for character in value.chars() {
        if matches!(character, '\\' | ',' | '=') {
            text.push('\\');
        }
        text.push(character);
    }
    Cow::Owned(text)
}
