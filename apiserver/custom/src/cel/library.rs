//! The functions of the language. Those that rules call all the time are written out; the others are `kube-cel`'s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};
use kube_cel::cel::{Context, Value};

use super::budget::{Budget, EvalError};
use super::eval::{optional, to_optional};
use super::types::Type;
use super::value::text;
use crate::format::duration_nanos;
use crate::schema::Pattern;

/// Patterns that are only known when the rule runs may have at most so many bytes.
const MAX_PATTERN: usize = 4_096;
/// What compiling such a pattern costs.
const PATTERN_COST: u64 = 2_000;

static LIBRARY: LazyLock<Context<'static>> = LazyLock::new(|| Context::default().with_all());

/// Names that stand before a function's and belong to it.
pub(super) const NAMESPACES: [&str; 12] = [
    "math",
    "sets",
    "strings",
    "base64",
    "lists",
    "optional",
    "format",
    "jsonpatch",
    "ip",
    "cidr",
    "quantity",
    "semver",
];

/// What a function of this name gives; `None` where there is none.
pub(super) fn result(name: &str) -> Option<Type<'static>> {
    const LONG: u64 = super::types::REQUEST_MAX_BYTES;
    Some(match name {
        "contains"
        | "startsWith"
        | "endsWith"
        | "matches"
        | "isSorted"
        | "hasValue"
        | "isQuantity"
        | "isInteger"
        | "isGreaterThan"
        | "isLessThan"
        | "isIP"
        | "isCIDR"
        | "isURL"
        | "isSemver"
        | "ip.isCanonical"
        | "isLoopback"
        | "isUnspecified"
        | "isLinkLocalMulticast"
        | "isLinkLocalUnicast"
        | "isGlobalUnicast"
        | "containsIP"
        | "containsCIDR"
        | "sets.contains"
        | "sets.equivalent"
        | "sets.intersects"
        | "bool"
        | "math.isInf"
        | "math.isNaN"
        | "math.isFinite" => Type::Bool,
        "size" | "int" | "indexOf" | "lastIndexOf" | "compareTo" | "sign" | "asInteger" | "family"
        | "prefixLength" | "major" | "minor" | "patch" | "getFullYear" | "getMonth" | "getDayOfYear"
        | "getDayOfMonth" | "getDate" | "getDayOfWeek" | "getHours" | "getMinutes" | "getSeconds"
        | "getMilliseconds" | "math.bitAnd" | "math.bitOr" | "math.bitXor" | "math.bitNot"
        | "math.bitShiftLeft" | "math.bitShiftRight" => Type::Int,
        "uint" => Type::Uint,
        "double" | "asApproximateFloat" | "math.ceil" | "math.floor" | "math.round" | "math.trunc"
        | "math.sqrt" => Type::Double,
        "string"
        | "charAt"
        | "lowerAscii"
        | "upperAscii"
        | "replace"
        | "substring"
        | "trim"
        | "join"
        | "find"
        | "format"
        | "strings.quote"
        | "getScheme"
        | "getHost"
        | "getHostname"
        | "getPort"
        | "getEscapedPath"
        | "base64.encode"
        | "jsonpatch.escapeKey" => Type::String(LONG),
        "bytes" | "base64.decode" => Type::Bytes(LONG),
        "split" | "findAll" => Type::List(Box::new(Type::String(LONG)), LONG / 2),
        "lists.range" => Type::List(Box::new(Type::Int), LONG),
        "slice" | "sort" | "flatten" | "distinct" => Type::List(Box::new(Type::Dyn), LONG / 2),
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "quantity" => Type::Named("kubernetes.Quantity"),
        "url" => Type::Named("kubernetes.URL"),
        "ip" => Type::Named("net.IP"),
        "cidr" | "masked" => Type::Named("net.CIDR"),
        "semver" => Type::Named("kubernetes.Semver"),
        "format.named" => Type::Dyn,
        "optional.of" | "optional.none" | "optional.ofNonZeroValue" => Type::Optional(Box::new(Type::Dyn)),
        "validate"
        | "getQuery"
        | "or"
        | "orValue"
        | "value"
        | "min"
        | "max"
        | "sum"
        | "first"
        | "last"
        | "reverse"
        | "add"
        | "sub"
        | "math.abs"
        | "math.sign"
        | "math.greatest"
        | "math.least"
        | "type"
        | "dyn"
        | "format.dns1123Label"
        | "format.dns1123Subdomain"
        | "format.dns1035Label"
        | "format.qualifiedName"
        | "format.dns1123LabelPrefix"
        | "format.dns1123SubdomainPrefix"
        | "format.dns1035LabelPrefix"
        | "format.labelValue"
        | "format.uri"
        | "format.uuid"
        | "format.byte"
        | "format.date"
        | "format.datetime" => Type::Dyn,
        _ => return None,
    })
}

