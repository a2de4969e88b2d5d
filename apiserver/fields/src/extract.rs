//! From a value to the set of its fields.

use std::collections::BTreeSet;

use coracle_api::schema::{ListMerge, Shape, View};
use serde_json::Value;

use crate::element::Element;
use crate::items::{Pair, element_of, field_of};
use crate::set::{FieldSet, Node};

/// Why a configuration does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Invalid {
    /// Where, for example `.spec.containers`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Invalid {
    fn here(message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            message: message.into(),
        }
    }

    fn under(mut self, element: &Element) -> Self {
        self.path.insert_str(0, &element.to_string());
        self
    }
}

/// The fields that `value` has, whatever its type knows of them.
pub fn extract(value: &Value, view: View<'_>) -> FieldSet {
    let (_, below) = walk(value, view);
    below
}

/// Whether `value` has only fields of its type, lists where lists belong, and items that can be told apart.
///
/// # Errors
/// [`Invalid`] of the first that is not so.
pub fn declared(value: &Value, view: View<'_>) -> Result<(), Invalid> {
    match (view.shape(), value) {
        (_, Value::Null) | (Shape::Any | Shape::Scalar(_), _) => Ok(()),
        (Shape::Struct(_) | Shape::Map { .. }, Value::Object(fields)) => {
            fields.iter().try_for_each(|(name, value)| {
                let inner = view
                    .field(name)
                    .ok_or_else(|| Invalid::here("field not declared in schema"));
                inner
                    .and_then(|inner| declared(value, inner))
                    .map_err(|error| error.under(&Element::field(name.as_str())))
            })
        }
        (Shape::Struct(_) | Shape::Map { .. }, other) => Err(expected("map", other)),
        (Shape::List { merge, .. }, Value::Array(items)) => declared_items(items, merge, view),
        (Shape::List { .. }, other) => Err(expected("list", other)),
    }
}

fn declared_items(items: &[Value], merge: &ListMerge, view: View<'_>) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for (place, item) in items.iter().enumerate() {
        let index = i64::try_from(place).unwrap_or(i64::MAX);
        let element = if *merge == ListMerge::Atomic {
            Element::Index(index)
        } else {
            element_of(view, item).map_err(|why| Invalid::here(format!("element {place}: {why}")))?
        };
        declared(item, view.item()).map_err(|error| error.under(&element))?;
        let text = element.to_string();
        if !seen.insert(element) {
            return Err(Invalid::here(format!("duplicate entries for key {text}")));
        }
    }
    Ok(())
}

fn expected(wanted: &str, found: &Value) -> Invalid {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    };
    Invalid::here(format!("expected {wanted}, got {found}"))
}

/// Whether the value itself is a member, and what is below it.
fn walk(value: &Value, view: View<'_>) -> (bool, FieldSet) {
    match Pair::alone(view, value) {
        Pair::Leaf => (!is_bare_list(value, view), FieldSet::default()),
        Pair::Fields(fields, _) => {
            let nodes = fields.iter().map(|(name, value)| {
                let (is_leaf, below) = walk(value, field_of(view, name));
                Node {
                    element: Element::field(name.as_str()),
                    is_member: is_leaf || !is_named(view, name),
                    below,
                }
            });
            (false, FieldSet::of(nodes.collect()))
        }
        Pair::Items(items, _) => {
            let inner = view.item();
            let nodes = items.iter().map(|(element, value)| Node {
                element: element.clone(),
                is_member: true,
                below: walk(value, inner).1,
            });
            (false, FieldSet::of(nodes.collect()))
        }
    }
}

/// An empty list whose items have owners of their own is nobody's.
fn is_bare_list(value: &Value, view: View<'_>) -> bool {
    let has_owners = matches!(view.shape(), Shape::List { merge, .. } if *merge != ListMerge::Atomic);
    has_owners && value.as_array().is_some_and(Vec::is_empty)
}

/// Whether the type names the field; if not, it is a key of a map.
fn is_named(view: View<'_>, name: &str) -> bool {
    matches!(view.shape(), Shape::Struct(of) if of.field(name).is_some())
}
