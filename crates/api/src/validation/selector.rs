//! Label selectors of objects.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::check::{go_map, go_map_text};
use crate::field_error::{FieldError, Path, Value, quote};
use crate::{names, selector};

/// Mistakes in a label selector.
pub fn label_selector(own: &LabelSelector, path: &Path) -> Vec<FieldError> {
    let mut errors = match &own.match_labels {
        Some(labels) => super::labels(labels, &path.child("matchLabels")),
        None => Vec::new(),
    };
    for (index, expression) in own.match_expressions.iter().flatten().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let values = expression.values.as_deref().unwrap_or_default();
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(&path.child("values"), detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(&path.child("values"), detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.push(FieldError::invalid(
                    &path.child("operator"),
                    other,
                    "not a valid selector operator",
                ));
            }
        }
        let messages = names::qualified_name(&expression.key).into_iter();
        errors.extend(
            messages.map(|message| FieldError::invalid(&path.child("key"), &expression.key, message)),
        );
        for (index, value) in values.iter().enumerate() {
            let path = path.child("values").index(index);
            let messages = names::label_value(value).into_iter();
            errors.extend(messages.map(|message| FieldError::invalid(&path, value, message)));
        }
    }
    errors
}

fn is_empty(own: &LabelSelector) -> bool {
    own.match_labels.as_ref().is_none_or(|labels| labels.is_empty())
        && own.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// Mistakes in the selector of a workload: it must select something, and the pods of its own template.
///
/// `spec` is the path of the workload's spec.
pub fn matches_template(own: &LabelSelector, template: &PodTemplateSpec, spec: &Path) -> Vec<FieldError> {
    let path = spec.child("selector");
    let mut errors = label_selector(own, &path);
    if is_empty(own) {
        // A missing selector and an empty one look the same in the typed struct; the missing one is the usual slip.
        errors.push(FieldError::required(&path, ""));
    }
    let labels = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    let Ok(parsed) = selector::LabelSelector::from_api(own) else {
        return errors;
    };
    if is_empty(own) || !parsed.matches(&labels) {
        let path = spec.child("template").child("metadata").child("labels");
        errors.push(FieldError::invalid(
            &path,
            go_map(labels),
            "`selector` does not match template `labels`",
        ));
    }
    errors
}

/// A selector as Go prints it, which is what upstream's messages show.
pub(super) fn go_selector(own: &LabelSelector) -> Value {
    let expression = |requirement: &LabelSelectorRequirement| {
        let values: Vec<String> = requirement
            .values
            .iter()
            .flatten()
            .map(|value| quote(value))
            .collect();
        format!(
            "v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:[]string{{{}}}}}",
            quote(&requirement.key),
            quote(&requirement.operator),
            values.join(", ")
        )
    };
    let expressions = match &own.match_expressions {
        None => "[]v1.LabelSelectorRequirement(nil)".to_owned(),
        Some(list) => {
            let list: Vec<String> = list.iter().map(expression).collect();
            format!("[]v1.LabelSelectorRequirement{{{}}}", list.join(", "))
        }
    };
    Value::bare(format!(
        "v1.LabelSelector{{MatchLabels:{}, MatchExpressions:{expressions}}}",
        go_map_text(own.match_labels.as_ref())
    ))
}
