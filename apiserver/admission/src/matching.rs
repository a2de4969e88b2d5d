//! Which of the writes that fit by name a webhook or policy really wants: selectors on labels, and conditions.

use std::borrow::Cow;

use bytes::Bytes;
use coracle_api::{LabelSelector, Labels, kinds};
use k8s_openapi::{api::admissionregistration::v1::MatchCondition, apimachinery::pkg::apis::meta::v1};
use serde_json::Value;

use crate::{
    Attributes, Lookup, Objects, Operation,
    attributes::labels,
    cel::{Bindings, Expression, Wanted},
};

/// Selectors on the namespace's labels and on the object's.
#[derive(Debug)]
pub(crate) struct Selectors {
    namespace: LabelSelector,
    object: LabelSelector,
}

impl Selectors {
    /// # Errors
    /// The selector's, as text.
    pub fn new(
        namespace: Option<&v1::LabelSelector>,
        object: Option<&v1::LabelSelector>,
    ) -> Result<Self, String> {
        // A selector that is not there selects everything, as an empty one does.
        let read = |selector: Option<&v1::LabelSelector>| match selector {
            None => Ok(LabelSelector::everything()),
            Some(selector) => LabelSelector::from_api(selector).map_err(|error| error.to_string()),
        };
        Ok(Self {
            namespace: read(namespace)?,
            object: read(object)?,
        })
    }

    pub fn match_write(&self, attributes: &Attributes, objects: &Objects, lookup: &dyn Lookup) -> bool {
        self.match_namespace(attributes, objects, lookup) && self.match_object(objects)
    }

    fn match_namespace(&self, attributes: &Attributes, objects: &Objects, lookup: &dyn Lookup) -> bool {
        if self.namespace.is_everything() {
            return true;
        }
        let own = match namespace_of(attributes, objects, lookup) {
            Some(json) => labels(&json),
            None if attributes.resource.namespaced => Labels::default(),
            // Selectors of namespaces say nothing about what lives in none.
            None => return true,
        };
        self.namespace.matches(&own)
    }

    fn match_object(&self, objects: &Objects) -> bool {
        self.object.is_everything()
            || [&objects.object, &objects.old]
                .into_iter()
                .flatten()
                .any(|json| self.object.matches(&labels(json)))
    }
}

/// The Namespace that a write is in; for a write of a Namespace, itself.
pub(crate) fn namespace_of(attributes: &Attributes, objects: &Objects, lookup: &dyn Lookup) -> Option<Bytes> {
    if *attributes.resource == *kinds::NAMESPACE {
        return match attributes.operation {
            Operation::Delete => objects.old.clone(),
            _ => objects.object.clone(),
        };
    }
    if !attributes.resource.namespaced {
        return None;
    }
    lookup.get(kinds::NAMESPACE, "", &attributes.namespace)
}

/// Expressions that must all be true.
#[derive(Debug, Default)]
pub(crate) struct Conditions(Vec<(String, Result<Expression, String>)>);

impl Conditions {
    pub fn new(conditions: Option<Vec<MatchCondition>>) -> Self {
        let compile = |own: MatchCondition| {
            let expression = Expression::compile(&own.expression, Wanted::Bool);
            (own.name, expression)
        };
        Self(conditions.unwrap_or_default().into_iter().map(compile).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all hold. One that does not decides, even where another cannot be evaluated.
    ///
    /// # Errors
    /// Why a condition could not be evaluated.
    pub fn hold(&self, bindings: &Bindings<'_>) -> Result<bool, String> {
        let mut failure = None;
        for (name, expression) in &self.0 {
            let value = match expression {
                Ok(expression) => expression.evaluate(bindings).map_err(Cow::Owned),
                Err(error) => Err(Cow::Borrowed(error.as_str())),
            };
            match value {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => return Ok(false),
                Ok(_) => {
                    failure.get_or_insert_with(|| format!("expression of '{name}' must evaluate to bool"));
                }
                Err(error) => {
                    failure
                        .get_or_insert_with(|| format!("expression of '{name}' resulted in error: {error}"));
                }
            }
        }
        failure.map_or(Ok(true), Err)
    }
}
