//! Operators of two sides and calls: what they take, what they give, and what they cost.

use kube_cel::cel::Value;
use kube_cel::cel::common::ast::operators;

use super::CompileError;
use super::code::{Arithmetic, Code, Comparison};
use super::lower::{
    BYTES_PER_STEP, Lowered, Outcome, add, expect_bool, field_of, no_overload, unify, unsupported,
};
use super::types::Type;

/// Makes code of two sides.
type Make = fn(Box<Code>, Box<Code>) -> Code;

/// An operator of two sides whose sides are known.
pub(super) fn operate<'a>(name: &str, left: Lowered<'a>, right: Lowered<'a>) -> Outcome<'a> {
    let sides = add(left.cost, right.cost);
    let walked = left.kind.size().min(right.kind.size()) / BYTES_PER_STEP;
    let (code, kind, cost): (Make, Type<'a>, u64) = match name {
        operators::LOGICAL_AND | operators::LOGICAL_OR => {
            expect_bool(name, &[&left, &right], 2)?;
            let make = if name == operators::LOGICAL_AND {
                Code::And
            } else {
                Code::Or
            };
            (make, Type::Bool, 0)
        }
        operators::IN => {
            let cost = match right.kind {
                Type::List(_, size) => size / BYTES_PER_STEP + 1,
                Type::Map(..) | Type::Dyn => 1,
                _ => return Err(no_overload("@in", &[&left, &right])),
            };
            (Code::In, Type::Bool, cost)
        }
        operators::INDEX | operators::OPT_INDEX => {
            let item = match &left.kind {
                Type::List(item, _) | Type::Map(item, _) => (**item).clone(),
                Type::Optional(_) | Type::Dyn => Type::Dyn,
                _ => return Err(no_overload(name, &[&left, &right])),
            };
            if name == operators::INDEX && !matches!(left.kind, Type::Optional(_)) {
                (Code::Index, item, 1)
            } else {
                (Code::OptionalIndex, Type::Optional(Box::new(item)), 1)
            }
        }
        operators::OPT_SELECT => {
            let Code::Constant(Value::String(field)) = &right.code else {
                return Err(unsupported("computed fields"));
            };
            let of = match &left.kind {
                Type::Optional(inner) => inner,
                other => other,
            };
            let kind = Type::Optional(Box::new(field_of(of, field)?));
            let code = Code::OptionalField(Box::new(left.code), field.as_str().into());
            return Ok(Lowered {
                code,
                kind,
                cost: add(sides, 1),
            });
        }
        _ => return calculate(name, left, right, add(sides, walked + 1)),
    };
    Ok(Lowered {
        code: code(Box::new(left.code), Box::new(right.code)),
        kind,
        cost: add(sides, cost),
    })
}

/// Comparisons and arithmetic.
fn calculate<'a>(name: &str, left: Lowered<'a>, right: Lowered<'a>, cost: u64) -> Outcome<'a> {
    let comparison = match name {
        operators::EQUALS => Some(Comparison::Equal),
        operators::NOT_EQUALS => Some(Comparison::NotEqual),
        operators::LESS => Some(Comparison::Less),
        operators::LESS_EQUALS => Some(Comparison::LessOrEqual),
        operators::GREATER => Some(Comparison::Greater),
        operators::GREATER_EQUALS => Some(Comparison::GreaterOrEqual),
        _ => None,
    };
    if let Some(how) = comparison {
        let is_order = !matches!(how, Comparison::Equal | Comparison::NotEqual);
        let has_order = |kind: &Type<'_>| {
            !matches!(
                kind,
                Type::List(..) | Type::Map(..) | Type::Object(_) | Type::Optional(_) | Type::Null
            )
        };
        if !left.kind.meets(&right.kind) || (is_order && !(has_order(&left.kind) && has_order(&right.kind))) {
            return Err(no_overload(name, &[&left, &right]));
        }
        return Ok(Lowered {
            code: Code::Compare(how, Box::new(left.code), Box::new(right.code)),
            kind: Type::Bool,
            cost,
        });
    }
    let how = match name {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        _ => Arithmetic::Remainder,
    };
    let Some(kind) = arithmetic_type(how, &left.kind, &right.kind) else {
        return Err(no_overload(name, &[&left, &right]));
    };
    // A list that grows in a loop grows where it is; text is copied.
    let copied = match kind {
        Type::String(size) | Type::Bytes(size) => size / BYTES_PER_STEP,
        _ => 1,
    };
    Ok(Lowered {
        code: Code::Arithmetic(how, Box::new(left.code), Box::new(right.code)),
        kind,
        cost: add(cost, copied),
    })
}