/// Calls a function.
pub(super) fn call(
    name: &str,
    target: Option<Value>,
    mut arguments: Vec<Value>,
    budget: &mut Budget<'_>,
) -> Result<Value, EvalError> {
    let bytes: usize = target.iter().chain(&arguments).map(length).sum();
    budget.charge_text(bytes)?;
    let outcome = match (name, target.as_ref().or(arguments.first()), arguments.last()) {
        ("size", Some(of), _) => size(of),
        ("contains", Some(Value::String(of)), Some(Value::String(part))) => {
            Some(Value::Bool(of.contains(part.as_str())))
        }
        ("startsWith", Some(Value::String(of)), Some(Value::String(part))) => {
            Some(Value::Bool(of.starts_with(part.as_str())))
        }
        ("endsWith", Some(Value::String(of)), Some(Value::String(part))) => {
            Some(Value::Bool(of.ends_with(part.as_str())))
        }
        ("matches", Some(Value::String(of)), Some(Value::String(pattern))) => {
            budget.charge(PATTERN_COST)?;
            Some(Value::Bool(pattern_of(pattern)?.regex.is_match(of)))
        }
        ("dyn", Some(of), _) => Some(of.clone()),
        ("bool", Some(of), _) => to_bool(of),
        ("type", Some(of), _) => Some(text(type_name(of))),
        ("string", Some(of @ (Value::Bool(_) | Value::String(_) | Value::Int(_))), _) => {
            Some(text(plain(of)))
        }
        ("hasValue", Some(of), _) => optional(of).map(|inner| Value::Bool(inner.is_some())),
        ("value", Some(of), _) => match optional(of) {
            Some(None) => return Err(EvalError::failed("optional.none() dereference")),
            Some(inner) => inner.cloned(),
            None => None,
        },
        ("orValue", Some(of), Some(other)) => optional(of).map(|inner| inner.unwrap_or(other).clone()),
        ("or", Some(of), Some(other)) => optional(of).map(|inner| {
            if inner.is_some() {
                of.clone()
            } else {
                other.clone()
            }
        }),
        ("optional.of", _, Some(of)) => Some(to_optional(Some(of.clone()))),
        ("optional.none", None, None) => Some(to_optional(None)),
        _ => None,
    };
    match outcome {
        Some(value) => Ok(value),
        None => from_library(name, target, &mut arguments),
    }
}

/// Calls a function of `kube-cel`, whose arguments are variables of a scope of their own.
fn from_library(name: &str, target: Option<Value>, arguments: &mut Vec<Value>) -> Result<Value, EvalError> {
    let ident = |name: String| IdedExpr {
        id: 0,
        expr: Expr::Ident(name),
    };
    let run = || {
        let mut scope = LIBRARY.new_inner_scope();
        let mut args = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.drain(..).enumerate() {
            let own = format!("@{index}");
            scope.add_variable_from_value(own.clone(), argument);
            args.push(ident(own));
        }
        let target = target.map(|target| {
            scope.add_variable_from_value("@target", target);
            Box::new(ident("@target".to_owned()))
        });
        let expr = IdedExpr {
            id: 0,
            expr: Expr::Call(CallExpr {
                func_name: name.to_owned(),
                target,
                args,
            }),
        };
        scope.resolve(&expr)
    };
    // A library that trips over an odd argument must not take the server with it.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(EvalError::failed(format!("function {name} failed"))),
    }
}

/// A pattern of an expression.
pub(super) fn pattern_of(pattern: &str) -> Result<Pattern, EvalError> {
    if pattern.len() > MAX_PATTERN {
        return Err(EvalError::failed("regular expression is too long"));
    }
    Pattern::new(pattern).map_err(|error| EvalError::failed(format!("error parsing regexp: {error}")))
}

fn size(of: &Value) -> Option<Value> {
    let size = match of {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.map.len(),
        _ => return None,
    };
    Some(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn to_bool(of: &Value) -> Option<Value> {
    match of {
        Value::Bool(value) => Some(Value::Bool(*value)),
        Value::String(text) => match text.as_str() {
            "true" | "t" | "1" | "TRUE" | "True" => Some(Value::Bool(true)),
            "false" | "f" | "0" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

fn type_name(of: &Value) -> &'static str {
    match of {
        Value::List(_) => "list",
        Value::Map(_) => "map",
        Value::Int(_) => "int",
        Value::UInt(_) => "uint",
        Value::Float(_) => "double",
        Value::String(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::Bool(_) => "bool",
        Value::Duration(_) => "google.protobuf.Duration",
        Value::Timestamp(_) => "google.protobuf.Timestamp",
        Value::Null => "null_type",
        Value::Function(..) | Value::Opaque(_) => "dyn",
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len() * 8,
        Value::Map(map) => map.map.len() * 8,
        _ => 1,
    }
}

/// A scalar as text, without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

/// A moment or length of time as text.
pub(super) fn shown(value: &Value) -> Option<String> {
    match from_library("string", None, &mut vec![value.clone()]).ok()? {
        Value::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Text of a format as the value that it says.
pub(super) fn formatted(format: &str, own: &str) -> Option<Value> {
    let name = match format {
        "date-time" | "datetime" => return from_library("timestamp", None, &mut vec![text(own)]).ok(),
        "date" => return from_library("timestamp", None, &mut vec![text(format!("{own}T00:00:00Z"))]).ok(),
        "duration" => {
            duration_nanos(own)?;
            "duration"
        }
        "byte" => "base64.decode",
        _ => return None,
    };
    from_library(name, None, &mut vec![text(own)]).ok()
}
