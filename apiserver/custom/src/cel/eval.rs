//! Running expressions, with a budget: every step costs, as upstream counts it, so that no rule runs for long however
//! large the object is.

use std::cmp::Ordering;
use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, Map, OptionalValue};

use super::budget::{BYTES_PER_STEP, Budget, EvalError};
use super::code::{Arithmetic, Code, Comparison, Loop};
use super::library;

type Outcome = Result<Value, EvalError>;

/// The names that an expression sees: what was bound, and the loops around it.
pub(super) struct Scope<'a, 'b, 'c> {
    pub bound: &'a dyn Fn(&str) -> Option<Value>,
    pub locals: Vec<(&'a str, Value)>,
    pub budget: &'b mut Budget<'c>,
}

impl<'a> Scope<'a, '_, '_> {
    pub fn eval(&mut self, code: &'a Code) -> Outcome {
        self.budget.charge(1)?;
        match code {
            Code::Constant(value) => Ok(value.clone()),
            Code::Variable(name) => self.variable(name),
            Code::Field(of, name) => {
                let of = self.eval(of)?;
                field(&of, name)?.ok_or_else(|| EvalError::failed(format!("no such key: {name}")))
            }
            Code::Has(of, name) => {
                let of = self.eval(of)?;
                Ok(Value::Bool(field(&of, name)?.is_some()))
            }
            Code::OptionalField(of, name) => {
                let of = self.eval(of)?;
                let found = match optional(&of) {
                    None => field(&of, name)?,
                    Some(None) => None,
                    Some(Some(inner)) => field(inner, name)?,
                };
                Ok(to_optional(found))
            }
            Code::Index(of, key) => {
                let (of, key) = (self.eval(of)?, self.eval(key)?);
                match optional(&of) {
                    Some(inner) => Ok(to_optional(inner.and_then(|inner| index(inner, &key).ok()))),
                    None => index(&of, &key),
                }
            }
            Code::OptionalIndex(of, key) => {
                let (of, key) = (self.eval(of)?, self.eval(key)?);
                let of = match optional(&of) {
                    Some(None) => return Ok(of),
                    Some(Some(inner)) => inner,
                    None => &of,
                };
                Ok(to_optional(index(of, &key).ok()))
            }
            Code::And(left, right) => self.logic(left, right, false),
            Code::Or(left, right) => self.logic(left, right, true),
            Code::Not(of) => Ok(Value::Bool(!self.boolean(of)?)),
            Code::Negate(of) => negate(&self.eval(of)?),
            Code::If(condition, yes, no) => {
                let branch = if self.boolean(condition)? { yes } else { no };
                self.eval(branch)
            }
            Code::NotFalse(of) => match self.boolean(of) {
                Err(error) if error.is_final() => Err(error),
                outcome => Ok(Value::Bool(outcome.unwrap_or(true))),
            },
            Code::Compare(how, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                self.compare(*how, &left, &right)
            }
            Code::Arithmetic(how, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                self.arithmetic(*how, left, right)
            }
            Code::In(item, of) => {
                let (item, of) = (self.eval(item)?, self.eval(of)?);
                self.contains(&item, &of)
            }
            Code::List(items) => self.list(items),
            Code::Map(entries) => self.map(entries),
            Code::Loop(own) => self.fold(own),
            // Steps of loops only, where there is a map to insert into.
            Code::Insert(..) | Code::InsertAll(_) => Err(EvalError::no_overload()),
            Code::Matches(of, regex) => match self.eval(of)? {
                Value::String(text) => {
                    self.budget.charge_text(text.len() * 4)?;
                    Ok(Value::Bool(regex.is_match(&text)))
                }
                _ => Err(EvalError::no_overload()),
            },
            Code::Call(call) => {
                let target = match &call.target {
                    Some(target) => Some(self.eval(target)?),
                    None => None,
                };
                let mut arguments = Vec::with_capacity(call.arguments.len());
                for argument in &call.arguments {
                    arguments.push(self.eval(argument)?);
                }
                if let Some(host) = self.budget.host.filter(|_| call.is_hosts) {
                    self.budget.charge(host.cost(&call.name))?;
                    if let Some(outcome) = host.call(&call.name, target.as_ref(), &arguments) {
                        return outcome.map_err(EvalError::Failed);
                    }
                }
                library::call(&call.name, target, arguments, self.budget)
            }
        }
    }

