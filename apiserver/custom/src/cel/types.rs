//! The types that expressions have as far as the schema tells them, and how large values of them can get.
//!
//! Sizes come from `maxLength`, `maxItems` and `maxProperties`; where they are not set, from the largest request that
//! could carry the value, as upstream estimates them.

use crate::schema::{Additional, Kind, Node};

/// The largest request body, which bounds every value that has no bound of its own.
pub const REQUEST_MAX_BYTES: u64 = 3 << 20;

/// What is known of an expression's value.
#[derive(Debug, Clone)]
pub enum Type<'a> {
    /// Nothing: judged when it runs.
    Dyn,
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A signed whole number.
    Int,
    /// An unsigned whole number.
    Uint,
    /// A floating point number.
    Double,
    /// Text of at most so many bytes.
    String(u64),
    /// At most so many bytes.
    Bytes(u64),
    /// A length of time.
    Duration,
    /// A moment.
    Timestamp,
    /// At most so many items.
    List(Box<Type<'a>>, u64),
    /// At most so many entries with keys of text.
    Map(Box<Type<'a>>, u64),
    /// An object with the fields of a schema.
    Object(&'a Node),
    /// A value or none.
    Optional(Box<Type<'a>>),
    /// A value of a library, such as a quantity.
    Named(&'static str),
}

impl<'a> Type<'a> {
    /// The type of the values of a schema node.
    #[must_use]
    pub fn of(node: &'a Node) -> Self {
        let max = |bound: Option<i64>, each: u64| {
            bound
                .and_then(|bound| u64::try_from(bound).ok())
                .unwrap_or(REQUEST_MAX_BYTES / each)
        };
        let checks = node.checks.as_deref();
        match node.kind {
            Kind::Any | Kind::IntOrString => Self::Dyn,
            Kind::Boolean => Self::Bool,
            Kind::Integer => Self::Int,
            Kind::Number => Self::Double,
            Kind::String => {
                let size = checks.map_or(REQUEST_MAX_BYTES, |checks| {
                    let longest = checks
                        .allowed
                        .iter()
                        .filter_map(|one| one.as_str().map(str::len))
                        .max();
                    match longest {
                        Some(longest) => longest as u64,
                        None => max(checks.max_length, 1),
                    }
                });
                match node.format() {
                    "date-time" | "datetime" | "date" => Self::Timestamp,
                    "duration" => Self::Duration,
                    "byte" => Self::Bytes(size),
                    _ => Self::String(size),
                }
            }
            Kind::Array => match &node.items {
                Some(items) => {
                    let bound = checks.and_then(|checks| checks.max_items);
                    Self::List(Box::new(Self::of(items)), max(bound, least_bytes(items) + 1))
                }
                None => Self::List(Box::new(Self::Dyn), REQUEST_MAX_BYTES / 2),
            },
            Kind::Object => {
                let bound = checks.and_then(|checks| checks.max_properties);
                match &node.additional {
                    Additional::Schema(values) => {
                        Self::Map(Box::new(Self::of(values)), max(bound, least_bytes(values) + 4))
                    }
                    Additional::Any => Self::Map(Box::new(Self::Dyn), max(bound, 5)),
                    Additional::None
                        if node.properties.is_empty() && node.keeps_unknown && !node.is_embedded =>
                    {
                        Self::Dyn
                    }
                    Additional::None => Self::Object(node),
                }
            }
        }
    }

    /// As messages name it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Dyn => "dyn".to_owned(),
            Self::Null => "null_type".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Uint => "uint".to_owned(),
            Self::Double => "double".to_owned(),
            Self::String(_) => "string".to_owned(),
            Self::Bytes(_) => "bytes".to_owned(),
            Self::Duration => "google.protobuf.Duration".to_owned(),
            Self::Timestamp => "google.protobuf.Timestamp".to_owned(),
            Self::List(item, _) => format!("list({})", item.name()),
            Self::Map(value, _) => format!("map(string, {})", value.name()),
            Self::Object(_) => "object".to_owned(),
            Self::Optional(inner) => format!("optional_type({})", inner.name()),
            Self::Named(name) => (*name).to_owned(),
        }
    }

    /// How many bytes, items or entries a value has at most; one for a scalar.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::String(size) | Self::Bytes(size) | Self::List(_, size) | Self::Map(_, size) => *size,
            Self::Dyn => DYN_SIZE,
            Self::Object(node) => node.properties.len() as u64,
            _ => 1,
        }
    }

    /// The type of the items that a loop over a value sees: items of a list, keys of a map.
    #[must_use]
    pub fn item(&self) -> Type<'a> {
        match self {
            Self::List(item, _) => (**item).clone(),
            Self::Map(..) | Self::Object(_) => Self::String(KEY_SIZE),
            _ => Self::Dyn,
        }
    }

    /// The type of the values that a loop with two names sees: items of a list, values of a map.
    #[must_use]
    pub fn value(&self) -> Type<'a> {
        match self {
            Self::List(value, _) | Self::Map(value, _) => (**value).clone(),
            _ => Self::Dyn,
        }
    }

    /// Whether the two can be the same value; unknown ones can be anything.
    #[must_use]
    pub fn meets(&self, other: &Type<'_>) -> bool {
        use Type::{
            Bool, Bytes, Double, Duration, Dyn, Int, List, Map, Named, Null, Object, Optional, String,
            Timestamp, Uint,
        };
        matches!(
            (self, other),
            (Dyn | Null, _)
                | (_, Dyn | Null)
                | (Bool, Bool)
                | (Int | Uint | Double, Int | Uint | Double)
                | (String(_), String(_))
                | (Bytes(_), Bytes(_))
                | (Duration, Duration)
                | (Timestamp, Timestamp)
                | (List(..), List(..))
                | (Map(..) | Object(_), Map(..) | Object(_))
                | (Optional(_), Optional(_))
                | (Named(_), Named(_))
        )
    }
}

/// What is assumed of values that nothing is known about.
const DYN_SIZE: u64 = 1_000;
/// How long keys are assumed to be.
const KEY_SIZE: u64 = 64;

/// The fewest bytes of JSON that a value takes.
fn least_bytes(node: &Node) -> u64 {
    match node.kind {
        Kind::Any | Kind::Integer | Kind::Number | Kind::IntOrString => 1,
        Kind::Boolean => 4,
        Kind::String => 2,
        Kind::Array => 2,
        Kind::Object => {
            let fields = node.required().iter().filter_map(|name| {
                let below = node.properties.get(name)?;
                Some(name.len() as u64 + 4 + least_bytes(below))
            });
            2 + fields.sum::<u64>()
        }
    }
}
