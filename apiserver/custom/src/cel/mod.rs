//! The Common Expression Language as Kubernetes has it, with limits: text is compiled and checked against what is
//! known of its variables, the cost is estimated, and running it spends a budget.
//!
//! The text is parsed and the rarer functions are run by `kube-cel`; everything in between is here, because an
//! evaluator without a budget could be made to run for ever, and one that does not know the schema would find a
//! misspelt field only when it is too late.
//!
//! Not supported, and refused when compiled: message literals.

use std::panic::catch_unwind;

use kube_cel::cel::parser::Parser;

pub mod authorizer;
mod budget;
mod code;
mod eval;
mod host;
mod library;
mod lower;
mod macros;
mod operators;
mod pairs;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use budget::{Budget, CALL_BUDGET, EvalError, Host, OBJECT_BUDGET};
pub use kube_cel::cel::Value;
pub use types::{REQUEST_MAX_BYTES, Type};
pub use value::{escape, from_json, from_object, map, optional_of, text, to_json, with_schema};

use code::Code;
use eval::Scope;
use lower::Lowering;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION: usize = 16 << 10;
/// How many operators of one chain (`a.b + c[d]...`) may follow each other: the parser recurses on them.
const MAX_CHAIN: usize = 256;

/// Why text is no expression, or none that fits where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    message: String,
}

impl CompileError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// What an expression may name.
#[derive(Debug, Default, Clone)]
pub struct Environment<'a> {
    variables: Vec<(Box<str>, Type<'a>)>,
    methods: Vec<Method<'a>>,
}

/// A function of the [`Host`].
#[derive(Debug, Clone)]
struct Method<'a> {
    name: Box<str>,
    of: &'static str,
    arguments: usize,
    result: Type<'a>,
}

impl<'a> Environment<'a> {
    /// Nothing but the library.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, kind: Type<'a>) -> Self {
        self.variables.push((name.into(), kind));
        self
    }

    /// With a function of the [`Host`], called on values of the type `of` with so many texts.
    #[must_use]
    pub fn method(mut self, name: &str, of: &'static str, arguments: usize, result: Type<'a>) -> Self {
        self.methods.push(Method {
            name: name.into(),
            of,
            arguments,
            result,
        });
        self
    }
}

/// What an expression must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `true` or `false`.
    Bool,
    /// Text.
    String,
    /// Text or null.
    StringOrNull,
    /// Anything.
    Any,
}

/// An expression that compiled. It may be run from many threads at a time.
#[derive(Debug, Clone)]
pub struct Program {
    code: Code,
    cost: u64,
    names: Vec<Box<str>>,
}

impl Program {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Where it is none, names what there is not, or gives something else.
    pub fn compile(text: &str, environment: &Environment<'_>, wanted: Wanted) -> Result<Self, CompileError> {
        guard(text)?;
        // The parser is generated code over a runtime that panics where it is lost.
        let parsed = catch_unwind(|| Parser::new().enable_optional_syntax(true).parse(text))
            .map_err(|_| CompileError::new("Syntax error: the expression cannot be parsed"))?
            .map_err(|errors| CompileError::new(errors.to_string().trim_end().to_owned()))?;
        let mut names: Vec<Box<str>> = parsed
            .references()
            .variables()
            .into_iter()
            .map(Into::into)
            .collect();
        names.sort();
        let mut lowering = Lowering {
            environment,
            locals: Vec::new(),
            depth: 0,
        };
        let lowered = lowering.lower(&parsed)?;
        let fits = match (wanted, &lowered.kind) {
            (_, Type::Dyn) | (Wanted::Any, _) => true,
            (Wanted::Bool, kind) => matches!(kind, Type::Bool),
            (Wanted::String, kind) => matches!(kind, Type::String(_)),
            (Wanted::StringOrNull, kind) => matches!(kind, Type::String(_) | Type::Null),
        };
        if !fits {
            return Err(CompileError::new(match wanted {
                Wanted::Bool => "cel expression must evaluate to a bool",
                _ => "must evaluate to string",
            }));
        }
        Ok(Self {
            code: lowered.code,
            cost: lowered.cost,
            names,
        })
    }

    /// What one run costs at most, for the largest values that the types let through.
    #[must_use]
    pub fn estimated_cost(&self) -> u64 {
        self.cost
    }

    /// Whether the text names this variable.
    #[must_use]
    pub fn names(&self, variable: &str) -> bool {
        self.names.iter().any(|name| **name == *variable)
    }

    /// Runs the expression; `bound` gives the variables' values, each asked for only where it is needed.
    ///
    /// # Errors
    /// As the language has it, or where the budget is spent.
    pub fn eval(
        &self,
        bound: &dyn Fn(&str) -> Option<Value>,
        budget: &mut Budget<'_>,
    ) -> Result<Value, EvalError> {
        let mut scope = Scope {
            bound,
            locals: Vec::new(),
            budget,
        };
        scope.eval(&self.code)
    }
}

/// Refuses text that would lead the parser too deep.
fn guard(text: &str) -> Result<(), CompileError> {
    if text.len() > MAX_EXPRESSION {
        return Err(CompileError::new(format!(
            "expression is too long: {} bytes, limit is {MAX_EXPRESSION}",
            text.len()
        )));
    }
    let (mut chain, mut quote) = (0, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(end), own) if own == end => quote = None,
            (Some(_), _) => continue,
            (None, '"' | '\'') => quote = Some(character),
            (None, '&' | '|' | ',') => chain = 0,
            (None, '+' | '-' | '*' | '/' | '%' | '.' | '[' | '(' | '!' | '?') => chain += 1,
            _ => {}
        }
        if chain > MAX_CHAIN {
            return Err(CompileError::new("expression is nested too deeply"));
        }
    }
    Ok(())
}
