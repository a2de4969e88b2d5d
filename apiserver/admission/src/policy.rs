//! ValidatingAdmissionPolicies: who they are for, and what their expressions say.
//!
//! Matching and finding parameters happens on the caller's task ([`gather`]); the expressions run elsewhere
//! ([`evaluate`]), because nobody knows how long they take.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, LabelSelector, Reason, Resource};
use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Validation,
};
use serde_json::{Value, json};

use crate::{
    Access, Attributes, Lookup, Objects, Operation, Verdict,
    access::Caller,
    attributes::labels,
    cel::{Bindings, Expression, OBJECT_BUDGET, Wanted},
    matching::{Conditions, Selectors},
    rules::Rules,
    webhook::FailurePolicy,
};

/// The longest message that an expression may make, in bytes.
const MAX_MESSAGE_BYTES: usize = 5 << 10;
const FAILURE_ANNOTATION: &str = "validation.policy.admission.k8s.io/validation_failure";

type Compiled = Result<Expression, String>;

/// A policy with its bindings.
#[derive(Debug)]
pub(crate) struct Policy {
    name: String,
    constraints: Constraints,
    conditions: Conditions,
    failure: FailurePolicy,
    param_kind: Option<(String, String)>,
    variables: Vec<(String, Compiled)>,
    validations: Vec<Check>,
    annotations: Vec<(String, Compiled)>,
    bindings: Vec<Binding>,
}

/// Which writes a policy or binding is for.
#[derive(Debug)]
struct Constraints {
    rules: Rules,
    excluded: Rules,
    selectors: Result<Selectors, String>,
}

#[derive(Debug)]
struct Binding {
    name: String,
    constraints: Constraints,
    param_ref: Option<ParamRef>,
    denies: bool,
    warns: bool,
    audits: bool,
}

#[derive(Debug)]
struct Check {
    expression: Compiled,
    text: String,
    message: Option<String>,
    message_expression: Option<Compiled>,
    reason: Reason,
}

/// A policy and a binding that match a write, with their parameters; by place.
pub(crate) struct Matched {
    policy: usize,
    binding: usize,
    /// The version that the policy's rules name.
    pub version: &'static Resource,
    /// What `params` stands for, one evaluation each.
    params: Result<Vec<Option<Bytes>>, String>,
}

/// What expressions see, in one version.
pub(crate) struct Input {
    version: &'static Resource,
    /// Whose rights they may ask for.
    pub caller: Caller,
    object: Value,
    old: Value,
    namespace: Value,
    request: Value,
}

impl Policy {
    pub fn new(policy: ValidatingAdmissionPolicy) -> Self {
        let spec = policy.spec.unwrap_or_default();
        Self {
            name: policy.metadata.name.unwrap_or_default(),
            constraints: Constraints::new(spec.match_constraints),
            conditions: Conditions::new(spec.match_conditions),
            failure: FailurePolicy::new(spec.failure_policy.as_deref()),
            param_kind: spec.param_kind.map(|kind| {
                (
                    kind.api_version.unwrap_or_default(),
                    kind.kind.unwrap_or_default(),
                )
            }),
            variables: spec
                .variables
                .into_iter()
                .flatten()
                .map(|own| (own.name, Expression::compile(&own.expression, Wanted::Any)))
                .collect(),
            validations: spec.validations.into_iter().flatten().map(Check::new).collect(),
            annotations: spec
                .audit_annotations
                .into_iter()
                .flatten()
                .map(|own| {
                    let value = Expression::compile(&own.value_expression, Wanted::StringOrNull);
                    (own.key, value)
                })
                .collect(),
            bindings: Vec::new(),
        }
    }

    /// Adds a binding where it is one of this policy.
    pub fn bind(&mut self, binding: &ValidatingAdmissionPolicyBinding) {
        let spec = binding.spec.clone().unwrap_or_default();
        if spec.policy_name.as_ref() != Some(&self.name) {
            return;
        }
        let actions = spec.validation_actions.unwrap_or_default();
        let does = |action: &str| actions.iter().any(|own| own == action);
        self.bindings.push(Binding {
            name: binding.metadata.name.clone().unwrap_or_default(),
            constraints: Constraints::new(spec.match_resources),
            param_ref: spec.param_ref,
            denies: does("Deny"),
            warns: does("Warn"),
            audits: does("Audit"),
        });
    }

    pub fn may_match(
        &self,
        operation: Operation,
        resource: &'static Resource,
        subresource: &str,
        lookup: &dyn Lookup,
    ) -> bool {
        let rules = &self.constraints.rules;
        // Without rules everything is meant: a binding that narrows by labels alone.
        !self.bindings.is_empty()
            && (rules.is_empty()
                || rules
                    .may_match(operation, resource, subresource, lookup)
                    .is_some())
    }
}

