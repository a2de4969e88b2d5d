//! Conditions on labels.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use serde::{Deserialize, Deserializer, de};

use super::{LabelSet, SelectorError, parser};
use crate::field_error::quote;
use crate::names;
use crate::view::{Labels, or_default};

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the API's own")]
pub enum Operator {
    In,
    NotIn,
    Equals,
    DoubleEquals,
    NotEquals,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// One condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Box<str>,
    operator: Operator,
    values: Box<[Box<str>]>,
}

impl Requirement {
    /// A checked requirement; values are sorted, repeats dropped.
    pub fn new<'a>(
        key: &str,
        operator: Operator,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SelectorError> {
        Self::check_key(key, "key")?;
        let mut values: Vec<Box<str>> = values.into_iter().map(Box::from).collect();
        values.sort_unstable();
        values.dedup();
        let wrong = |why: &str| {
            let shown: Vec<String> = values.iter().map(|value| quote(value)).collect();
            let message = format!("values: Invalid value: []string{{{}}}: {why}", shown.join(", "));
            Err(SelectorError::new(message))
        };
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                return wrong("for 'in', 'notin' operators, values set can't be empty");
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                return wrong("exact-match compatibility requires one single value");
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                return wrong("values set must be empty for exists and does not exist");
            }
            Operator::GreaterThan | Operator::LessThan => match values.as_slice() {
                [value] if value.parse::<i64>().is_ok() => {}
                [value] => {
                    let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                    return Err(SelectorError::new(format!(
                        "values[0]: Invalid value: {}: {why}",
                        quote(value)
                    )));
                }
                _ => return wrong("for 'Gt', 'Lt' operators, exactly one value is required"),
            },
            _ => {}
        }
        for (index, value) in values.iter().enumerate() {
            let errors = names::label_value(value);
            if !errors.is_empty() {
                let message = format!(
                    "values[{index}][{key}]: Invalid value: {}: {}",
                    quote(value),
                    errors.join("; ")
                );
                return Err(SelectorError::new(message));
            }
        }
        Ok(Self {
            key: key.into(),
            operator,
            values: values.into_boxed_slice(),
        })
    }

    pub(super) fn check_key(key: &str, path: &str) -> Result<(), SelectorError> {
        let errors = names::qualified_name(key);
        if errors.is_empty() {
            return Ok(());
        }
        Err(SelectorError::new(format!(
            "{path}: Invalid value: {}: {}",
            quote(key),
            errors.join("; ")
        )))
    }

    /// The label's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it compares.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it compares with, sorted.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(AsRef::as_ref)
    }

    /// Whether the labels fit.
    pub fn matches(&self, labels: &(impl LabelSet + ?Sized)) -> bool {
        let value = labels.label(&self.key);
        let listed = |value: &str| self.values.iter().any(|known| known.as_ref() == value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(listed),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compare(value).is_some_and(|(own, bound)| own > bound),
            Operator::LessThan => self.compare(value).is_some_and(|(own, bound)| own < bound),
        }
    }

    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        Some((value?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::DoesNotExist => return write!(f, "!{}", self.key),
            Operator::Exists => return f.write_str(&self.key),
            Operator::In | Operator::NotIn => {
                let word = if self.operator == Operator::In {
                    "in"
                } else {
                    "notin"
                };
                return write!(f, "{} {word} ({})", self.key, self.values.join(","));
            }
            Operator::Equals => "=",
            Operator::DoubleEquals => "==",
            Operator::NotEquals => "!=",
            Operator::GreaterThan => ">",
            Operator::LessThan => "<",
        };
        write!(f, "{}{operator}{}", self.key, self.values.join(","))
    }
}

/// A condition on labels: all requirements must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    /// Set for the selector that matches nothing, which is what a missing selector means.
    nothing: bool,
    requirements: Box<[Requirement]>,
}

impl Default for LabelSelector {
    fn default() -> Self {
        Self::everything()
    }
}

impl LabelSelector {
    /// The selector that matches everything.
    pub fn everything() -> Self {
        Self {
            nothing: false,
            requirements: Box::default(),
        }
    }

