//! From parsed text to [`Code`]: names and types are checked on the way, and the cost is estimated for the largest
//! values that the schema lets through.

use std::sync::LazyLock;

use kube_cel::cel::Value;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};

use super::code::{Call, Code, Loop};
use super::library;
use super::operators::{check_arguments, operate, refine};
use super::types::Type;
use super::value::{escape, text};
use super::{CompileError, Environment};
use crate::schema::{Kind, Node};

/// How deep expressions may be nested.
const MAX_DEPTH: usize = 250;
/// Bytes of text that cost as much as one step.
pub(super) const BYTES_PER_STEP: u64 = 10;
/// What making a list or a map costs.
const LITERAL_COST: u64 = 10;

/// An expression, the type of its value and what it costs at most.
pub(super) struct Lowered<'a> {
    pub code: Code,
    pub kind: Type<'a>,
    pub cost: u64,
}

pub(super) type Outcome<'a> = Result<Lowered<'a>, CompileError>;

pub(super) struct Lowering<'e, 'a> {
    pub environment: &'e Environment<'a>,
    /// The names of the loops around, the innermost last.
    pub locals: Vec<(Box<str>, Type<'a>)>,
    pub depth: usize,
}

/// What rules see of an object's metadata.
static METADATA: LazyLock<Node> = LazyLock::new(|| {
    let name = || Node {
        kind: Kind::String,
        ..Node::default()
    };
    Node {
        kind: Kind::Object,
        properties: ["generateName", "name"]
            .map(|field| (field.into(), name()))
            .into(),
        ..Node::default()
    }
});

impl<'a> Lowering<'_, 'a> {
    pub fn lower(&mut self, expr: &IdedExpr) -> Outcome<'a> {
        if self.depth >= MAX_DEPTH {
            return Err(CompileError::new("expression is nested too deeply"));
        }
        self.depth += 1;
        let outcome = self.dispatch(&expr.expr);
        self.depth -= 1;
        outcome
    }

    fn dispatch(&mut self, expr: &Expr) -> Outcome<'a> {
        match expr {
            Expr::Literal(literal) => constant(literal),
            Expr::Ident(name) => self.ident(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let (mut items, mut kind, mut cost) = (Vec::new(), None, LITERAL_COST);
                for (index, element) in list.elements.iter().enumerate() {
                    let own = self.lower(element)?;
                    cost = add(cost, own.cost);
                    kind = Some(kind.map_or(own.kind.clone(), |kind| unify(kind, own.kind)));
                    items.push((own.code, list.optional_indices.contains(&index)));
                }
                let size = items.len() as u64;
                Ok(Lowered {
                    code: Code::List(items),
                    kind: Type::List(Box::new(kind.unwrap_or(Type::Dyn)), size),
                    cost,
                })
            }
            Expr::Map(map) => {
                let (mut entries, mut kind, mut cost) = (Vec::new(), None, 3 * LITERAL_COST);
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(unsupported("message literals"));
                    };
                    let (key, own) = (self.lower(&entry.key)?, self.lower(&entry.value)?);
                    cost = add(cost, add(key.cost, own.cost));
                    kind = Some(kind.map_or(own.kind.clone(), |kind| unify(kind, own.kind)));
                    entries.push((key.code, own.code, entry.optional));
                }
                let size = entries.len() as u64;
                Ok(Lowered {
                    code: Code::Map(entries),
                    kind: Type::Map(Box::new(kind.unwrap_or(Type::Dyn)), size),
                    cost,
                })
            }
            Expr::Comprehension(own) => self.comprehension(own),
            Expr::Struct(_) => Err(unsupported("message literals")),
            Expr::Unspecified => Err(CompileError::new("expression is empty")),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Type<'a>> {
        let local = self.locals.iter().rev().find(|(own, _)| **own == *name);
        local.map(|(_, kind)| kind.clone()).or_else(|| {
            let bound = self.environment.variables.iter().find(|(own, _)| **own == *name);
            bound.map(|(_, kind)| kind.clone())
        })
    }

    fn ident(&mut self, name: &str) -> Outcome<'a> {
        const TYPES: [&str; 9] = [
            "bool",
            "bytes",
            "double",
            "int",
            "list",
            "map",
            "null_type",
            "string",
            "uint",
        ];
        match self.find(name) {
            Some(kind) => Ok(Lowered {
                code: Code::Variable(name.into()),
                kind,
                cost: 1,
            }),
            None if TYPES.contains(&name) => Ok(Lowered {
                code: Code::Constant(text(name)),
                kind: Type::Dyn,
                cost: 0,
            }),
            None => Err(undeclared(name)),
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Outcome<'a> {
        if let Expr::Ident(first) = &select.operand.expr {
            // Some variables have a name of two words.
            let whole = format!("{first}.{}", select.field);
            let is_bound = |(own, _): &&(Box<str>, Type<'a>)| **own == *whole;
            if let Some((_, kind)) = self.environment.variables.iter().find(is_bound) {
                return Ok(Lowered {
                    code: Code::Variable(whole.into()),
                    kind: kind.clone(),
                    cost: 1,
                });
            }
        }
        let of = self.lower(&select.operand)?;
        let kind = field_of(&of.kind, &select.field)?;
        let (of_code, name) = (Box::new(of.code), select.field.as_str().into());
        Ok(Lowered {
            kind: if select.test { Type::Bool } else { kind },
            code: if select.test {
                Code::Has(of_code, name)
            } else {
                Code::Field(of_code, name)
            },
            cost: add(of.cost, 1),
        })
    }

    fn comprehension(&mut self, own: &ComprehensionExpr) -> Outcome<'a> {
        let range = self.lower(&own.iter_range)?;
        if !matches!(range.kind, Type::List(..) | Type::Map(..) | Type::Dyn) {
            return Err(CompileError::new(format!(
                "expression of type '{}' cannot be range of a comprehension (must be list, map, or dynamic)",
                range.kind.name()
            )));
        }
        let start = self.lower(&own.accu_init)?;
        let depth = self.locals.len();
        self.locals
            .push((own.accu_var.as_str().into(), start.kind.clone()));
        self.locals
            .push((own.iter_var.as_str().into(), range.kind.item()));
        let times = range.kind.size();
        let condition = self.lower(&own.loop_cond)?;
        let step = self.lower(&own.loop_step)?;
        let grown = match step.kind {
            Type::List(item, _) => Type::List(item, times),
            other => other,
        };
        if let Some(local) = self.locals.get_mut(depth) {
            local.1 = grown;
        }
        let result = self.lower(&own.result)?;
        self.locals.truncate(depth);
        let each = add(condition.cost, step.cost);
        Ok(Lowered {
            cost: add(
                add(range.cost, start.cost),
                add(times.saturating_mul(each), result.cost),
            ),
            kind: result.kind,
            code: Code::Loop(Box::new(Loop {
                range: range.code,
                item: own.iter_var.as_str().into(),
                second: own.iter_var2.as_deref().map(Into::into),
                result_name: own.accu_var.as_str().into(),
                start: start.code,
                condition: condition.code,
                step: step.code,
                result: result.code,
            })),
        })
    }

    fn call(&mut self, call: &CallExpr) -> Outcome<'a> {
        match (call.target.as_deref(), call.args.as_slice()) {
            (None, [condition, yes, no]) if call.func_name == operators::CONDITIONAL => {
                self.conditional(condition, yes, no)
            }
            (None, [left, right]) => match self.binary(&call.func_name, left, right) {
                Some(outcome) => outcome,
                None => self.function(call),
            },
            (None, [of]) => match self.unary(&call.func_name, of) {
                Some(outcome) => outcome,
                None => self.function(call),
            },
            _ => match self.binding(call) {
                Some(outcome) => outcome,
                None => self.function(call),
            },
        }
    }

    fn conditional(&mut self, condition: &IdedExpr, yes: &IdedExpr, no: &IdedExpr) -> Outcome<'a> {
        let (condition, yes, no) = (self.lower(condition)?, self.lower(yes)?, self.lower(no)?);
        expect_bool("_?_:_", &[&condition, &yes, &no], 1)?;
        Ok(Lowered {
            kind: unify(yes.kind, no.kind),
            cost: add(condition.cost, yes.cost.max(no.cost)),
            code: Code::If(Box::new(condition.code), Box::new(yes.code), Box::new(no.code)),
        })
    }

    fn unary(&mut self, name: &str, of: &IdedExpr) -> Option<Outcome<'a>> {
        let make: fn(Box<Code>) -> Code = match name {
            operators::LOGICAL_NOT => Code::Not,
            operators::NEGATE => Code::Negate,
            operators::NOT_STRICTLY_FALSE => Code::NotFalse,
            _ => return None,
        };
        Some(self.lower(of).and_then(|of| {
            if name == operators::NEGATE {
                if !matches!(of.kind, Type::Int | Type::Double | Type::Duration | Type::Dyn) {
                    return Err(no_overload(name, &[&of]));
                }
            } else {
                expect_bool(name, &[&of], 1)?;
            }
            Ok(Lowered {
                kind: if name == operators::NEGATE {
                    of.kind
                } else {
                    Type::Bool
                },
                cost: add(of.cost, 1),
                code: make(Box::new(of.code)),
            })
        }))
    }

    fn binary(&mut self, name: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Outcome<'a>> {
        let is_operator = matches!(
            name,
            operators::LOGICAL_AND
                | operators::LOGICAL_OR
                | operators::EQUALS
                | operators::NOT_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS
                | operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::IN
                | operators::INDEX
                | operators::OPT_INDEX
                | operators::OPT_SELECT
        );
        is_operator.then(|| {
            let (left, right) = (self.lower(left)?, self.lower(right)?);
            operate(name, left, right)
        })
    }

    fn function(&mut self, call: &CallExpr) -> Outcome<'a> {
        let namespace = match call.target.as_deref().map(|target| &target.expr) {
            Some(Expr::Ident(name))
                if self.find(name).is_none() && library::NAMESPACES.contains(&name.as_str()) =>
            {
                Some(name)
            }
            _ => None,
        };
        let (name, target) = match namespace {
            Some(namespace) => (format!("{namespace}.{}", call.func_name), None),
            None => (call.func_name.clone(), call.target.as_deref()),
        };
        let target = target.map(|target| self.lower(target)).transpose()?;
        let arguments = call
            .args
            .iter()
            .map(|own| self.lower(own))
            .collect::<Result<Vec<_>, _>>()?;
        let host = self.method(&name, target.as_ref(), &arguments)?;
        let is_hosts = host.is_some();
        let kind = match host {
            Some(kind) => kind,
            None => library::result(&name).ok_or_else(|| undeclared(&name))?,
        };
        let of = target.as_ref().or(arguments.first());
        check_arguments(&name, of, target.as_ref(), &arguments)?;
        let kind = refine(&name, kind, of);
        let all = target.iter().chain(&arguments);
        let walked = match name.as_str() {
            "size" | "type" | "dyn" | "hasValue" | "value" | "orValue" | "or" => 0,
            "startsWith" | "endsWith" => arguments.last().map_or(0, |last| walk(&last.kind)),
            _ => all.clone().map(|own| walk(&own.kind)).fold(0, add),
        };
        let cost = all.map(|own| own.cost).fold(add(walked, 1), add);
        if let ("matches", Some(of), Some(Code::Constant(Value::String(pattern)))) = (
            name.as_str(),
            of.map(|of| of.code.clone()),
            arguments.last().map(|last| &last.code),
        ) {
            let pattern =
                library::pattern_of(pattern).map_err(|error| CompileError::new(error.to_string()))?;
            return Ok(Lowered {
                code: Code::Matches(Box::new(of), pattern.regex),
                kind,
                cost,
            });
        }
        Ok(Lowered {
            code: Code::Call(Box::new(Call {
                name: name.into(),
                target: target.map(|target| target.code),
                arguments: arguments.into_iter().map(|own| own.code).collect(),
                is_hosts,
            })),
            kind,
            cost,
        })
    }
}

