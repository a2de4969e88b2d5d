//! Cells of kinds that are listed rarely and in small numbers: read through their typed struct, which is shorter to
//! write than a view of the few fields that the cells need.

use coracle_api::time;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};

use super::{Cell, duration, or_else};

/// The object's name.
pub(super) fn name(metadata: &ObjectMeta) -> Cell {
    metadata.name.as_deref().unwrap_or_default().into()
}

/// How long the object has been there.
pub(super) fn age(metadata: &ObjectMeta, now: Timestamp) -> Cell {
    match &metadata.creation_timestamp {
        Some(Time(then)) => duration::human(time::seconds_between(*then, now)).into(),
        None => "<unknown>".into(),
    }
}

/// When the object was made, as roles and definitions show it.
pub(super) fn created_at(metadata: &ObjectMeta) -> Cell {
    match &metadata.creation_timestamp {
        Some(Time(then)) => time::format(*then).into(),
        None => "<unknown>".into(),
    }
}

/// An optional text, or what stands for its absence.
pub(super) fn text(value: Option<&String>, absent: &str) -> Cell {
    or_else(value.map_or("", String::as_str), absent)
}

/// How many there are.
pub(super) fn count<T>(list: Option<&Vec<T>>) -> Cell {
    i64::try_from(list.map_or(0, Vec::len)).unwrap_or(i64::MAX).into()
}

/// A selector in the syntax of `kubectl -l`, or `<none>`.
pub(super) fn selector(own: Option<&LabelSelector>) -> Cell {
    let text = own
        .and_then(|own| coracle_api::LabelSelector::from_api(own).ok())
        .map(|own| own.to_string());
    or_else(&text.unwrap_or_default(), "<none>")
}

/// At most three items, and how many more there are.
pub(super) fn some_of(items: &[String], absent: &str) -> Cell {
    const SHOWN: usize = 3;
    if items.is_empty() {
        return absent.into();
    }
    let shown: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    let mut text = shown.join(",");
    if items.len() > SHOWN {
        text.push_str(&format!(" + {} more...", items.len() - SHOWN));
    }
    text.into()
}