    fn variable(&self, name: &str) -> Outcome {
        if let Some((_, value)) = self.locals.iter().rev().find(|(own, _)| *own == name) {
            return Ok(value.clone());
        }
        (self.bound)(name)
            .ok_or_else(|| EvalError::failed(format!("undeclared reference to '{name}' (in container '')")))
    }

    fn boolean(&mut self, code: &'a Code) -> Result<bool, EvalError> {
        match self.eval(code)? {
            Value::Bool(value) => Ok(value),
            _ => Err(EvalError::no_overload()),
        }
    }

    /// `&&` and `||`: one side may fail where the other decides.
    fn logic(&mut self, left: &'a Code, right: &'a Code, decisive: bool) -> Outcome {
        let first = self.boolean(left);
        match first {
            Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
            Err(error) if error.is_final() => return Err(error),
            _ => {}
        }
        match (first, self.boolean(right)) {
            (_, Ok(value)) if value == decisive => Ok(Value::Bool(decisive)),
            (_, Err(error)) if error.is_final() => Err(error),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Ok(Value::Bool(!decisive)),
        }
    }

    fn compare(&mut self, how: Comparison, left: &Value, right: &Value) -> Outcome {
        self.budget.charge_text(weight(left).min(weight(right)))?;
        let is_equal = match how {
            Comparison::Equal => return Ok(Value::Bool(left == right)),
            Comparison::NotEqual => return Ok(Value::Bool(left != right)),
            _ => left.partial_cmp(right),
        };
        let is_nan = |value: &Value| matches!(value, Value::Float(float) if float.is_nan());
        let Some(order) = is_equal else {
            return if is_nan(left) || is_nan(right) {
                Ok(Value::Bool(false))
            } else {
                Err(EvalError::no_overload())
            };
        };
        Ok(Value::Bool(match how {
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            _ => order != Ordering::Less,
        }))
    }

    fn arithmetic(&mut self, how: Arithmetic, left: Value, right: Value) -> Outcome {
        self.budget.charge_text(own_weight(&left) + own_weight(&right))?;
        let fits = match (&left, &right) {
            (Value::Int(_), Value::Int(_)) | (Value::UInt(_), Value::UInt(_)) => true,
            (Value::Float(_), Value::Float(_)) => how != Arithmetic::Remainder,
            (Value::String(_), Value::String(_))
            | (Value::List(_), Value::List(_))
            | (Value::Bytes(_), Value::Bytes(_)) => how == Arithmetic::Add,
            (Value::Duration(_) | Value::Timestamp(_), Value::Duration(_) | Value::Timestamp(_)) => {
                matches!(how, Arithmetic::Add | Arithmetic::Subtract)
            }
            _ => false,
        };
        if !fits {
            return Err(EvalError::no_overload());
        }
        let outcome = match how {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
        };
        Ok(outcome?)
    }

    fn contains(&mut self, item: &Value, of: &Value) -> Outcome {
        match of {
            Value::List(list) => {
                self.budget.charge(list.len() as u64 / BYTES_PER_STEP + 1)?;
                Ok(Value::Bool(list.contains(item)))
            }
            Value::Map(map) => Ok(Value::Bool(
                key_of(item).is_some_and(|key| map.get(&key).is_some()),
            )),
            _ => Err(EvalError::no_overload()),
        }
    }

    fn list(&mut self, items: &'a [(Code, bool)]) -> Outcome {
        let mut list = Vec::with_capacity(items.len());
        for (item, is_optional) in items {
            let value = self.eval(item)?;
            match optional(&value).filter(|_| *is_optional) {
                Some(None) => {}
                Some(Some(inner)) => list.push(inner.clone()),
                None => list.push(value),
            }
        }
        Ok(Value::List(Arc::new(list)))
    }

