//! Validation of values against a schema, with the words and paths of upstream's validator.
//!
//! Source: `kube-openapi`'s validator and `ValidateCustomResource` of the apiextensions apiserver.

use std::collections::BTreeSet;

use coracle_api::field_error::{self, FieldErrorKind};
use coracle_api::{FieldError, Path};
use serde_json::{Map, Value};

use crate::format;
use crate::prune::OBJECT_FIELDS;
use crate::schema::{Checks, Kind, ListType, Node};

/// Mistakes that are reported of one object; looking for more helps nobody.
pub const MAX_ERRORS: usize = 100;

/// What is wrong with an object; apiVersion, kind and metadata are judged elsewhere.
#[must_use]
pub fn validate(body: &Map<String, Value>, root: &Node) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root();
    object(body, root, true, &path, &mut errors);
    if let Some(checks) = &root.checks {
        combined(&Shown::Object(body), checks, &path, &mut errors);
    }
    let mut errors = errors.0;
    unique(body, root, &path, &mut errors);
    errors.truncate(MAX_ERRORS);
    errors
}

/// What is wrong with one value at `path`.
pub(crate) fn value_at(value: &Value, node: &Node, path: &Path) -> Vec<FieldError> {
    let mut errors = Errors::default();
    self::value(value, node, path, &mut errors);
    errors.0
}

/// A value or an object that stands alone.
enum Shown<'a> {
    Value(&'a Value),
    Object(&'a Map<String, Value>),
}

#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn push(&mut self, error: FieldError) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(error);
        }
    }

    fn is_full(&self) -> bool {
        self.0.len() >= MAX_ERRORS
    }
}

/// The name of a value's type.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_whole(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn fits(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Object => value.is_object(),
        Kind::Array => value.is_array(),
        Kind::String => value.is_string(),
        Kind::Integer => matches!(value, Value::Number(number) if is_whole(number)),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::IntOrString => value.is_string() || fits(value, Kind::Integer),
    }
}

/// A value of the wrong type or form: `spec.replicas in body must be of type integer: "string"`.
fn wrong_type(path: &Path, wanted: &str, found: &str) -> FieldError {
    let quoted = Value::from(found).to_string();
    let detail = format!("{} in body must be of type {wanted}: {quoted}", path.as_str());
    let mut error = FieldError::invalid(path, found, detail);
    error.kind = FieldErrorKind::TypeInvalid;
    error
}

/// A value as messages show it.
pub(crate) fn shown(value: &Value) -> field_error::Value {
    match value {
        Value::String(text) => text.into(),
        other => field_error::Value::json(other),
    }
}

