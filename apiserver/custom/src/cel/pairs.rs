//! Macros of two variables: `all(i, v, ...)`, `exists`, `existsOne`, `transformList`, `transformMap` and
//! `transformMapEntry`. The first name is a list's index or a map's key, the second the value.
//!
//! The parser leaves them as calls; they become the same loops as the macros of one variable.
//!
//! Source: the two-variable comprehensions extension of CEL.

use kube_cel::cel::Value;
use kube_cel::cel::common::ast::IdedExpr;

use super::CompileError;
use super::code::{Arithmetic, Code, Comparison, Loop};
use super::lower::{Lowered, Lowering, Outcome, add, expect_bool, no_overload};
use super::macros::variable;
use super::types::Type;

/// What a loop gathers; no identifier can have this name.
const RESULT: &str = "@result";

/// What becomes of the pairs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    All,
    Exists,
    ExistsOne,
    List,
    Map,
    Entries,
}

/// A loop without its range.
struct Fold<'a> {
    start: Code,
    condition: Code,
    step: Code,
    result: Code,
    kind: Type<'a>,
}

impl<'a> Lowering<'_, 'a> {
    /// One of the macros; `None` where the call is something else.
    pub(super) fn pairs(
        &mut self,
        name: &str,
        range: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Option<Outcome<'a>> {
        let (how, filter) = match (name, arguments) {
            ("all", [_, _, _]) => (How::All, None),
            ("exists", [_, _, _]) => (How::Exists, None),
            ("existsOne" | "exists_one", [_, _, _]) => (How::ExistsOne, None),
            ("transformList", [_, _, _]) => (How::List, None),
            ("transformMap", [_, _, _]) => (How::Map, None),
            ("transformMapEntry", [_, _, _]) => (How::Entries, None),
            ("transformList", [_, _, filter, _]) => (How::List, Some(filter)),
            ("transformMap", [_, _, filter, _]) => (How::Map, Some(filter)),
            ("transformMapEntry", [_, _, filter, _]) => (How::Entries, Some(filter)),
            _ => return None,
        };
        let [first, second, .., body] = arguments else {
            return None;
        };
        Some(self.pair_loop(name, how, range, [first, second], filter, body))
    }

    fn pair_loop(
        &mut self,
        name: &str,
        how: How,
        range: &IdedExpr,
        [first, second]: [&IdedExpr; 2],
        filter: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Outcome<'a> {
        let of = format!("{name}()");
        let (first, second) = (variable(&of, first)?, variable(&of, second)?);
        if first == second {
            return Err(CompileError::new(format!("duplicate variable name: {first}")));
        }
        let range = self.lower(range)?;
        let first_kind = match range.kind {
            Type::List(..) => Type::Int,
            Type::Map(..) | Type::Dyn => range.kind.item(),
            ref other => {
                return Err(CompileError::new(format!(
                    "expression of type '{}' cannot be range of a comprehension (must be list, map, or dynamic)",
                    other.name()
                )));
            }
        };
        let times = range.kind.size();
        let depth = self.locals.len();
        self.locals.push((first.into(), first_kind));
        self.locals.push((second.into(), range.kind.value()));
        let lowered = filter
            .map(|filter| self.lower(filter))
            .transpose()
            .and_then(|filter| Ok((filter, self.lower(body)?)));
        self.locals.truncate(depth);
        let (filter, body) = lowered?;
        if let Some(filter) = &filter {
            expect_bool(name, &[filter], 1)?;
        }
        let each = filter.as_ref().map_or(0, |filter| filter.cost);
        let each = add(each, add(body.cost, 3));
        let fold = fold(name, how, first, body, times)?;
        let step = match filter {
            Some(filter) => Code::If(Box::new(filter.code), Box::new(fold.step), Box::new(result())),
            None => fold.step,
        };
        Ok(Lowered {
            kind: fold.kind,
            cost: add(range.cost, times.saturating_mul(each)),
            code: Code::Loop(Box::new(Loop {
                range: range.code,
                item: first.into(),
                second: Some(second.into()),
                result_name: RESULT.into(),
                start: fold.start,
                condition: fold.condition,
                step,
                result: fold.result,
            })),
        })
    }
}

/// The loop of a macro around its body, which runs at most so many `times`.
fn fold<'a>(
    name: &str,
    how: How,
    first: &str,
    body: Lowered<'a>,
    times: u64,
) -> Result<Fold<'a>, CompileError> {
    if matches!(how, How::All | How::Exists | How::ExistsOne) {
        expect_bool(name, &[&body], 1)?;
    }
    let always = || Code::Constant(Value::Bool(true));
    let Lowered {
        code, kind: of_body, ..
    } = body;
    let code = Box::new(code);
    Ok(match how {
        How::All => Fold {
            start: always(),
            condition: Code::NotFalse(Box::new(result())),
            step: Code::And(Box::new(result()), code),
            result: result(),
            kind: Type::Bool,
        },
        How::Exists => Fold {
            start: Code::Constant(Value::Bool(false)),
            condition: Code::NotFalse(Box::new(Code::Not(Box::new(result())))),
            step: Code::Or(Box::new(result()), code),
            result: result(),
            kind: Type::Bool,
        },
        How::ExistsOne => Fold {
            start: Code::Constant(Value::Int(0)),
            condition: always(),
            step: Code::If(code, Box::new(one_more()), Box::new(result())),
            result: Code::Compare(
                Comparison::Equal,
                Box::new(result()),
                Box::new(Code::Constant(Value::Int(1))),
            ),
            kind: Type::Bool,
        },
        How::List => Fold {
            start: Code::List(Vec::new()),
            condition: always(),
            step: Code::Arithmetic(
                Arithmetic::Add,
                Box::new(result()),
                Box::new(Code::List(vec![(*code, false)])),
            ),
            result: result(),
            kind: Type::List(Box::new(of_body), times),
        },
        How::Map => Fold {
            start: Code::Map(Vec::new()),
            condition: always(),
            step: Code::Insert(Box::new(Code::Variable(first.into())), code),
            result: result(),
            kind: Type::Map(Box::new(of_body), times),
        },
        How::Entries => {
            let value = match of_body {
                Type::Map(value, size) => Type::Map(value, times.saturating_mul(size)),
                Type::Dyn => Type::Dyn,
                other => {
                    let body = Lowered {
                        code: *code,
                        kind: other,
                        cost: 0,
                    };
                    return Err(no_overload(name, &[&body]));
                }
            };
            Fold {
                start: Code::Map(Vec::new()),
                condition: always(),
                step: Code::InsertAll(code),
                result: result(),
                kind: value,
            }
        }
    })
}

fn result() -> Code {
    Code::Variable(RESULT.into())
}

fn one_more() -> Code {
    Code::Arithmetic(
        Arithmetic::Add,
        Box::new(result()),
        Box::new(Code::Constant(Value::Int(1))),
    )
}
