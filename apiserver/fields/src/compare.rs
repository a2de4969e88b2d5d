//! What differs between two states of an object, field by field.

use coracle_api::schema::View;
use serde_json::Value;

use crate::element::Element;
use crate::items::{Items, Pair, field_of};
use crate::set::{FieldSet, Node};
use crate::value::is_same;

/// What differs between two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the new state has, objects and items on the way included.
    pub added: FieldSet,
    /// Fields that both have, with different values.
    pub modified: FieldSet,
    /// Fields that only the old state has.
    pub removed: FieldSet,
}

impl Comparison {
    /// Without what is in `ignored` or below it.
    #[must_use]
    pub(crate) fn without(self, ignored: &FieldSet) -> Self {
        if ignored.is_empty() {
            return self;
        }
        Self {
            added: self.added.without(ignored),
            modified: self.modified.without(ignored),
            removed: self.removed.without(ignored),
        }
    }
}

/// Compares two states of an object.
pub fn compare(old: &Value, new: &Value, view: View<'_>) -> Comparison {
    let [added, modified, removed] = walk(Some(old), Some(new), view).map(|side| side.below);
    Comparison {
        added,
        modified,
        removed,
    }
}

const ADDED: usize = 0;
const MODIFIED: usize = 1;
const REMOVED: usize = 2;

/// One of the three sets at a place: whether the place is a member, and what is below.
#[derive(Default)]
struct Side {
    is_member: bool,
    below: FieldSet,
}

/// The nodes of the three sets under one object or list.
#[derive(Default)]
struct Below([Vec<Node>; 3]);

impl Below {
    fn add(&mut self, element: &Element, sides: [Side; 3]) {
        for (nodes, side) in self.0.iter_mut().zip(sides) {
            if side.is_member || !side.below.is_empty() {
                nodes.push(Node {
                    element: element.clone(),
                    is_member: side.is_member,
                    below: side.below,
                });
            }
        }
    }

    fn into_sides(self) -> [Side; 3] {
        self.0.map(|nodes| Side {
            is_member: false,
            below: FieldSet::of(nodes),
        })
    }
}

fn walk(old: Option<&Value>, new: Option<&Value>, view: View<'_>) -> [Side; 3] {
    let mut sides = match Pair::of(view, old, new) {
        Pair::Leaf => return leaf(old, new),
        Pair::Fields(old, new) => {
            let mut below = Below::default();
            let gone = old.keys().filter(|name| !new.contains_key(*name));
            for name in new.keys().chain(gone) {
                let (old, new) = (old.get(name), new.get(name));
                if old == new {
                    continue;
                }
                let inner = field_of(view, name);
                below.add(&Element::field(name.as_str()), walk(old, new, inner));
            }
            below.into_sides()
        }
        Pair::Items(old, new) => items(&old, &new, view.item()),
    };
    sides[ADDED].is_member = old.is_none();
    sides[REMOVED].is_member = new.is_none();
    sides
}

fn leaf(old: Option<&Value>, new: Option<&Value>) -> [Side; 3] {
    let mut sides: [Side; 3] = Default::default();
    match (old, new) {
        (None, None) => {}
        (None, Some(_)) => sides[ADDED].is_member = true,
        (Some(_), None) => sides[REMOVED].is_member = true,
        (Some(old), Some(new)) => sides[MODIFIED].is_member = !is_same(old, new),
    }
    sides
}

fn items<'v>(old: &Items<'v>, new: &Items<'v>, inner: View<'_>) -> [Side; 3] {
    let (before, after) = (old.places(), new.places());
    let mut below = Below::default();
    let gone = before.keys().filter(|element| !after.contains_key(*element));
    for element in after.keys().chain(gone) {
        let values = |places: Option<&Vec<&'v Value>>| places.cloned().unwrap_or_default();
        let (old, new) = (values(before.get(element)), values(after.get(element)));
        if old == new {
            continue;
        }
        let sides = match (old.as_slice(), new.as_slice()) {
            ([] | [_], [] | [_]) => walk(old.first().copied(), new.first().copied(), inner),
            // An item that occurs twice is one thing to its owners.
            ([], _) => leaf(None, Some(&Value::Null)),
            (_, []) => leaf(Some(&Value::Null), None),
            _ => leaf(Some(&Value::Bool(false)), Some(&Value::Bool(true))),
        };
        below.add(element, sides);
    }
    below.into_sides()
}