    /// The selector that matches nothing.
    pub fn nothing() -> Self {
        Self {
            nothing: true,
            requirements: Box::default(),
        }
    }

    /// Reads selector text such as `app=eva,release in (east,west),!old`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parser::parse(text).map(Self::from_requirements)
    }

    /// A selector of these requirements, sorted by key as upstream sorts them.
    pub fn from_requirements(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|one, other| one.key.cmp(&other.key));
        Self {
            nothing: false,
            requirements: requirements.into_boxed_slice(),
        }
    }

    /// The selector that wants exactly these labels, as a Service or a node selector writes it. The labels are not
    /// checked.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let equals = |(key, value): (&str, &str)| Requirement {
            key: key.into(),
            operator: Operator::Equals,
            values: Box::new([value.into()]),
        };
        Self::from_requirements(labels.into_iter().map(equals).collect())
    }

    /// The selector of an API object; an empty one matches everything.
    pub fn from_api(selector: &v1::LabelSelector) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, [value.as_str()])?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let values = expression.values.iter().flatten().map(String::as_str);
            requirements.push(Requirement::new(
                &expression.key,
                api_operator(&expression.operator)?,
                values,
            )?);
        }
        Ok(Self::from_requirements(requirements))
    }

    /// As [`LabelSelector::from_api`]; a missing selector matches nothing.
    pub fn from_api_option(selector: Option<&v1::LabelSelector>) -> Result<Self, SelectorError> {
        selector.map_or_else(|| Ok(Self::nothing()), Self::from_api)
    }

    /// Whether the labels fit.
    pub fn matches(&self, labels: &(impl LabelSet + ?Sized)) -> bool {
        !self.nothing
            && self
                .requirements
                .iter()
                .all(|requirement| requirement.matches(labels))
    }

    /// Whether every set of labels fits.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// The conditions, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The value that the label `key` must have, where the selector requires exactly one; for indexes.
    pub fn requires_exact(&self, key: &str) -> Option<&str> {
        self.requirements
            .iter()
            .find_map(|requirement| match requirement.operator {
                Operator::Equals | Operator::DoubleEquals | Operator::In
                    if requirement.key.as_ref() == key && requirement.values.len() == 1 =>
                {
                    requirement.values.first().map(AsRef::as_ref)
                }
                _ => None,
            })
    }
}

fn api_operator(name: &str) -> Result<Operator, SelectorError> {
    match name {
        "In" => Ok(Operator::In),
        "NotIn" => Ok(Operator::NotIn),
        "Exists" => Ok(Operator::Exists),
        "DoesNotExist" => Ok(Operator::DoesNotExist),
        other => Err(SelectorError::new(format!(
            "{} is not a valid label selector operator",
            quote(other)
        ))),
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for LabelSelector {
    type Err = SelectorError;
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// Reads the API's form, `matchLabels` and `matchExpressions`, so that projections can hold a ready selector.
impl<'de> Deserialize<'de> for LabelSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Api {
            #[serde(deserialize_with = "or_default")]
            match_labels: Labels,
            #[serde(deserialize_with = "or_default")]
            match_expressions: Vec<Expression>,
        }
        #[derive(Deserialize)]
        struct Expression {
            key: String,
            operator: String,
            #[serde(default, deserialize_with = "or_default")]
            values: Vec<String>,
        }
        let Some(api) = Option::<Api>::deserialize(deserializer)? else {
            return Ok(Self::nothing());
        };
        let build = || -> Result<Self, SelectorError> {
            let mut requirements = Vec::new();
            for (key, value) in api.match_labels.iter() {
                requirements.push(Requirement::new(key, Operator::Equals, [value])?);
            }
            for Expression {
                key,
                operator,
                values,
            } in &api.match_expressions
            {
                let values = values.iter().map(String::as_str);
                requirements.push(Requirement::new(key, api_operator(operator)?, values)?);
            }
            Ok(Self::from_requirements(requirements))
        };
        build().map_err(de::Error::custom)
    }
}