    fn map(&mut self, entries: &'a [(Code, Code, bool)]) -> Outcome {
        let mut map = std::collections::HashMap::with_capacity(entries.len());
        for (key, value, is_optional) in entries {
            let key = self.eval(key)?;
            let key = key_of(&key).ok_or_else(EvalError::no_overload)?;
            let value = self.eval(value)?;
            match optional(&value).filter(|_| *is_optional) {
                Some(None) => {}
                Some(Some(inner)) => drop(map.insert(key, inner.clone())),
                None => drop(map.insert(key, value)),
            }
        }
        Ok(Value::Map(Map { map: Arc::new(map) }))
    }

    fn fold(&mut self, own: &'a Loop) -> Outcome {
        let (range, entries) = match self.eval(&own.range)? {
            Value::List(list) => (list, None),
            Value::Map(map) => (Arc::new(keys(&map)), Some(map)),
            _ => return Err(EvalError::no_overload()),
        };
        let start = self.eval(&own.start)?;
        let depth = self.locals.len();
        self.locals.push((&own.result_name, start));
        self.locals.push((&own.item, Value::Null));
        let outcome = match &own.second {
            None => self.fold_items(own, &range, depth),
            Some(second) => {
                self.locals.push((second, Value::Null));
                self.fold_pairs(own, &range, entries.as_ref(), depth)
            }
        };
        self.locals.truncate(depth);
        outcome
    }

    fn fold_items(&mut self, own: &'a Loop, range: &[Value], depth: usize) -> Outcome {
        for item in range {
            if !self.boolean(&own.condition)? {
                break;
            }
            self.set(depth + 1, item.clone());
            self.step(&own.step, depth)?;
        }
        self.eval(&own.result)
    }

    /// As [`Scope::fold_items`], with a second name: for the values of a map beside its keys, or of a list beside
    /// their places.
    fn fold_pairs(&mut self, own: &'a Loop, range: &[Value], entries: Option<&Map>, depth: usize) -> Outcome {
        for (place, item) in range.iter().enumerate() {
            if !self.boolean(&own.condition)? {
                break;
            }
            let (first, second) = match entries {
                Some(map) => {
                    let value = key_of(item).and_then(|key| map.get(&key).cloned());
                    (item.clone(), value.unwrap_or(Value::Null))
                }
                None => (Value::Int(i64::try_from(place).unwrap_or(i64::MAX)), item.clone()),
            };
            self.set(depth + 1, first);
            self.set(depth + 2, second);
            self.step(&own.step, depth)?;
        }
        self.eval(&own.result)
    }

    /// Adds entries to the map that a loop makes.
    fn insert(&mut self, entries: Vec<(Key, Value)>, depth: usize) -> Result<(), EvalError> {
        self.budget.charge(entries.len() as u64)?;
        let taken = self
            .locals
            .get_mut(depth)
            .map(|(_, value)| std::mem::replace(value, Value::Null));
        let Some(Value::Map(mut map)) = taken else {
            return Err(EvalError::no_overload());
        };
        let own = Arc::make_mut(&mut map.map);
        for (key, value) in entries {
            if own.contains_key(&key) {
                let shown = library::plain(&Value::from(&key));
                return Err(EvalError::failed(format!(
                    "insert failed: key {shown} already exists"
                )));
            }
            own.insert(key, value);
        }
        self.set(depth, Value::Map(map));
        Ok(())
    }

