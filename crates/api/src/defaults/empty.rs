//! What Go leaves out of JSON: empty lists, maps and strings, and false and zero where they say no more than absence.

use std::collections::BTreeMap;

/// Something that can be empty.
pub(super) trait Empty {
    fn is_empty(&self) -> bool;
}

impl<T> Empty for Vec<T> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Empty for BTreeMap<K, V> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

/// Makes an empty list or map a missing one.
pub(super) fn drop_empty<T: Empty>(field: &mut Option<T>) {
    if field.as_ref().is_some_and(Empty::is_empty) {
        *field = None;
    }
}

/// Makes an empty string a missing one.
pub(super) fn drop_blank(field: &mut Option<String>) {
    if field.as_deref() == Some("") {
        *field = None;
    }
}

/// Makes a false a missing one.
pub(super) fn drop_false(field: &mut Option<bool>) {
    if *field == Some(false) {
        *field = None;
    }
}

/// Makes a zero a missing one.
pub(super) fn drop_zero(field: &mut Option<i32>) {
    if *field == Some(0) {
        *field = None;
    }
}

/// Sets a missing or empty string.
pub(super) fn default_to(field: &mut Option<String>, value: &str) {
    if field.as_deref().is_none_or(str::is_empty) {
        *field = Some(value.to_owned());
    }
}

/// Sets a missing or zero number.
pub(super) fn default_number(field: &mut Option<i32>, value: i32) {
    if field.is_none_or(|number| number == 0) {
        *field = Some(value);
    }
}
