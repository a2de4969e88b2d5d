//! Expressions of policies and webhooks are compiled when they are written, so that a misspelt one is refused before it
//! refuses everything else.

use coracle_api::{FieldError, Object, Path};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingWebhookConfiguration,
};

use crate::cel::{Expression, Wanted};

/// What is wrong with the object's expressions.
pub(super) fn mistakes(object: &dyn Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(policy) = object.downcast_ref::<ValidatingAdmissionPolicy>() {
        judge_policy(&mut errors, policy);
    } else if let Some(own) = object.downcast_ref::<MutatingWebhookConfiguration>() {
        for (index, own) in own.webhooks.iter().flatten().enumerate() {
            judge_conditions(&mut errors, own.match_conditions.as_ref(), &webhook(index));
        }
    } else if let Some(own) = object.downcast_ref::<ValidatingWebhookConfiguration>() {
        for (index, own) in own.webhooks.iter().flatten().enumerate() {
            judge_conditions(&mut errors, own.match_conditions.as_ref(), &webhook(index));
        }
    }
    errors
}

fn webhook(index: usize) -> Path {
    Path::new("webhooks").index(index)
}

fn judge_policy(errors: &mut Vec<FieldError>, policy: &ValidatingAdmissionPolicy) {
    let Some(spec) = &policy.spec else { return };
    let path = Path::new("spec");
    judge_conditions(errors, spec.match_conditions.as_ref(), &path);
    for (index, own) in spec.variables.iter().flatten().enumerate() {
        let path = path.child("variables").index(index).child("expression");
        judge(errors, &own.expression, Wanted::Any, &path);
    }
    for (index, own) in spec.validations.iter().flatten().enumerate() {
        let path = path.child("validations").index(index);
        judge(errors, &own.expression, Wanted::Bool, &path.child("expression"));
        if let Some(expression) = &own.message_expression {
            judge(
                errors,
                expression,
                Wanted::String,
                &path.child("messageExpression"),
            );
        }
    }
    for (index, own) in spec.audit_annotations.iter().flatten().enumerate() {
        let path = path
            .child("auditAnnotations")
            .index(index)
            .child("valueExpression");
        judge(errors, &own.value_expression, Wanted::StringOrNull, &path);
    }
}

fn judge_conditions(errors: &mut Vec<FieldError>, conditions: Option<&Vec<MatchCondition>>, path: &Path) {
    for (index, own) in conditions.into_iter().flatten().enumerate() {
        let path = path.child("matchConditions").index(index).child("expression");
        judge(errors, &own.expression, Wanted::Bool, &path);
    }
}

fn judge(errors: &mut Vec<FieldError>, expression: &str, wanted: Wanted, path: &Path) {
    if let Err(why) = Expression::compile(expression, wanted) {
        errors.push(FieldError::invalid(path, expression, why));
    }
}