/// What a field of a value of this type is.
pub(super) fn field_of<'a>(of: &Type<'a>, field: &str) -> Result<Type<'a>, CompileError> {
    match of {
        Type::Dyn => Ok(Type::Dyn),
        Type::Map(value, _) => Ok((**value).clone()),
        Type::Object(node) => {
            if node.is_embedded {
                match field {
                    "apiVersion" | "kind" => return Ok(Type::String(253)),
                    "metadata" => return Ok(Type::Object(&METADATA)),
                    _ => {}
                }
            }
            let found = match node.properties.get(field).filter(|_| escape(field) == field) {
                Some(found) => Some(found),
                None => node
                    .properties
                    .iter()
                    .find(|(name, _)| escape(name) == field)
                    .map(|(_, node)| node),
            };
            found
                .map(Type::of)
                .ok_or_else(|| CompileError::new(format!("undefined field '{field}'")))
        }
        Type::Optional(inner) => Ok(Type::Optional(Box::new(field_of(inner, field)?))),
        other => Err(CompileError::new(format!(
            "type '{}' does not support field selection",
            other.name()
        ))),
    }
}

fn constant<'a>(literal: &LiteralValue) -> Outcome<'a> {
    let value =
        Value::try_from(literal.to_val().as_ref()).map_err(|error| CompileError::new(error.to_string()))?;
    let kind = match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(bytes) => Type::Bytes(bytes.inner().len() as u64),
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(text) => Type::String(text.inner().len() as u64),
        LiteralValue::UInt(_) => Type::Uint,
    };
    Ok(Lowered {
        code: Code::Constant(value),
        kind,
        cost: 0,
    })
}

