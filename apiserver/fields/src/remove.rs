//! A value without some of its fields.

use coracle_api::schema::View;
use serde_json::{Map, Value};

use crate::items::{Pair, field_of};
use crate::set::{FieldSet, Node};

/// `value` without the fields in `going`. An object or list of which nothing stays goes too, except the outermost one
/// and those in `keep`.
#[must_use]
pub fn remove(value: &Value, going: &FieldSet, keep: &FieldSet, view: View<'_>) -> Value {
    walk(value, going, keep, view).unwrap_or_else(|| Value::Object(Map::new()))
}

fn walk(value: &Value, going: &FieldSet, keep: &FieldSet, view: View<'_>) -> Option<Value> {
    if going.is_empty() {
        return Some(value.clone());
    }
    let inside = |value: &Value, going: &Node, keep: Option<&Node>, view: View<'_>| {
        let nothing = FieldSet::default();
        let below = keep.map_or(&nothing, |keep| &keep.below);
        let kept = walk(value, &going.below, below, view);
        kept.or_else(|| keep.is_some_and(|keep| keep.is_member).then(|| emptied(value)))
    };
    match Pair::alone(view, value) {
        // Nothing below a leaf has an owner of its own.
        Pair::Leaf => Some(value.clone()),
        Pair::Fields(fields, _) => {
            let kept = fields.iter().filter_map(|(name, value)| {
                let kept = match going.field(name) {
                    None => value.clone(),
                    Some(node) if node.is_member => return None,
                    Some(node) => inside(value, node, keep.field(name), field_of(view, name))?,
                };
                Some((name.clone(), kept))
            });
            let kept: Map<String, Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Pair::Items(items, _) => {
            let kept = items
                .iter()
                .filter_map(|(element, value)| match going.get(element) {
                    None => Some(value.clone()),
                    Some(node) if node.is_member => None,
                    Some(node) => inside(value, node, keep.get(element), view.item()),
                });
            let kept: Vec<Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
    }
}

fn emptied(value: &Value) -> Value {
    match value {
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Object(Map::new()),
    }
}