impl Constraints {
    fn new(resources: Option<MatchResources>) -> Self {
        let own = resources.unwrap_or_default();
        let match_policy = own.match_policy.as_deref();
        Self {
            rules: Rules::of_policy(own.resource_rules.unwrap_or_default(), match_policy),
            excluded: Rules::of_policy(own.exclude_resource_rules.unwrap_or_default(), match_policy),
            selectors: Selectors::new(own.namespace_selector.as_ref(), own.object_selector.as_ref()),
        }
    }

    /// The version that the rules name for this write, where it is meant.
    fn match_write(
        &self,
        attributes: &Attributes,
        objects: &Objects,
        lookup: &dyn Lookup,
    ) -> Option<&'static Resource> {
        let Attributes {
            operation,
            resource,
            subresource,
            name,
            ..
        } = attributes;
        let by = |rules: &Rules| rules.matches(*operation, resource, subresource, name, lookup);
        let version = if self.rules.is_empty() {
            Some(*resource)
        } else {
            by(&self.rules)
        };
        version.filter(|_| {
            let selectors = self.selectors.as_ref();
            by(&self.excluded).is_none()
                && selectors.is_ok_and(|selectors| selectors.match_write(attributes, objects, lookup))
        })
    }
}

impl Check {
    fn new(own: Validation) -> Self {
        Self {
            expression: Expression::compile(&own.expression, Wanted::Bool),
            text: own.expression.trim().to_owned(),
            message: own
                .message
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty()),
            message_expression: own
                .message_expression
                .as_deref()
                .map(|text| Expression::compile(text, Wanted::String)),
            reason: own
                .reason
                .as_deref()
                .and_then(Reason::parse)
                .unwrap_or(Reason::Invalid),
        }
    }

    /// Why the object is refused; `None` where it is not.
    fn refusal(&self, bindings: &Bindings<'_>) -> Result<Option<String>, String> {
        let failed = |why: &str| format!("expression '{}' resulted in error: {why}", self.text);
        let expression = self.expression.as_ref().map_err(|why| failed(why))?;
        match expression.evaluate(bindings).map_err(|why| failed(&why))? {
            Value::Bool(true) => Ok(None),
            Value::Bool(false) => Ok(Some(self.message(bindings))),
            _ => Err(failed("it must evaluate to bool")),
        }
    }

    fn message(&self, bindings: &Bindings<'_>) -> String {
        let made = self
            .message_expression
            .as_ref()
            .and_then(|own| own.as_ref().ok())
            .and_then(|own| own.evaluate(bindings).ok())
            .and_then(|value| value.as_str().map(|text| text.trim().to_owned()))
            .filter(|text| !text.is_empty() && !text.contains('\n') && text.len() <= MAX_MESSAGE_BYTES);
        made.or_else(|| self.message.clone())
            .unwrap_or_else(|| format!("failed expression: {}", self.text))
    }
}

impl Input {
    pub fn new(
        attributes: &Attributes,
        version: &'static Resource,
        objects: &Objects,
        namespace: Option<&Bytes>,
        access: &Arc<dyn Access>,
    ) -> Self {
        let read = |json: Option<&Bytes>| {
            json.and_then(|json| serde_json::from_slice(json).ok())
                .unwrap_or(Value::Null)
        };
        Self {
            version,
            caller: Caller::new(attributes, access),
            object: read(objects.object.as_ref()),
            old: read(objects.old.as_ref()),
            namespace: read(namespace),
            request: attributes.request(version),
        }
    }

