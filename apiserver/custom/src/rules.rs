//! `x-kubernetes-validations`: rules in CEL that a value must fulfil, by itself and as the successor of what was there.
//!
//! Source: `schema/cel` of the apiextensions apiserver.

use std::cell::OnceCell;

use coracle_api::{FieldError, Path};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use serde_json::{Map, Value as Json};

use crate::cel::{self, Budget, CALL_BUDGET, Environment, EvalError, Program, Type, Value, Wanted};
use crate::schema::{ListType, Node};
use crate::validate::{MAX_ERRORS, key_of};

/// What a rule may cost at most by upstream's estimate.
const RULE_LIMIT: u64 = 10_000_000;
/// What all rules of a schema may cost together by upstream's estimate.
pub(crate) const SCHEMA_LIMIT: u64 = 100_000_000;
/// Our estimate is coarser than upstream's and must not refuse what upstream takes; running has a budget anyway.
const ESTIMATE_SLACK: u64 = 10;
/// The longest message that an expression may make, in bytes.
const MESSAGE_MAX_BYTES: usize = 5 << 10;

/// One rule, compiled.
#[derive(Debug)]
pub struct Rule {
    text: Box<str>,
    program: Program,
    message: Option<Box<str>>,
    message_program: Option<Program>,
    reason: Reason,
    field_path: Vec<Box<str>>,
    is_transition: bool,
    has_optional_old: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Invalid,
    Forbidden,
    Required,
    Duplicate,
}

/// A rule as it is being compiled: where it stands and what is found wrong.
pub(crate) struct Place<'a> {
    /// The path of the schema node.
    pub path: &'a Path,
    /// How many values of the node an object may hold.
    pub times: u64,
    /// Whether an old value can be found for every new one.
    pub is_correlated: bool,
}

/// Compiles the rules of a node, adds their estimated cost to `total`, and tells what is wrong with them.
pub(crate) fn compile(
    rules: &[ValidationRule],
    node: &Node,
    place: &Place<'_>,
    total: &mut u64,
    errors: &mut Vec<FieldError>,
) -> Vec<Rule> {
    let list = place.path.child("x-kubernetes-validations");
    let mut compiled = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let path = list.index(index);
        let before = errors.len();
        if let Some(rule) = compile_one(rule, node, place, &path, total, errors)
            && errors.len() == before
        {
            compiled.push(rule);
        }
    }
    compiled
}

fn compile_one(
    rule: &ValidationRule,
    node: &Node,
    place: &Place<'_>,
    path: &Path,
    total: &mut u64,
    errors: &mut Vec<FieldError>,
) -> Option<Rule> {
    let own = path.child("rule");
    if rule.rule.trim().is_empty() {
        errors.push(FieldError::required(&own, "rule is not specified"));
        return None;
    }
    let kind = Type::of(node);
    let has_optional_old = rule.optional_old_self == Some(true);
    let old = if has_optional_old {
        Type::Optional(Box::new(kind.clone()))
    } else {
        kind.clone()
    };
    let environment = Environment::new().variable("self", kind).variable("oldSelf", old);
    let mut refuse = |path: &Path, text: &str, error: &cel::CompileError| {
        errors.push(FieldError::invalid(
            path,
            text,
            format!("compilation failed: {error}"),
        ));
    };
    let program = match Program::compile(&rule.rule, &environment, Wanted::Bool) {
        Ok(program) => program,
        Err(error) => {
            refuse(&own, &rule.rule, &error);
            return None;
        }
    };
    let message_text = rule.message_expression.as_deref().filter(|text| !text.is_empty());
    let message_program = match message_text.map(|text| Program::compile(text, &environment, Wanted::String))
    {
        Some(Ok(program)) => Some(program),
        Some(Err(error)) => {
            let path = path.child("messageExpression");
            refuse(&path, message_text.unwrap_or_default(), &error);
            return None;
        }
        None => None,
    };
    let is_transition =
        program.names("oldSelf") || message_program.as_ref().is_some_and(|own| own.names("oldSelf"));
    if is_transition && !place.is_correlated {
        let detail = "oldSelf cannot be used on the uncorrelatable portion of the schema";
        errors.push(FieldError::invalid(&own, &rule.rule, detail));
    }
    let cost = program.estimated_cost().saturating_mul(place.times) / ESTIMATE_SLACK;
    *total = total.saturating_add(cost);
    if cost > RULE_LIMIT {
        errors.push(FieldError::forbidden(
            &own,
            too_costly("estimated rule cost", cost, RULE_LIMIT),
        ));
    }
    check_texts(rule, path, errors);
    let field_path = field_path(rule, node, path, errors);
    Some(Rule {
        text: rule.rule.as_str().into(),
        program,
        message: rule
            .message
            .as_deref()
            .filter(|own| !own.is_empty())
            .map(Into::into),
        message_program,
        reason: reason(rule, path, errors),
        field_path,
        is_transition,
        has_optional_old,
    })
}