/// The type of what is one or the other.
pub(super) fn unify<'a>(one: Type<'a>, other: Type<'a>) -> Type<'a> {
    match (one, other) {
        (Type::String(one), Type::String(other)) => Type::String(one.max(other)),
        (Type::Bytes(one), Type::Bytes(other)) => Type::Bytes(one.max(other)),
        (Type::List(item, one), Type::List(_, other)) if other <= one => Type::List(item, one),
        (Type::List(_, one), Type::List(item, other)) if one < other => Type::List(item, other),
        (Type::Bool, Type::Bool) => Type::Bool,
        (Type::Int, Type::Int) => Type::Int,
        (Type::Double, Type::Double) => Type::Double,
        (Type::Object(one), Type::Object(other)) if std::ptr::eq(one, other) => Type::Object(one),
        _ => Type::Dyn,
    }
}

pub(super) fn expect_bool(name: &str, sides: &[&Lowered<'_>], judged: usize) -> Result<(), CompileError> {
    let fits = |side: &&&Lowered<'_>| matches!(side.kind, Type::Bool | Type::Dyn);
    if sides.iter().take(judged).filter(fits).count() == judged.min(sides.len()) {
        Ok(())
    } else {
        Err(no_overload(name, sides))
    }
}

pub(super) fn no_overload(name: &str, sides: &[&Lowered<'_>]) -> CompileError {
    let names: Vec<String> = sides.iter().map(|side| side.kind.name()).collect();
    CompileError::new(format!(
        "found no matching overload for '{name}' applied to '({})'",
        names.join(", ")
    ))
}

fn undeclared(name: &str) -> CompileError {
    CompileError::new(format!("undeclared reference to '{name}' (in container '')"))
}

pub(super) fn unsupported(what: &str) -> CompileError {
    CompileError::new(format!("{what} are not supported"))
}

/// What going through a value costs.
fn walk(kind: &Type<'_>) -> u64 {
    match kind {
        Type::String(size) | Type::Bytes(size) | Type::List(_, size) => size / BYTES_PER_STEP,
        _ => 0,
    }
}

pub(super) fn add(one: u64, other: u64) -> u64 {
    one.saturating_add(other)
}
