//! Macros that the parser leaves as calls: `cel.bind(name, value, body)`, and `optMap` and `optFlatMap` of optionals.
//!
//! All bind a name to a value for the length of a body, which is what a fold over nothing does.

use kube_cel::cel::Value;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::CompileError;
use super::code::{Call, Code, Loop};
use super::lower::{Lowered, Lowering, Outcome, add, no_overload};
use super::types::Type;

/// The optional that a macro looks at twice; no identifier can have this name.
const OPTIONAL: &str = "@optional";

impl<'a> Lowering<'_, 'a> {
    /// One of the macros; `None` where the call is something else.
    pub(super) fn binding(&mut self, call: &CallExpr) -> Option<Outcome<'a>> {
        let target = call.target.as_deref()?;
        let is_cel = matches!(&target.expr, Expr::Ident(own) if own == "cel" && self.find("cel").is_none());
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("bind", [name, value, body]) if is_cel => Some(self.bind(name, value, body)),
            ("optMap", [name, body]) => Some(self.opt_map(target, name, body, true)),
            ("optFlatMap", [name, body]) => Some(self.opt_map(target, name, body, false)),
            (name, arguments) => self.pairs(name, target, arguments),
        }
    }

    fn bind(&mut self, name: &IdedExpr, value: &IdedExpr, body: &IdedExpr) -> Outcome<'a> {
        let name = variable("cel.bind()", name)?;
        let value = self.lower(value)?;
        let body = self.within(name, value.kind, body)?;
        Ok(Lowered {
            kind: body.kind,
            cost: add(value.cost, body.cost),
            code: bound(name, value.code, body.code),
        })
    }

    /// `has ? optional.of(body) : optional.none()`, or the body as it is.
    fn opt_map(
        &mut self,
        target: &IdedExpr,
        name: &IdedExpr,
        body: &IdedExpr,
        is_wrapped: bool,
    ) -> Outcome<'a> {
        let macro_name = if is_wrapped { "optMap" } else { "optFlatMap" };
        let name = variable(&format!("{macro_name}()"), name)?;
        let target = self.lower(target)?;
        let inner = match &target.kind {
            Type::Optional(inner) => (**inner).clone(),
            Type::Dyn => Type::Dyn,
            _ => return Err(no_overload(macro_name, &[&target])),
        };
        let body = self.within(name, inner, body)?;
        if !is_wrapped && !matches!(body.kind, Type::Optional(_) | Type::Dyn) {
            return Err(no_overload(macro_name, &[&body]));
        }
        let method = |name: &str| {
            Code::Call(Box::new(Call {
                name: name.into(),
                target: Some(Code::Variable(OPTIONAL.into())),
                arguments: Vec::new(),
                is_hosts: false,
            }))
        };
        let function = |name: &str, arguments: Vec<Code>| {
            Code::Call(Box::new(Call {
                name: name.into(),
                target: None,
                arguments,
                is_hosts: false,
            }))
        };
        let found = bound(name, method("value"), body.code);
        let found = if is_wrapped {
            function("optional.of", vec![found])
        } else {
            found
        };
        let none = function("optional.none", Vec::new());
        let chosen = Code::If(Box::new(method("hasValue")), Box::new(found), Box::new(none));
        Ok(Lowered {
            kind: match body.kind {
                own if is_wrapped => Type::Optional(Box::new(own)),
                own => own,
            },
            cost: add(add(target.cost, body.cost), 3),
            code: bound(OPTIONAL, target.code, chosen),
        })
    }

    /// Lowers a body in which `name` has a value of this type.
    fn within(&mut self, name: &str, kind: Type<'a>, body: &IdedExpr) -> Outcome<'a> {
        let depth = self.locals.len();
        self.locals.push((name.into(), kind));
        let body = self.lower(body);
        self.locals.truncate(depth);
        body
    }
}

/// The name that a macro binds.
pub(super) fn variable<'e>(of: &str, name: &'e IdedExpr) -> Result<&'e str, CompileError> {
    match &name.expr {
        Expr::Ident(name) => Ok(name),
        _ => Err(CompileError::new(format!(
            "{of} variable name must be a simple identifier"
        ))),
    }
}

/// The result, with the name bound to what `start` gives.
fn bound(name: &str, start: Code, result: Code) -> Code {
    Code::Loop(Box::new(Loop {
        range: Code::List(Vec::new()),
        item: "@nothing".into(),
        second: None,
        result_name: name.into(),
        start,
        condition: Code::Constant(Value::Bool(false)),
        step: Code::Variable(name.into()),
        result,
    }))
}
