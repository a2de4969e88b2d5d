//! Expressions of webhooks' match conditions and of policies.
//!
//! Values go in and come out as JSON. An expression is parsed once, when its webhook or policy is compiled; what it
//! cannot do (`authorizer`, types that the JSON does not show) fails when it is evaluated, as the failure policy says.

use std::{collections::HashMap, sync::Arc};

use kube_cel::{
    KubeCelExt,
    cel::{
        Context, Program, Value as Cel,
        objects::{Key, Map},
    },
};
use serde_json::Value;

/// The longest expression: parsing and evaluating cost at least as much as its text is long.
const MAX_EXPRESSION_BYTES: usize = 16 << 10;

/// A parsed expression.
pub(crate) struct Expression {
    program: Program,
    text: String,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expression({})", self.text)
    }
}

/// What names stand for in an expression.
pub(crate) struct Bindings {
    context: Context<'static>,
    /// Why a composed variable has no value.
    failures: Vec<(String, String)>,
    variables: HashMap<Key, Cel>,
}

impl Expression {
    /// # Errors
    /// What is wrong with the text.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.len() > MAX_EXPRESSION_BYTES {
            return Err(format!("expression is longer than {MAX_EXPRESSION_BYTES} bytes"));
        }
        let program = Program::compile(text).map_err(|error| format!("compilation failed: {error}"))?;
        Ok(Self {
            program,
            text: text.to_owned(),
        })
    }

    /// # Errors
    /// What went wrong while evaluating.
    pub fn evaluate(&self, bindings: &Bindings) -> Result<Value, String> {
        match self.program.execute(&bindings.context) {
            Ok(value) => Ok(to_json(&value)),
            Err(error) => {
                let named = bindings
                    .failures
                    .iter()
                    .find(|(name, _)| self.text.contains(&format!("variables.{name}")));
                Err(named.map_or_else(
                    || error.to_string(),
                    |(name, why)| format!("composited variable \"{name}\" fails to evaluate: {why}"),
                ))
            }
        }
    }
}

impl Bindings {
    pub fn new<'a>(values: impl IntoIterator<Item = (&'static str, &'a Value)>) -> Self {
        let mut context = Context::default().with_all();
        for (name, value) in values {
            context.add_variable_from_value(name, from_json(value));
        }
        Self {
            context,
            failures: Vec::new(),
            variables: HashMap::new(),
        }
    }

    /// Adds `variables.NAME`, which may use those before it. One that fails only matters to those who use it.
    pub fn add_variable(&mut self, name: &str, expression: &Result<Expression, String>) {
        let value = match expression {
            Ok(expression) => expression
                .program
                .execute(&self.context)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        match value {
            Ok(value) => {
                self.variables.insert(key(name), value);
                let map = Map {
                    map: Arc::new(self.variables.clone()),
                };
                self.context.add_variable_from_value("variables", Cel::Map(map));
            }
            Err(why) => self.failures.push((name.to_owned(), why)),
        }
    }
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn from_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Cel::Int(whole),
            (None, Some(large)) => Cel::UInt(large),
            (None, None) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(fields) => {
            let mut map: HashMap<Key, Cel> = HashMap::with_capacity(fields.len());
            for (name, value) in fields {
                let value = from_json(value);
                // Expressions cannot name these fields as they are; upstream gives them this second name.
                if RESERVED.contains(&name.as_str()) {
                    map.insert(key(&format!("__{name}__")), value.clone());
                }
                map.insert(key(name), value);
            }
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}

/// Words of the language that are fields of objects as well.
const RESERVED: [&str; 4] = ["namespace", "in", "as", "if"];

fn to_json(value: &Cel) -> Value {
    match value {
        Cel::Bool(value) => Value::Bool(*value),
        Cel::Int(value) => (*value).into(),
        Cel::UInt(value) => (*value).into(),
        Cel::Float(value) => (*value).into(),
        Cel::String(text) => Value::String(text.to_string()),
        Cel::List(items) => items.iter().map(to_json).collect(),
        Cel::Map(fields) => {
            let mut pairs: Vec<(String, Value)> = fields
                .map
                .iter()
                .map(|(key, value)| (key.to_string(), to_json(value)))
                .collect();
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(pairs.into_iter().collect())
        }
        _ => Value::Null,
    }
}