    pub fn values(&self) -> [(&'static str, &Value); 4] {
        [
            ("object", &self.object),
            ("oldObject", &self.old),
            ("namespaceObject", &self.namespace),
            ("request", &self.request),
        ]
    }
}

/// The policies and bindings that match, with their parameters.
pub(crate) fn gather(
    policies: &[Policy],
    attributes: &Attributes,
    objects: &Objects,
    lookup: &dyn Lookup,
) -> Vec<Matched> {
    let mut matched = Vec::new();
    if is_exempt(attributes.resource) {
        return matched;
    }
    let matches = |own: &Constraints| own.match_write(attributes, objects, lookup);
    for (place, policy) in policies.iter().enumerate() {
        if policy.bindings.is_empty() {
            continue;
        }
        let Some(version) = matches(&policy.constraints) else {
            continue;
        };
        for (binding, own) in policy.bindings.iter().enumerate() {
            if matches(&own.constraints).is_some() {
                matched.push(Matched {
                    policy: place,
                    binding,
                    version,
                    params: params(policy, own, attributes, lookup),
                });
            }
        }
    }
    matched
}

/// Policies do not judge what makes policies.
fn is_exempt(resource: &Resource) -> bool {
    resource.group == "admissionregistration.k8s.io"
}

fn params(
    policy: &Policy,
    binding: &Binding,
    attributes: &Attributes,
    lookup: &dyn Lookup,
) -> Result<Vec<Option<Bytes>>, String> {
    let Some((api_version, kind)) = &policy.param_kind else {
        return Ok(vec![None]);
    };
    let Some(reference) = &binding.param_ref else {
        return Ok(vec![None]);
    };
    let resource = lookup.find(api_version, kind).ok_or_else(|| {
        format!("failed to find resource referenced by paramKind: '{api_version}, Kind={kind}'")
    })?;
    let namespace = match (&reference.namespace, resource.namespaced) {
        (_, false) => "",
        (Some(named), true) if !named.is_empty() => named,
        (_, true) if attributes.namespace.is_empty() => {
            return Err("can't use namespaced paramRef to match cluster-scoped resources".to_owned());
        }
        (_, true) => &attributes.namespace,
    };
    let found: Vec<Option<Bytes>> = match (&reference.name, &reference.selector) {
        (Some(name), _) => lookup
            .get(resource, namespace, name)
            .map(Some)
            .into_iter()
            .collect(),
        (None, Some(selector)) => {
            let selector = LabelSelector::from_api(selector).map_err(|error| error.to_string())?;
            let all = lookup.list(resource, namespace).into_iter();
            all.filter(|json| selector.matches(&labels(json)))
                .map(Some)
                .collect()
        }
        (None, None) => return Err("one of name or selector must be provided".to_owned()),
    };
    if found.is_empty() && reference.parameter_not_found_action.as_deref() != Some("Allow") {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
    }
    Ok(found)
}

/// Evaluates what matched.
///
/// # Errors
/// [`ApiError`] of the first refusal of a binding that denies.
pub(crate) fn evaluate(
    policies: &[Policy],
    matched: &[Matched],
    attributes: &Attributes,
    inputs: &[Input],
) -> Result<Verdict, ApiError> {
    let mut verdict = Verdict::default();
    let mut denial = None;
    for case in matched {
        let Some(policy) = policies.get(case.policy) else {
            continue;
        };
        let Some(binding) = policy.bindings.get(case.binding) else {
            continue;
        };
        let Some(input) = inputs.iter().find(|input| input.version == case.version) else {
            continue;
        };
        for (message, reason) in policy.judge(case, input, &mut verdict) {
            if binding.warns {
                verdict.warnings.push(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {message}",
                    policy.name, binding.name
                ));
            }
            if binding.audits {
                let failure = json!([{
                    "message": message, "policy": policy.name, "binding": binding.name,
                    "expressionIndex": 0, "validationActions": ["Audit"],
                }]);
                verdict
                    .annotations
                    .insert(FAILURE_ANNOTATION.to_owned(), failure.to_string());
            }
            if binding.denies {
                denial.get_or_insert_with(|| {
                    let why = format!(
                        "ValidatingAdmissionPolicy '{}' with binding '{}' denied request: {message}",
                        policy.name, binding.name
                    );
                    refuse(attributes, reason, why)
                });
            }
        }
    }
    denial.map_or(Ok(verdict), Err)
}

impl Policy {
    /// Why the object is refused, with the reason for each.
    fn judge(&self, case: &Matched, input: &Input, verdict: &mut Verdict) -> Vec<(String, Reason)> {
        let mut refusals = Vec::new();
        let failed = |refusals: &mut Vec<_>, why: String| match self.failure {
            FailurePolicy::Fail => refusals.push((why, Reason::Invalid)),
            FailurePolicy::Ignore => {
                tracing::warn!(policy = self.name, why, "policy failed and is passed over")
            }
        };
        let params = match &case.params {
            Ok(params) => params,
            Err(why) => {
                failed(&mut refusals, format!("failed to configure binding: {why}"));
                return refusals;
            }
        };
        for params in params {
            let params = params.as_ref().and_then(|json| serde_json::from_slice(json).ok());
            let params = params.unwrap_or(Value::Null);
            let values = input.values().into_iter().chain([("params", &params)]);
            let mut bindings = Bindings::new(values, &input.caller, OBJECT_BUDGET);
            match self.conditions.hold(&bindings) {
                Ok(true) => {}
                Ok(false) => return refusals,
                Err(why) => {
                    failed(&mut refusals, why);
                    return refusals;
                }
            }
            for (name, expression) in &self.variables {
                bindings.add_variable(name, expression);
            }
            for check in &self.validations {
                match check.refusal(&bindings) {
                    Ok(None) => {}
                    Ok(Some(message)) => refusals.push((message, check.reason)),
                    Err(why) => failed(&mut refusals, why),
                }
            }
            for (key, expression) in &self.annotations {
                let value = expression
                    .as_ref()
                    .ok()
                    .and_then(|own| own.evaluate(&bindings).ok());
                if let Some(Value::String(text)) = value {
                    verdict.annotations.insert(format!("{}/{key}", self.name), text);
                }
            }
        }
        refusals
    }
}

fn refuse(attributes: &Attributes, reason: Reason, why: String) -> ApiError {
    let forbidden = attributes.forbidden(&why);
    let mut details = forbidden.details().cloned().unwrap_or_default();
    details.causes.push(coracle_api::Cause {
        message: why,
        ..coracle_api::Cause::default()
    });
    ApiError::new(reason, forbidden.message()).with_details(details)
}
