//! What is wrong with one field of an object, in the words of Kubernetes.
//!
//! Validation returns a list of these; [`crate::ApiError::invalid`] turns the list into a Status. The message forms
//! are those of `k8s.io/apimachinery/pkg/util/validation/field`, because people and programs match on them.

use std::fmt;

#[cfg(test)]
mod tests;

/// Where a field stands in its object, for example `spec.containers[0].ports[1].protocol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// A path of one name; may itself contain dots.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The object itself; children of it stand alone.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// The field `name` of this one.
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            return Self::new(name);
        }
        let mut path = String::with_capacity(self.0.len() + 1 + name.len());
        path.push_str(&self.0);
        path.push('.');
        path.push_str(name);
        Self(path)
    }

    /// The element at `index` of this list.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The value under `key` of this map.
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Upstream writes a nil path this way.
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// What kind of mistake a [`FieldError`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the API's own causes")]
pub enum FieldErrorKind {
    NotFound,
    Required,
    Duplicate,
    Invalid,
    NotSupported,
    Forbidden,
    TooLong,
    TooMany,
    Internal,
    TypeInvalid,
}

impl FieldErrorKind {
    /// The reason of the Status cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(
            self,
            Self::Required | Self::Forbidden | Self::TooLong | Self::Internal
        )
    }
}

/// One mistake in one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's path.
    pub field: String,
    /// What kind of mistake.
    pub kind: FieldErrorKind,
    /// The offending value as the message shows it: strings quoted, numbers bare, objects as JSON.
    pub value: String,
    /// What would be right; may be empty.
    pub detail: String,
}

impl FieldError {
    fn new(path: &Path, kind: FieldErrorKind, value: String, detail: impl Into<String>) -> Self {
        Self {
            field: path.to_string(),
            kind,
            value,
            detail: detail.into(),
        }
    }

    /// A required field is missing; `detail` may be empty.
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Required, String::new(), detail)
    }

    /// The value does not have the right form.
    pub fn invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Invalid, value.into().0, detail)
    }

    /// The value must be unique and is not.
    pub fn duplicate(path: &Path, value: impl Into<Value>) -> Self {
        Self::new(path, FieldErrorKind::Duplicate, value.into().0, "")
    }

    /// The value names something that does not exist.
    pub fn not_found(path: &Path, value: impl Into<Value>) -> Self {
        Self::new(path, FieldErrorKind::NotFound, value.into().0, "")
    }

    /// The value is not one of the `supported` ones.
    pub fn not_supported(path: &Path, value: impl Into<Value>, supported: &[&str]) -> Self {
        let mut quoted: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        quoted.sort();
        let detail = format!("supported values: {}", quoted.join(", "));
        Self::new(path, FieldErrorKind::NotSupported, value.into().0, detail)
    }

    /// The field must not be set here.
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Forbidden, String::new(), detail)
    }

    /// The value has more than `max` bytes.
    pub fn too_long(path: &Path, max: usize) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max} {unit}");
        Self::new(path, FieldErrorKind::TooLong, String::new(), detail)
    }

    /// The list has more than `max` items.
    pub fn too_many(path: &Path, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        Self::new(path, FieldErrorKind::TooMany, actual.to_string(), detail)
    }

    /// Something failed that is not the client's fault.
    pub fn internal(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Internal, String::new(), detail)
    }

    /// The message without the field, as a Status cause carries it.
    pub fn body(&self) -> String {
        let mut body = self.kind.words().to_owned();
        if self.kind.shows_value() {
            body.push_str(": ");
            body.push_str(&self.value);
        }
        if !self.detail.is_empty() {
            body.push_str(": ");
            body.push_str(&self.detail);
        }
        body
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

impl std::error::Error for FieldError {}

/// A value as an error message shows it.
#[derive(Debug, Clone)]
pub struct Value(String);

impl Value {
    /// Text that is shown as it is, without quotes.
    pub fn bare(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A structured value, shown as its JSON.
    pub fn json(value: &impl serde::Serialize) -> Self {
        Self(serde_json::to_string(value).unwrap_or_default())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self(quote(value))
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self(quote(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self(quote(&value))
    }
}

macro_rules! bare {
    ($($type:ty),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self(value.to_string())
            }
        }
    )*};
}

bare!(i32, i64, u32, u64, usize, bool);

/// Quotes as Go's `%q` does for the characters that matter: quotes, backslashes and control characters.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_ascii_control() => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The message of several errors together, as upstream's aggregate prints it: repeated messages once, several in
/// brackets.
pub fn aggregate(errors: &[FieldError]) -> String {
    let mut messages: Vec<String> = Vec::with_capacity(errors.len());
    for error in errors {
        let message = error.to_string();
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    match messages.as_slice() {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
