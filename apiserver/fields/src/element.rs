//! One step of a path through an object: a field, an item of a list by its keys, by its value or by its place.
//!
//! An element has two texts: that of `fieldsV1` (`f:spec`, `k:{"name":"c"}`, `v:"a"`, `i:0`) and that of messages
//! (`.spec`, `[name="c"]`, `[="a"]`, `[0]`).

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Value};

use crate::value;

/// One step of a path.
#[derive(Clone, Debug)]
pub enum Element {
    /// A field of an object or a key of a map.
    Field(Box<str>),
    /// The item of a list whose keys have these values; sorted by key.
    Key(Box<[(Box<str>, Value)]>),
    /// The item of a set.
    Value(Value),
    /// The item at a place, from 0.
    Index(i64),
}

/// From an object to one of its parts; its text is that of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Element>);

/// Text that is no element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnElement {
    /// A later version may know what it means.
    Unknown,
    /// It is broken.
    Broken,
}

impl Element {
    /// The field `name`.
    pub fn field(name: impl Into<Box<str>>) -> Self {
        Self::Field(name.into())
    }

    /// The item of a list with these keys.
    pub fn key<K: Into<Box<str>>>(keys: impl IntoIterator<Item = (K, Value)>) -> Self {
        let mut keys: Vec<(Box<str>, Value)> = keys
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        keys.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self::Key(keys.into_boxed_slice())
    }

    /// Reads the text of `fieldsV1`.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAnElement> {
        let (kind, rest) = text.split_once(':').ok_or(NotAnElement::Broken)?;
        let json = || serde_json::from_str::<Value>(rest).map_err(|_| NotAnElement::Broken);
        match kind {
            "f" => Ok(Self::field(rest)),
            "v" => json().map(Self::Value),
            "k" => match json()? {
                Value::Object(keys) => Ok(Self::key(keys)),
                _ => Err(NotAnElement::Broken),
            },
            "i" => rest.parse().map(Self::Index).map_err(|_| NotAnElement::Broken),
            _ if kind.len() == 1 => Err(NotAnElement::Unknown),
            _ => Err(NotAnElement::Broken),
        }
    }

    /// The text of `fieldsV1`.
    pub(crate) fn wire(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => {
                let keys: Map<String, Value> = keys
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect();
                format!("k:{}", Value::Object(keys))
            }
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

/// Fields come first, then items by key, by value and by place.
impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(one), Self::Field(other)) => one.cmp(other),
            (Self::Key(one), Self::Key(other)) => {
                let pairs = one.iter().zip(other.iter());
                let mut orders = pairs.map(|((one_name, one), (other_name, other))| {
                    one_name.cmp(other_name).then_with(|| value::order(one, other))
                });
                orders
                    .find(|order| order.is_ne())
                    .unwrap_or_else(|| one.len().cmp(&other.len()))
            }
            (Self::Value(one), Self::Value(other)) => value::order(one, other),
            (Self::Index(one), Self::Index(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Element {}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(keys) => {
                f.write_str("[")?;
                for (place, (name, value)) in keys.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.fmt(f))
    }
}