    /// One step of a loop. A list or map that grows is taken out of the scope first, so that it grows where it is.
    fn step(&mut self, code: &'a Code, depth: usize) -> Result<(), EvalError> {
        let name = self.locals.get(depth).map(|(name, _)| *name).unwrap_or_default();
        let is_own = |code: &Code| matches!(code, Code::Variable(own) if **own == *name);
        match code {
            Code::If(condition, yes, no) => {
                let branch = if self.boolean(condition)? { yes } else { no };
                self.step(branch, depth)
            }
            code if is_own(code) => Ok(()),
            Code::Insert(key, value) => {
                let key = key_of(&self.eval(key)?).ok_or_else(EvalError::no_overload)?;
                let value = self.eval(value)?;
                self.insert(vec![(key, value)], depth)
            }
            Code::InsertAll(entries) => match self.eval(entries)? {
                Value::Map(map) => {
                    let entries = map.map.iter().map(|(key, value)| (key.clone(), value.clone()));
                    self.insert(entries.collect(), depth)
                }
                _ => Err(EvalError::no_overload()),
            },
            Code::Arithmetic(Arithmetic::Add, left, right) if is_own(left) => {
                let right = self.eval(right)?;
                let left = self
                    .locals
                    .get_mut(depth)
                    .map(|(_, value)| std::mem::replace(value, Value::Null));
                self.budget.charge(1)?;
                let sum = (left.unwrap_or(Value::Null) + right)?;
                self.set(depth, sum);
                Ok(())
            }
            code => {
                let value = self.eval(code)?;
                self.set(depth, value);
                Ok(())
            }
        }
    }

    fn set(&mut self, place: usize, value: Value) {
        if let Some((_, own)) = self.locals.get_mut(place) {
            *own = value;
        }
    }
}

/// The keys of a map, sorted, so that equal maps are gone through alike.
fn keys(map: &Map) -> Vec<Value> {
    let mut keys: Vec<&Key> = map.map.keys().collect();
    keys.sort();
    keys.into_iter().map(Value::from).collect()
}

fn key_of(value: &Value) -> Option<Key> {
    match value {
        Value::String(text) => Some(Key::String(Arc::clone(text))),
        Value::Int(number) => Some(Key::Int(*number)),
        Value::UInt(number) => Some(Key::Uint(*number)),
        Value::Bool(value) => Some(Key::Bool(*value)),
        Value::Float(number) if number.fract() == 0.0 => Some(Key::Int(*number as i64)),
        _ => None,
    }
}

fn field(of: &Value, name: &str) -> Result<Option<Value>, EvalError> {
    match of {
        Value::Map(map) => Ok(map.get(&Key::String(Arc::new(name.to_owned()))).cloned()),
        _ => Err(EvalError::no_overload()),
    }
}

fn index(of: &Value, key: &Value) -> Outcome {
    match of {
        Value::List(list) => {
            let place = match key {
                Value::Int(place) => usize::try_from(*place).ok(),
                Value::UInt(place) => usize::try_from(*place).ok(),
                Value::Float(place) if place.fract() == 0.0 && *place >= 0.0 => Some(*place as usize),
                _ => return Err(EvalError::no_overload()),
            };
            place
                .and_then(|place| list.get(place).cloned())
                .ok_or_else(|| EvalError::failed(format!("index out of bounds: {}", library::plain(key))))
        }
        Value::Map(map) => {
            let found = key_of(key).and_then(|key| map.get(&key).cloned());
            found.ok_or_else(|| EvalError::failed(format!("no such key: {}", library::plain(key))))
        }
        _ => Err(EvalError::no_overload()),
    }
}

fn negate(value: &Value) -> Outcome {
    match value {
        Value::Int(number) => number
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| EvalError::failed("integer overflow")),
        Value::Float(number) => Ok(Value::Float(-number)),
        Value::Duration(duration) => Ok(Value::Duration(-*duration)),
        _ => Err(EvalError::no_overload()),
    }
}

/// What an optional holds; the outer `None` where the value is none.
pub(super) fn optional(value: &Value) -> Option<Option<&Value>> {
    <&OptionalValue>::try_from(value).ok().map(OptionalValue::value)
}

pub(super) fn to_optional(value: Option<Value>) -> Value {
    Value::Opaque(Arc::new(
        value.map_or_else(OptionalValue::none, OptionalValue::of),
    ))
}

/// About how much text a comparison looks at.
fn weight(value: &Value) -> usize {
    match value {
        Value::List(list) => list.iter().map(weight).sum::<usize>() + 1,
        Value::Map(map) => map.map.values().map(weight).sum::<usize>() + 1,
        other => own_weight(other),
    }
}

fn own_weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        _ => 1,
    }
}
