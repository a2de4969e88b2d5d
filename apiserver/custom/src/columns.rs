//! Printer columns: what `kubectl get` shows of a custom resource.

use serde_json::{Map, Value};

use crate::jsonpath::JsonPath;

/// One column beside the name.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its head.
    pub name: Box<str>,
    /// `integer`, `number`, `string`, `boolean` or `date`.
    pub kind: Box<str>,
    /// A form of the type, for clients.
    pub format: Box<str>,
    /// What it says.
    pub description: Box<str>,
    /// Above zero it is shown by `-o wide` only.
    pub priority: i32,
    /// Where the value stands.
    pub path: JsonPath,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A moment, in the form of the API, to be shown as the time since.
    Date(String),
}

impl Column {
    /// The cell of an object.
    #[must_use]
    pub fn cell(&self, object: &Map<String, Value>) -> Cell {
        let Some(value) = self.path.find(object) else {
            return Cell::Empty;
        };
        match (&*self.kind, value) {
            (_, Value::Null) => Cell::Empty,
            ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Cell::Integer(whole),
                (None, Some(float)) => Cell::Integer(float as i64),
                (None, None) => Cell::Empty,
            },
            ("number", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Cell::Integer(whole),
                (None, float) => float.map_or(Cell::Empty, Cell::Number),
            },
            ("boolean", Value::Bool(value)) => Cell::Boolean(*value),
            ("date", Value::String(text)) => Cell::Date(text.clone()),
            ("string", Value::String(text)) => Cell::Text(text.clone()),
            ("string", other) => Cell::Text(other.to_string()),
            _ => Cell::Empty,
        }
    }
}

/// The age, which is shown where a definition names no columns.
#[must_use]
pub fn age() -> Column {
    const DESCRIPTION: &str = "Time since the object was created.";
    Column {
        name: "Age".into(),
        kind: "date".into(),
        format: "".into(),
        description: DESCRIPTION.into(),
        priority: 0,
        path: match JsonPath::parse(".metadata.creationTimestamp") {
            Ok(path) => path,
            Err(error) => unreachable!("a path of two names: {error}"),
        },
    }
}
