//! Between JSON and the values that expressions see.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, Map};

use super::library;
use crate::schema::{Kind, Node};

/// Words of the language, which are no names.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A field's name as expressions write it: `x-y` is `x__dash__y`.
#[must_use]
pub fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    // A single underscore stands for itself; two of them begin an escape.
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        let (text, length) = match character {
            '_' if rest.starts_with("__") => ("__underscores__", 2),
            '.' => ("__dot__", 1),
            '-' => ("__dash__", 1),
            '/' => ("__slash__", 1),
            other => {
                escaped.push(other);
                rest = rest.get(other.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        escaped.push_str(text);
        rest = rest.get(length..).unwrap_or_default();
    }
    escaped
}

/// Text.
#[must_use]
pub fn text(text: impl Into<String>) -> Value {
    Value::String(Arc::new(text.into()))
}

/// A map with keys of text.
#[must_use]
pub fn map(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    let map: HashMap<Key, Value> = fields
        .into_iter()
        .map(|(name, value)| (Key::String(Arc::new(name)), value))
        .collect();
    Value::Map(Map { map: Arc::new(map) })
}

/// JSON of which no schema is known; names are not escaped.
#[must_use]
pub fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => from_number(number),
        serde_json::Value::String(own) => text(own),
        serde_json::Value::Array(list) => Value::List(Arc::new(list.iter().map(from_json).collect())),
        serde_json::Value::Object(fields) => map(fields
            .iter()
            .map(|(name, value)| (name.clone(), from_json(value)))),
    }
}

fn from_number(number: &serde_json::Number) -> Value {
    match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => Value::Int(whole),
        (None, Some(whole)) => Value::UInt(whole),
        (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// JSON as its schema means it: declared fields only, with escaped names, and text of some formats as what it says.
#[must_use]
pub fn with_schema(json: &serde_json::Value, node: &Node) -> Value {
    match json {
        serde_json::Value::Object(fields) => from_object(fields, node, node.is_embedded),
        serde_json::Value::Array(list) => match &node.items {
            Some(items) => Value::List(Arc::new(
                list.iter().map(|item| with_schema(item, items)).collect(),
            )),
            None => from_json(json),
        },
        serde_json::Value::Number(number) => match node.kind {
            Kind::Number => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            // 1.0 is a whole number to the schema.
            Kind::Integer => match from_number(number) {
                Value::Float(float) => Value::Int(float as i64),
                whole => whole,
            },
            _ => from_number(number),
        },
        serde_json::Value::String(own) if node.kind == Kind::String => {
            library::formatted(node.format(), own).unwrap_or_else(|| text(own))
        }
        other => from_json(other),
    }
}

/// An object as its schema means it; see [`with_schema`].
#[must_use]
pub fn from_object(
    fields: &serde_json::Map<String, serde_json::Value>,
    node: &Node,
    is_whole: bool,
) -> Value {
    if node.is_map() || (node.properties.is_empty() && !is_whole) {
        return map(fields.iter().map(|(name, value)| {
            let value = node
                .field(name)
                .map_or_else(|| from_json(value), |node| with_schema(value, node));
            (name.clone(), value)
        }));
    }
    let declared =
        fields.iter().filter_map(
            |(name, value)| match (name.as_str(), node.properties.get(name.as_str())) {
                ("apiVersion" | "kind", _) if is_whole => Some((name.clone(), from_json(value))),
                ("metadata", _) if is_whole => Some((name.clone(), metadata(value))),
                (_, Some(below)) => Some((escape(name), with_schema(value, below))),
                (_, None) => None,
            },
        );
    map(declared)
}

/// Of an object's metadata, rules see the name only.
fn metadata(metadata: &serde_json::Value) -> Value {
    let names = ["name", "generateName"];
    map(names.iter().filter_map(|name| {
        let value = metadata.get(name)?;
        Some(((*name).to_owned(), from_json(value)))
    }))
}

/// A value as JSON, for audit annotations and messages; `None` for what JSON cannot say.
#[must_use]
pub fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::Float(value) => serde_json::Number::from_f64(*value)?.into(),
        Value::String(text) => text.as_str().into(),
        Value::List(list) => list.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        Value::Map(map) => {
            let mut fields = serde_json::Map::new();
            for (key, value) in map.map.iter() {
                let Key::String(name) = key else { return None };
                fields.insert(name.to_string(), to_json(value)?);
            }
            fields.into()
        }
        Value::Timestamp(_) | Value::Duration(_) => library::shown(value)?.into(),
        _ => return None,
    })
}

/// A value or none, as `oldSelf` is where `optionalOldSelf` is set.
#[must_use]
pub fn optional_of(value: Option<Value>) -> Value {
    super::eval::to_optional(value)
}