fn arithmetic_type<'a>(how: Arithmetic, left: &Type<'a>, right: &Type<'a>) -> Option<Type<'a>> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
    let is_sum = how == Arithmetic::Add;
    let is_sum_or_difference = is_sum || how == Arithmetic::Subtract;
    Some(match (left, right) {
        (Dyn, _) | (_, Dyn) => Dyn,
        (Int, Int) => Int,
        (Uint, Uint) => Uint,
        (Double, Double) if how != Arithmetic::Remainder => Double,
        (String(left), String(right)) if is_sum => String(add(*left, *right)),
        (Bytes(left), Bytes(right)) if is_sum => Bytes(add(*left, *right)),
        (List(_, 0), List(item, size)) if is_sum => List(item.clone(), *size),
        (List(left, own), List(right, other)) if is_sum => List(
            Box::new(unify((**left).clone(), (**right).clone())),
            add(*own, *other),
        ),
        (Duration, Duration) if is_sum_or_difference => Duration,
        (Timestamp, Duration) if is_sum_or_difference => Timestamp,
        (Duration, Timestamp) if is_sum => Timestamp,
        (Timestamp, Timestamp) if how == Arithmetic::Subtract => Duration,
        _ => return None,
    })
}

/// Refuses what the most common functions cannot take.
pub(super) fn check_arguments(
    name: &str,
    of: Option<&Lowered<'_>>,
    target: Option<&Lowered<'_>>,
    arguments: &[Lowered<'_>],
) -> Result<(), CompileError> {
    let fits = match (name, of.map(|of| &of.kind)) {
        ("size", Some(kind)) => !matches!(
            kind,
            Type::Bool
                | Type::Int
                | Type::Uint
                | Type::Double
                | Type::Null
                | Type::Object(_)
                | Type::Duration
                | Type::Timestamp
        ),
        ("startsWith" | "endsWith" | "matches" | "contains", Some(kind)) => {
            matches!(kind, Type::String(_) | Type::Dyn)
        }
        _ => true,
    };
    if fits {
        return Ok(());
    }
    let shown: Vec<String> = arguments.iter().map(|own| own.kind.name()).collect();
    let target = target
        .map(|target| format!("{}.", target.kind.name()))
        .unwrap_or_default();
    Err(CompileError::new(format!(
        "found no matching overload for '{name}' applied to '{target}({})'",
        shown.join(", ")
    )))
}

/// What a function gives, where that depends on what it is called on.
pub(super) fn refine<'a>(name: &str, kind: Type<'a>, of: Option<&Lowered<'a>>) -> Type<'a> {
    match (name, of.map(|of| &of.kind)) {
        ("value" | "orValue", Some(Type::Optional(inner))) => (**inner).clone(),
        ("or", Some(optional @ Type::Optional(_))) => optional.clone(),
        ("reverse" | "sort" | "distinct" | "slice", Some(list @ Type::List(..))) => list.clone(),
        ("optional.of", Some(inner)) => Type::Optional(Box::new(inner.clone())),
        ("lowerAscii" | "upperAscii" | "trim" | "substring", Some(string @ Type::String(_))) => {
            string.clone()
        }
        ("split", Some(Type::String(size))) => Type::List(Box::new(Type::String(*size)), *size),
        ("min" | "max" | "sum", Some(Type::List(item, _))) => (**item).clone(),
        _ => kind,
    }
}