fn check_texts(rule: &ValidationRule, path: &Path, errors: &mut Vec<FieldError>) {
    let message = rule.message.as_deref().unwrap_or_default();
    if !message.is_empty() && message.trim().is_empty() {
        errors.push(FieldError::invalid(
            &path.child("message"),
            message,
            "message must be non-empty if specified",
        ));
    } else if message.trim().contains('\n') {
        errors.push(FieldError::invalid(
            &path.child("message"),
            message,
            "message must not contain line breaks",
        ));
    } else if message.is_empty() && rule.rule.trim().contains('\n') && rule.message_expression.is_none() {
        errors.push(FieldError::required(
            &path.child("message"),
            "message must be specified if rule contains line breaks",
        ));
    }
}

fn reason(rule: &ValidationRule, path: &Path, errors: &mut Vec<FieldError>) -> Reason {
    const REASONS: [&str; 4] = [
        "FieldValueInvalid",
        "FieldValueForbidden",
        "FieldValueRequired",
        "FieldValueDuplicate",
    ];
    match rule.reason.as_deref() {
        None | Some("FieldValueInvalid") => Reason::Invalid,
        Some("FieldValueForbidden") => Reason::Forbidden,
        Some("FieldValueRequired") => Reason::Required,
        Some("FieldValueDuplicate") => Reason::Duplicate,
        Some(other) => {
            errors.push(FieldError::not_supported(&path.child("reason"), other, &REASONS));
            Reason::Invalid
        }
    }
}

/// Reads `.a.b['c']`, which must be a path of declared fields.
fn field_path(
    rule: &ValidationRule,
    node: &Node,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Vec<Box<str>> {
    let Some(text) = rule.field_path.as_deref().filter(|text| !text.is_empty()) else {
        return Vec::new();
    };
    let mut refuse = |detail: &str| {
        let detail = format!("fieldPath must be a valid path: {detail}");
        errors.push(FieldError::invalid(&path.child("fieldPath"), text, detail));
        Vec::new()
    };
    let Some(names) = split_path(text) else {
        return refuse("expected a dot or a bracket in front of each name");
    };
    let mut below = node;
    for name in &names {
        match below.field(name) {
            Some(node) => below = node,
            None => return refuse(&format!("does not refer to a valid field: {name}")),
        }
    }
    names
}

fn split_path(text: &str) -> Option<Vec<Box<str>>> {
    let mut names = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, tail) = if let Some(quoted) = rest.strip_prefix("['") {
            quoted.split_once("']")?
        } else {
            let plain = rest.strip_prefix('.')?;
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            plain.split_at_checked(end)?
        };
        if name.is_empty() {
            return None;
        }
        names.push(name.into());
        rest = tail;
    }
    Some(names)
}

/// `X exceeds budget by factor of ...`, as upstream has it.
pub(crate) fn too_costly(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, \
         and maxLength where arrays, maps, and strings are declared)"
    )
}

/// Judges an object, and the change from `old` to it where there is one, by the rules of its schema.
#[must_use]
pub fn judge(
    body: &Map<String, Json>,
    old: Option<&Map<String, Json>>,
    root: &Node,
    budget: &mut Budget<'_>,
) -> Vec<FieldError> {
    let mut run = Run {
        budget,
        errors: Vec::new(),
        is_over: false,
    };
    let own = |fields| move || cel::from_object(fields, root, true);
    let values = Values {
        new: &own(body),
        old: old.map(own),
    };
    run.rules(&root.rules, root, &values, old == Some(body), &Path::root());
    run.fields(body, old, root, &Path::root());
    run.errors
}

/// The value that a rule is about, made where a rule asks for it.
struct Values<'a, N: Fn() -> Value, O: Fn() -> Value> {
    new: &'a N,
    old: Option<O>,
}

struct Run<'b, 'c> {
    budget: &'b mut Budget<'c>,
    errors: Vec<FieldError>,
    is_over: bool,
}

