//! The merge of an applied configuration into a live object: what is applied wins, what is not mentioned stays.

use std::collections::BTreeMap;

use coracle_api::schema::View;
use serde_json::{Map, Value};

use crate::element::Element;
use crate::items::{Items, Pair, field_of};

/// Merges `applied` into `live`.
///
/// Objects merge field by field and lists with keys item by item; anything else is replaced. In a list, the applied
/// items keep the order of the configuration, and the live ones that it does not mention stay beside their neighbours.
pub fn merge(live: &Value, applied: &Value, view: View<'_>) -> Value {
    walk(Some(live), Some(applied), view).unwrap_or_else(|| live.clone())
}

fn walk(live: Option<&Value>, applied: Option<&Value>, view: View<'_>) -> Option<Value> {
    match Pair::of(view, live, applied) {
        Pair::Leaf => applied.or(live).cloned(),
        _ if applied.is_none() => live.cloned(),
        Pair::Fields(live, applied) => {
            let untouched = live.iter().filter(|(name, _)| !applied.contains_key(*name));
            let mut merged: Map<String, Value> = untouched
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            for (name, value) in applied {
                let inner = field_of(view, name);
                let value = walk(live.get(name), Some(value), inner);
                merged.extend(value.map(|value| (name.clone(), value)));
            }
            Some(Value::Object(merged))
        }
        Pair::Items(live, applied) => Some(Value::Array(items(&live, &applied, view.item()))),
    }
}

fn items(live: &Items<'_>, applied: &Items<'_>, inner: View<'_>) -> Vec<Value> {
    let known: BTreeMap<&Element, Vec<&Value>> = live.places();
    let wanted = applied.places();
    let merge_one = |element: &Element, item: &Value| {
        let before = known.get(element).and_then(|values| match values.as_slice() {
            [one] => Some(*one),
            _ => None,
        });
        walk(before, Some(item), inner)
    };
    let mut merged = Vec::with_capacity(live.values.len().max(applied.values.len()));
    let mut rest = applied.iter();
    // The items that both have, in the order of the configuration: each is a meeting point of the two lists.
    let mut meetings = applied
        .elements
        .iter()
        .filter(|element| known.contains_key(element))
        .peekable();
    for (element, item) in live.iter() {
        if !wanted.contains_key(element) {
            merged.push(item.clone());
        } else if meetings.peek() == Some(&element) {
            meetings.next();
            for (own, item) in rest.by_ref() {
                merged.extend(merge_one(own, item));
                if own == element {
                    break;
                }
            }
        }
    }
    merged.extend(rest.filter_map(|(element, item)| merge_one(element, item)));
    merged
}
