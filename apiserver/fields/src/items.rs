//! How a value is walked: as a whole, field by field, or item by item; and what tells the items of a list apart.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use coracle_api::schema::{ListMerge, Shape, View};
use serde_json::{Map, Value};

use crate::element::Element;

/// Two values, either of which may be missing, as they are walked together.
pub(crate) enum Pair<'v> {
    /// Compared and replaced as a whole.
    Leaf,
    /// Objects whose fields have owners of their own. A missing object is an empty one.
    Fields(&'v Map<String, Value>, &'v Map<String, Value>),
    /// Lists whose items have owners of their own. A missing list is an empty one.
    Items(Items<'v>, Items<'v>),
}

/// A list whose items can be told apart.
pub(crate) struct Items<'v> {
    pub elements: Vec<Element>,
    pub values: &'v [Value],
}

/// What one value is by itself.
enum Form<'v> {
    /// Missing or null: it takes the form of the other.
    Nothing,
    Leaf,
    Fields(&'v Map<String, Value>),
    Items(Items<'v>),
}

static NO_FIELDS: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

impl<'v> Pair<'v> {
    /// How `one` and `other`, both of the shape that `view` shows, are walked.
    pub fn of(view: View<'_>, one: Option<&'v Value>, other: Option<&'v Value>) -> Self {
        // Empty and missing collections are told apart only where they are looked at as a whole.
        match (form(view, one), form(view, other)) {
            (Form::Fields(one), Form::Fields(other)) if !(one.is_empty() && other.is_empty()) => {
                Self::Fields(one, other)
            }
            (Form::Fields(one), Form::Nothing) if !one.is_empty() => Self::Fields(one, &NO_FIELDS),
            (Form::Nothing, Form::Fields(other)) if !other.is_empty() => Self::Fields(&NO_FIELDS, other),
            (Form::Items(one), Form::Items(other)) if !(one.is_empty() && other.is_empty()) => {
                Self::Items(one, other)
            }
            (Form::Items(one), Form::Nothing) if !one.is_empty() => Self::Items(one, Items::none()),
            (Form::Nothing, Form::Items(other)) if !other.is_empty() => Self::Items(Items::none(), other),
            _ => Self::Leaf,
        }
    }

    /// How one value is walked.
    pub fn alone(view: View<'_>, value: &'v Value) -> Self {
        Self::of(view, Some(value), None)
    }
}

impl<'v> Items<'v> {
    fn none() -> Self {
        Self {
            elements: Vec::new(),
            values: &[],
        }
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Element, &'v Value)> {
        self.elements.iter().zip(self.values)
    }

    /// Where each element stands; several places where it occurs more than once.
    pub fn places(&self) -> BTreeMap<&Element, Vec<&'v Value>> {
        let mut places: BTreeMap<&Element, Vec<&'v Value>> = BTreeMap::new();
        for (element, value) in self.iter() {
            places.entry(element).or_default().push(value);
        }
        places
    }
}

fn form<'v>(view: View<'_>, value: Option<&'v Value>) -> Form<'v> {
    match (view.shape(), value) {
        (_, None | Some(Value::Null)) => Form::Nothing,
        (Shape::Struct(of), Some(Value::Object(fields))) if !of.is_atomic => Form::Fields(fields),
        (Shape::Map { is_atomic: false, .. } | Shape::Any, Some(Value::Object(fields))) => {
            Form::Fields(fields)
        }
        (Shape::List { merge, .. }, Some(Value::Array(values))) if *merge != ListMerge::Atomic => {
            let elements = values.iter().map(|item| element_of(view, item));
            match elements.collect() {
                Ok(elements) => Form::Items(Items { elements, values }),
                // Nobody can own one of items that cannot be told apart.
                Err(_) => Form::Leaf,
            }
        }
        _ => Form::Leaf,
    }
}

/// The shape of a field, whatever the type knows of it.
pub(crate) fn field_of<'a>(view: View<'a>, name: &str) -> View<'a> {
    match view.field(name) {
        Some(inner) => inner,
        None => View::any(),
    }
}

/// What tells `item` from the others of a list of the shape that `view` shows; else what it lacks.
pub(crate) fn element_of(view: View<'_>, item: &Value) -> Result<Element, String> {
    let Shape::List { merge, .. } = view.shape() else {
        return Err("the list has no keys".to_owned());
    };
    match merge {
        ListMerge::Atomic => Err("the list has no keys".to_owned()),
        ListMerge::Set if item.is_object() => {
            Err("associative list without keys has an element that's a map type".to_owned())
        }
        ListMerge::Set if item.is_array() => {
            Err("not supported: associative list with lists as elements".to_owned())
        }
        ListMerge::Set if item.is_null() => {
            Err("associative list without keys has an element that's an explicit null".to_owned())
        }
        ListMerge::Set => Ok(Element::Value(item.clone())),
        ListMerge::Map(keys) => {
            let fields = match item {
                Value::Object(fields) => fields,
                Value::Null => {
                    return Err("associative list with keys may not have a null element".to_owned());
                }
                _ => return Err("associative list with keys may not have non-map elements".to_owned()),
            };
            let values = keys.iter().map(|key| {
                let own = fields.get(key.as_ref()).cloned();
                let value = own.or_else(|| default_of(view.item(), key)).ok_or_else(|| {
                    format!(
                        "associative list with keys has an element that omits key field {key:?} (and doesn't have \
                         default value)"
                    )
                })?;
                Ok((key.clone(), value))
            });
            values.collect::<Result<Vec<_>, String>>().map(Element::key)
        }
    }
}

fn default_of(item: View<'_>, key: &str) -> Option<Value> {
    match item.shape() {
        Shape::Struct(of) => of.field(key)?.default.clone(),
        _ => None,
    }
}