impl Run<'_, '_> {
    fn value(&mut self, value: &Json, old: Option<&Json>, node: &Node, path: &Path) {
        if !node.has_rules || self.is_over || value.is_null() {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        let own = |value| move || cel::with_schema(value, node);
        let values = Values {
            new: &own(value),
            old: old.map(own),
        };
        let is_same = old == Some(value);
        self.rules(&node.rules, node, &values, is_same, path);
        match value {
            Json::Object(fields) => self.fields(fields, old.and_then(Json::as_object), node, path),
            Json::Array(list) => {
                let Some(items) = &node.items else { return };
                for (index, item) in list.iter().enumerate() {
                    let before = old
                        .and_then(Json::as_array)
                        .and_then(|old| counterpart(item, old, items, node));
                    self.value(item, before, items, &path.index(index));
                }
            }
            _ => {}
        }
    }

    fn fields(
        &mut self,
        fields: &Map<String, Json>,
        old: Option<&Map<String, Json>>,
        node: &Node,
        path: &Path,
    ) {
        for (name, field) in fields {
            if let Some(below) = node.field(name).filter(|below| below.has_rules) {
                let before = old.and_then(|old| old.get(name));
                let path = if node.is_map() {
                    path.key(name)
                } else {
                    path.child(name)
                };
                self.value(field, before, below, &path);
            }
        }
    }

    fn rules<N: Fn() -> Value, O: Fn() -> Value>(
        &mut self,
        rules: &[Rule],
        node: &Node,
        values: &Values<'_, N, O>,
        is_same: bool,
        path: &Path,
    ) {
        let (new, old) = (OnceCell::new(), OnceCell::new());
        for rule in rules {
            if self.is_over || self.errors.len() >= MAX_ERRORS {
                return;
            }
            if rule.is_transition && values.old.is_none() && !rule.has_optional_old {
                continue;
            }
            if is_same && !rule.is_transition {
                // It held before, or is not this update's fault.
                continue;
            }
            let bound = |name: &str| match name {
                "self" => Some(new.get_or_init(|| (values.new)()).clone()),
                "oldSelf" => {
                    let old = values.old.as_ref().map(|make| old.get_or_init(make).clone());
                    if rule.has_optional_old {
                        Some(cel::optional_of(old))
                    } else {
                        old
                    }
                }
                _ => None,
            };
            let mut part = self.budget.part(CALL_BUDGET);
            let outcome = rule.program.eval(&bound, &mut part);
            self.budget.spend(CALL_BUDGET, &part);
            match outcome {
                Ok(Value::Bool(true)) => {}
                Ok(_) => {
                    let message = self.message(rule, &bound);
                    self.errors.push(rule.refuse(path, node, message));
                }
                Err(error) => self.failed(rule, node, path, &error),
            }
        }
    }

    fn message(&mut self, rule: &Rule, bound: &dyn Fn(&str) -> Option<Value>) -> String {
        let made = rule.message_program.as_ref().and_then(|program| {
            let mut part = self.budget.part(CALL_BUDGET);
            let outcome = program.eval(bound, &mut part);
            self.budget.spend(CALL_BUDGET, &part);
            match outcome {
                Ok(Value::String(text)) => Some(text.trim().to_owned()),
                _ => None,
            }
        });
        let fits =
            |text: &String| !text.is_empty() && !text.contains('\n') && text.len() <= MESSAGE_MAX_BYTES;
        made.filter(fits).unwrap_or_else(|| rule.default_message())
    }

    fn failed(&mut self, rule: &Rule, node: &Node, path: &Path, error: &EvalError) {
        let shown = rule.message.as_deref().unwrap_or(&rule.text);
        let detail = match error {
            EvalError::Budget | EvalError::Deadline => {
                self.is_over = true;
                format!(
                    "'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {shown}"
                )
            }
            EvalError::Failed(text) if text == "no such overload" => format!(
                "'{error}': call arguments did not match a supported operator, function or macro signature for \
                 rule: {shown}"
            ),
            EvalError::Failed(_) => format!("{error} evaluating rule: {shown}"),
        };
        self.errors
            .push(FieldError::invalid(path, node.kind.name(), detail));
    }
}

impl Rule {
    fn default_message(&self) -> String {
        match &self.message {
            Some(message) => message.to_string(),
            None => format!("failed rule: {}", self.text.trim()),
        }
    }

    fn refuse(&self, path: &Path, node: &Node, message: String) -> FieldError {
        let path = self
            .field_path
            .iter()
            .fold(path.clone(), |path, name| path.child(name));
        let shown = node.kind.name();
        match self.reason {
            Reason::Invalid => FieldError::invalid(&path, shown, message),
            Reason::Forbidden => FieldError::forbidden(&path, message),
            Reason::Required => FieldError::required(&path, message),
            Reason::Duplicate => FieldError::duplicate(&path, shown),
        }
    }
}

/// The item of the old list that has the keys of a new one; lists that are not maps have no counterparts.
pub(crate) fn counterpart<'a>(item: &Json, old: &'a [Json], items: &Node, list: &Node) -> Option<&'a Json> {
    if !matches!(list.list, ListType::Map(_)) {
        return None;
    }
    let key = key_of(item, items, &list.list)?;
    old.iter()
        .find(|old| key_of(old, items, &list.list).as_ref() == Some(&key))
}
