//! Expressions of webhooks' match conditions and of policies, over JSON.
//!
//! The language, its limits and its budgets are those of custom resources' rules ([`coracle_custom::cel`]). Nothing is
//! known of the types of what is bound here (the authorizer's aside), so what does not fit is found when an expression
//! runs, and the failure policy decides.

use std::{cell::RefCell, collections::BTreeMap};

pub(crate) use coracle_custom::cel::OBJECT_BUDGET;
pub(crate) use coracle_custom::cel::Wanted;
use coracle_custom::cel::{
    self, Budget, CALL_BUDGET, Environment, Program, Type,
    authorizer::{AUTHORIZER, Library, REQUEST_RESOURCE, declare},
};
use serde_json::Value;

use crate::access::Caller;

/// What all match conditions of one webhook may cost together, as upstream has it.
pub(crate) const CONDITIONS_BUDGET: u64 = 2_500_000;

/// What expressions may name.
const NAMES: [&str; 6] = [
    "object",
    "oldObject",
    "request",
    "namespaceObject",
    "params",
    "variables",
];
/// Words of the language that are fields of objects as well; upstream gives such fields a second name.
const RESERVED: [&str; 4] = ["namespace", "in", "as", "if"];

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    program: Program,
    text: String,
}

/// What names stand for in the expressions of one policy or webhook, and what these may cost together.
pub(crate) struct Bindings<'a> {
    caller: &'a Caller,
    values: BTreeMap<&'static str, cel::Value>,
    variables: BTreeMap<String, cel::Value>,
    /// Why a composed variable has no value.
    failures: Vec<(String, String)>,
    budget: RefCell<Budget<'static>>,
}

impl Expression {
    /// # Errors
    /// What is wrong with the text.
    pub fn compile(text: &str, wanted: Wanted) -> Result<Self, String> {
        let named = |environment: Environment<'static>, name: &&str| environment.variable(name, Type::Dyn);
        let environment = declare(NAMES.iter().fold(Environment::new(), named));
        let program = Program::compile(text, &environment, wanted)
            .map_err(|error| format!("compilation failed: {error}"))?;
        Ok(Self {
            program,
            text: text.to_owned(),
        })
    }

    /// The value as JSON; null for what JSON cannot say.
    ///
    /// # Errors
    /// What went wrong while evaluating.
    pub fn evaluate(&self, bindings: &Bindings<'_>) -> Result<Value, String> {
        let value = bindings.run(&self.program).map_err(|error| {
            let named = bindings
                .failures
                .iter()
                .find(|(name, _)| self.text.contains(&format!("variables.{name}")));
            named.map_or(error, |(name, why)| {
                format!("composited variable \"{name}\" fails to evaluate: {why}")
            })
        })?;
        Ok(cel::to_json(&value).unwrap_or(Value::Null))
    }
}

impl<'a> Bindings<'a> {
    pub fn new<'v>(
        values: impl IntoIterator<Item = (&'static str, &'v Value)>,
        caller: &'a Caller,
        budget: u64,
    ) -> Self {
        let values = values.into_iter().map(|(name, value)| (name, from_json(value)));
        let asking = [
            (AUTHORIZER, cel::authorizer::caller()),
            (REQUEST_RESOURCE, cel::authorizer::requested(caller.about.clone())),
        ];
        Self {
            caller,
            values: values.chain(asking).collect(),
            variables: BTreeMap::new(),
            failures: Vec::new(),
            budget: RefCell::new(Budget::new(budget)),
        }
    }

    /// Adds `variables.NAME`, which may use those before it. One that fails only matters to those who use it.
    pub fn add_variable(&mut self, name: &str, expression: &Result<Expression, String>) {
        let value = match expression {
            Ok(expression) => self.run(&expression.program),
            Err(error) => Err(error.clone()),
        };
        match value {
            Ok(value) => {
                self.variables.insert(name.to_owned(), value);
                self.values.insert("variables", cel::map(self.variables.clone()));
            }
            Err(why) => self.failures.push((name.to_owned(), why)),
        }
    }

    fn run(&self, program: &Program) -> Result<cel::Value, String> {
        let mut budget = self.budget.borrow_mut();
        let library = Library(self.caller);
        let mut part = budget.part(CALL_BUDGET).with_host(&library);
        let outcome = program.eval(&|name| self.values.get(name).cloned(), &mut part);
        budget.spend(CALL_BUDGET, &part);
        outcome.map_err(|error| error.to_string())
    }
}

fn from_json(value: &Value) -> cel::Value {
    match value {
        Value::Array(items) => cel::Value::List(std::sync::Arc::new(items.iter().map(from_json).collect())),
        Value::Object(fields) => {
            let mut pairs = Vec::with_capacity(fields.len());
            for (name, value) in fields {
                let value = from_json(value);
                if RESERVED.contains(&name.as_str()) {
                    pairs.push((format!("__{name}__"), value.clone()));
                }
                pairs.push((name.clone(), value));
            }
            cel::map(pairs)
        }
        scalar => cel::from_json(scalar),
    }
}
