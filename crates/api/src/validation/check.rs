//! The checks that many fields share.

use std::collections::BTreeMap;

use crate::field_error::{FieldError, Path, Value, quote};

pub(super) const IMMUTABLE: &str = "field is immutable";
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// The mistakes found so far.
pub(super) type Errors = Vec<FieldError>;

/// An optional text; missing is empty.
pub(super) fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// The field must not be empty.
pub(super) fn required(errors: &mut Errors, path: &Path, field: &str, value: &str) {
    if value.is_empty() {
        errors.push(FieldError::required(&path.child(field), ""));
    }
}

/// The field must be one of `supported`, and be there.
pub(super) fn one_of(
    errors: &mut Errors,
    path: &Path,
    field: &str,
    value: &Option<String>,
    supported: &[&str],
) {
    match text(value) {
        "" => errors.push(FieldError::required(&path.child(field), "")),
        value if supported.contains(&value) => {}
        value => errors.push(FieldError::not_supported(&path.child(field), value, supported)),
    }
}

/// As [`one_of`], for a field that may be missing.
pub(super) fn one_of_or_none(
    errors: &mut Errors,
    path: &Path,
    field: &str,
    value: &Option<String>,
    supported: &[&str],
) {
    if !text(value).is_empty() {
        one_of(errors, path, field, value, supported);
    }
}

/// Turns the messages of a check of `names` into errors of the field.
pub(super) fn form(errors: &mut Errors, path: &Path, field: &str, value: &str, messages: Vec<String>) {
    errors.extend(
        messages
            .into_iter()
            .map(|message| FieldError::invalid(&path.child(field), value, message)),
    );
}

/// A number that is there must not be negative.
pub(super) fn not_negative(errors: &mut Errors, path: &Path, field: &str, value: Option<impl Into<i64>>) {
    if let Some(value) = value.map(Into::into)
        && value < 0
    {
        errors.push(FieldError::invalid(&path.child(field), value, NOT_NEGATIVE));
    }
}

/// Exactly one of these alternatives must be set; gives back whether that holds.
pub(super) fn exactly_one(
    errors: &mut Errors,
    path: &Path,
    alternatives: &[(&str, bool)],
    none: &str,
    several: &str,
) {
    let mut set = alternatives.iter().filter(|(_, is_set)| *is_set);
    if set.next().is_none() {
        errors.push(FieldError::required(path, none));
    }
    errors.extend(set.map(|(field, _)| FieldError::forbidden(&path.child(field), several)));
}

/// Labels as Go prints them, which is what upstream's messages show.
pub(super) fn go_map(map: Option<&BTreeMap<String, String>>) -> Value {
    Value::bare(go_map_text(map))
}

pub(super) fn go_map_text(map: Option<&BTreeMap<String, String>>) -> String {
    let Some(map) = map else {
        return "map[string]string(nil)".to_owned();
    };
    let pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{}:{}", quote(key), quote(value)))
        .collect();
    format!("map[string]string{{{}}}", pairs.join(", "))
}