fn value(value: &Value, node: &Node, path: &Path, errors: &mut Errors) {
    if errors.is_full() || (value.is_null() && node.nullable) {
        return;
    }
    if !fits(value, node.kind) {
        errors.push(wrong_type(path, node.kind.name(), type_of(value)));
        return;
    }
    let checks = node.checks.as_deref();
    match value {
        Value::Object(fields) => object(fields, node, node.is_embedded, path, errors),
        Value::Array(list) => {
            if let Some(checks) = checks {
                lengths(
                    list.len(),
                    checks.min_items,
                    checks.max_items,
                    "items",
                    path,
                    value,
                    errors,
                );
            }
            if let Some(items) = &node.items {
                for (index, item) in list.iter().enumerate() {
                    self::value(item, items, &path.index(index), errors);
                }
            }
        }
        Value::String(text) => {
            if let Some(checks) = checks {
                string(text, checks, path, errors);
            }
        }
        Value::Number(number) => {
            if let Some(checks) = checks {
                self::number(number, checks, path, errors);
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
    if let Some(checks) = checks {
        enumerated(value, checks, path, errors);
        combined(&Shown::Value(value), checks, path, errors);
    }
}

fn object(fields: &Map<String, Value>, node: &Node, is_whole: bool, path: &Path, errors: &mut Errors) {
    if let Some(checks) = node.checks.as_deref() {
        let size = fields.len();
        if let Some(max) = checks.max_properties.filter(|max| exceeds(size, *max)) {
            errors.push(too_many(path, size, max));
        }
        if let Some(min) = checks.min_properties.filter(|min| falls_short(size, *min)) {
            let detail = format!("{} in body should have at least {min} properties", path.as_str());
            errors.push(FieldError::invalid(
                path,
                field_error::Value::json(fields),
                detail,
            ));
        }
        for name in &checks.required {
            let is_own = is_whole && OBJECT_FIELDS.contains(&&**name);
            if !is_own && !fields.contains_key(&**name) {
                errors.push(FieldError::required(&path.child(name), ""));
            }
        }
    }
    if is_whole && !path.as_str().is_empty() {
        embedded(fields, path, errors);
    }
    for (name, field) in fields {
        if is_whole && OBJECT_FIELDS.contains(&name.as_str()) {
            continue;
        }
        if let Some(below) = node.field(name) {
            value(field, below, &path.child(name), errors);
        }
    }
}

/// An embedded object must say what it is.
fn embedded(fields: &Map<String, Value>, path: &Path, errors: &mut Errors) {
    for name in ["apiVersion", "kind"] {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            errors.push(FieldError::required(&path.child(name), "must not be empty"));
        }
    }
    if let Some(metadata) = fields.get("metadata").filter(|metadata| !metadata.is_object()) {
        errors.push(wrong_type(&path.child("metadata"), "object", type_of(metadata)));
    }
}

fn exceeds(size: usize, max: i64) -> bool {
    i64::try_from(size).is_ok_and(|size| size > max)
}

fn falls_short(size: usize, min: i64) -> bool {
    i64::try_from(size).is_ok_and(|size| size < min)
}

fn too_many(path: &Path, actual: usize, max: i64) -> FieldError {
    FieldError::too_many(path, actual, usize::try_from(max).unwrap_or(0))
}

fn lengths(
    size: usize,
    min: Option<i64>,
    max: Option<i64>,
    what: &str,
    path: &Path,
    value: &Value,
    errors: &mut Errors,
) {
    if let Some(max) = max.filter(|max| exceeds(size, *max)) {
        errors.push(too_many(path, size, max));
    }
    if let Some(min) = min.filter(|min| falls_short(size, *min)) {
        let detail = format!("{} in body should have at least {min} {what}", path.as_str());
        errors.push(FieldError::invalid(path, shown(value), detail));
    }
}

fn string(text: &str, checks: &Checks, path: &Path, errors: &mut Errors) {
    let size = text.chars().count();
    if let Some(max) = checks.max_length.filter(|max| exceeds(size, *max)) {
        errors.push(FieldError::too_long(path, usize::try_from(max).unwrap_or(0)));
    }
    if let Some(min) = checks.min_length.filter(|min| falls_short(size, *min)) {
        let detail = format!("{} in body should be at least {min} chars long", path.as_str());
        errors.push(FieldError::invalid(path, text, detail));
    }
    if let Some(pattern) = checks
        .pattern
        .as_ref()
        .filter(|pattern| !pattern.regex.is_match(text))
    {
        let detail = format!("{} in body should match '{}'", path.as_str(), pattern.text);
        errors.push(FieldError::invalid(path, text, detail));
    }
    if let Some(name) = checks
        .format
        .as_deref()
        .filter(|name| !format::is_text(name, text))
    {
        errors.push(wrong_type(path, name, text));
    }
}

fn number(number: &serde_json::Number, checks: &Checks, path: &Path, errors: &mut Errors) {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let refuse = |detail: String| {
        let text = format!("{} in body {detail}", path.as_str());
        FieldError::invalid(path, field_error::Value::bare(number.to_string()), text)
    };
    if let Some(max) = checks.maximum {
        if checks.is_maximum_exclusive && value >= max {
            errors.push(refuse(format!("should be less than {max}")));
        } else if value > max {
            errors.push(refuse(format!("should be less than or equal to {max}")));
        }
    }
    if let Some(min) = checks.minimum {
        if checks.is_minimum_exclusive && value <= min {
            errors.push(refuse(format!("should be greater than {min}")));
        } else if value < min {
            errors.push(refuse(format!("should be greater than or equal to {min}")));
        }
    }
    if let Some(of) = checks.multiple_of.filter(|of| *of != 0.0) {
        let times = value / of;
        if (times - times.round()).abs() > 1e-9 {
            errors.push(refuse(format!("should be a multiple of {of}")));
        }
    }
    if let Some(name) = checks
        .format
        .as_deref()
        .filter(|name| !format::is_number(name, number))
    {
        errors.push(refuse(format!("must be of type {name}")));
    }
}

fn enumerated(value: &Value, checks: &Checks, path: &Path, errors: &mut Errors) {
    if checks.allowed.is_empty() || checks.allowed.contains(value) {
        return;
    }
    let allowed: Vec<String> = checks
        .allowed
        .iter()
        .map(|one| match one {
            Value::String(_) => one.to_string(),
            other => format!("{:?}", other.to_string()),
        })
        .collect();
    let mut error = FieldError::not_supported(path, shown(value), &[]);
    error.detail = format!("supported values: {}", allowed.join(", "));
    errors.push(error);
}

/// `allOf`, `anyOf`, `oneOf` and `not`. Their summary has no field of its own upstream; what is wrong in detail has.
fn combined(value: &Shown<'_>, checks: &Checks, path: &Path, errors: &mut Errors) {
    let judge = |node: &Node| {
        let mut errors = Errors::default();
        match value {
            Shown::Value(value) => self::value(value, node, path, &mut errors),
            Shown::Object(fields) => {
                object(fields, node, true, path, &mut errors);
                if let Some(checks) = &node.checks {
                    combined(value, checks, path, &mut errors);
                }
            }
        }
        errors.0
    };
    let summary = |text: String| FieldError::invalid(&Path::root(), "", text);
    let name = path.as_str();
    for node in &checks.all_of {
        judge(node).into_iter().for_each(|error| errors.push(error));
    }
    if !checks.any_of.is_empty() {
        let failures: Vec<_> = checks.any_of.iter().map(judge).collect();
        if failures.iter().all(|failures| !failures.is_empty()) {
            errors.push(summary(format!(
                "\"{name}\" must validate at least one schema (anyOf)"
            )));
            best(failures).into_iter().for_each(|error| errors.push(error));
        }
    }
    if !checks.one_of.is_empty() {
        let failures: Vec<_> = checks.one_of.iter().map(judge).collect();
        let valid = failures.iter().filter(|failures| failures.is_empty()).count();
        let start = format!("\"{name}\" must validate one and only one schema (oneOf).");
        if valid == 0 {
            errors.push(summary(format!("{start} Found none valid")));
            best(failures).into_iter().for_each(|error| errors.push(error));
        } else if valid > 1 {
            errors.push(summary(format!("{start} Found {valid} valid alternatives")));
        }
    }
    if checks.not.as_deref().is_some_and(|node| judge(node).is_empty()) {
        errors.push(summary(format!("\"{name}\" must not validate the schema (not)")));
    }
}

/// The alternative that came closest.
fn best(failures: Vec<Vec<FieldError>>) -> Vec<FieldError> {
    failures.into_iter().min_by_key(Vec::len).unwrap_or_default()
}

/// Items that must be unique in their list.
fn unique(body: &Map<String, Value>, root: &Node, path: &Path, errors: &mut Vec<FieldError>) {
    for (name, field) in body {
        if let Some(below) = root.field(name) {
            unique_in(field, below, &path.child(name), errors);
        }
    }
}

fn unique_in(value: &Value, node: &Node, path: &Path, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => unique(fields, node, path, errors),
        Value::Array(list) => {
            let Some(items) = &node.items else { return };
            let mut seen = BTreeSet::new();
            for (index, item) in list.iter().enumerate() {
                let own = path.index(index);
                if let Some(key) = key_of(item, items, &node.list) {
                    let text = key.to_string();
                    if !seen.insert(text) && errors.len() < MAX_ERRORS {
                        errors.push(FieldError::duplicate(&own, shown(&key)));
                    }
                }
                unique_in(item, items, &own, errors);
            }
        }
        _ => {}
    }
}

/// What tells an item from the others of its list; defaults count for keys that are missing.
pub(crate) fn key_of(item: &Value, items: &Node, list: &ListType) -> Option<Value> {
    match list {
        ListType::Atomic => None,
        ListType::Set => Some(item.clone()),
        ListType::Map(keys) => {
            let fields = item.as_object()?;
            let mut key = Map::new();
            for name in keys {
                let default = || items.properties.get(name).and_then(|node| node.default.as_ref());
                if let Some(value) = fields.get(&**name).or_else(default) {
                    key.insert(name.to_string(), value.clone());
                }
            }
            Some(Value::Object(key))
        }
    }
}

/// Whether a mistake keeps rules from being judged: they could fail over it in ways that say nothing.
#[must_use]
pub fn is_blocking(errors: &[FieldError]) -> bool {
    use FieldErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    let blocks = |error: &FieldError| {
        matches!(
            error.kind,
            NotSupported | Required | TooLong | TooMany | TypeInvalid
        )
    };
    errors.iter().any(blocks)
}

/// What is said where rules were not judged.
#[must_use]
pub fn rules_not_checked() -> FieldError {
    let detail = "some validation rules were not checked because the object was invalid; correct the existing errors \
                  to complete validation";
    FieldError::invalid(&Path::root(), field_error::Value::bare("null"), detail)
}
