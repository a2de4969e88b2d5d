//! One order over all JSON values, in which numbers that are equal are equal however they were written.
//!
//! Keys of list items and items of sets are sorted by it, and leaves of two objects compared.

use std::cmp::Ordering;

use serde_json::Value;

/// Numbers come before text, text before booleans, then lists, maps and null.
pub(crate) fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => order_numbers(one, other),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Array(one), Value::Array(other)) => {
            let differing = one.iter().zip(other).map(|(one, other)| order(one, other));
            first_difference(differing).then(one.len().cmp(&other.len()))
        }
        (Value::Object(one), Value::Object(other)) => {
            let differing = one.iter().zip(other).map(|((one_key, one), (other_key, other))| {
                one_key.cmp(other_key).then_with(|| order(one, other))
            });
            first_difference(differing).then(one.len().cmp(&other.len()))
        }
        _ => rank(one).cmp(&rank(other)),
    }
}

/// Whether two values say the same.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    one == other || order(one, other).is_eq()
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn order_numbers(one: &serde_json::Number, other: &serde_json::Number) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => {
            let float = |number: &serde_json::Number| number.as_f64().unwrap_or(f64::MAX);
            float(one).total_cmp(&float(other))
        }
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}
