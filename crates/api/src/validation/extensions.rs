//! APIServices and the kinds of flow control.

use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::check::{form, required, text};
use crate::field_error::{FieldError, Path};
use crate::names;

/// The last place among FlowSchemas.
const FLOW_MAX_PRECEDENCE: i32 = 10_000;

/// Mistakes in an APIService, outside its metadata but for its name, which is made of the spec.
pub fn api_service(own: &APIService) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    let (group, version) = (text(&spec.group), text(&spec.version));
    let name = text(&own.metadata.name);
    if name != format!("{version}.{group}") {
        let detail = "must be `spec.version+\".\"+spec.group`";
        errors.push(FieldError::invalid(
            &Path::new("metadata").child("name"),
            name,
            detail,
        ));
    }
    if !group.is_empty() {
        form(&mut errors, &path, "group", group, names::subdomain(group));
    }
    required(&mut errors, &path, "version", version);
    for (field, value, most) in [
        ("groupPriorityMinimum", spec.group_priority_minimum, 20_000),
        ("versionPriority", spec.version_priority, 1_000),
    ] {
        if !(1..=most).contains(&value) {
            let detail = format!("must be positive and less than {most}");
            errors.push(FieldError::invalid(&path.child(field), value, detail));
        }
    }
    if let Some(own) = &spec.service {
        let at = path.child("service");
        required(&mut errors, &at, "namespace", text(&own.namespace));
        required(&mut errors, &at, "name", text(&own.name));
    } else if spec.insecure_skip_tls_verify == Some(true) {
        let detail = "local APIServices may not have insecureSkipTLSVerify";
        errors.push(FieldError::invalid(
            &path.child("insecureSkipTLSVerify"),
            true,
            detail,
        ));
    }
    errors
}

/// Mistakes in a FlowSchema, outside its metadata.
pub fn flow_schema(own: &FlowSchema) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    if let Some(own) = spec
        .matching_precedence
        .filter(|own| !(1..=FLOW_MAX_PRECEDENCE).contains(own))
    {
        let detail = "must be between 1 and 10000";
        errors.push(FieldError::invalid(
            &path.child("matchingPrecedence"),
            own,
            detail,
        ));
    }
    let path = path.child("priorityLevelConfiguration");
    required(
        &mut errors,
        &path,
        "name",
        &spec.priority_level_configuration.name,
    );
    errors
}

/// Mistakes in a PriorityLevelConfiguration, outside its metadata.
pub fn priority_level(own: &PriorityLevelConfiguration) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    match spec.type_.as_str() {
        "Exempt" if spec.limited.is_some() => {
            let detail = "must be nil if the type is not Limited";
            errors.push(FieldError::forbidden(&path.child("limited"), detail));
        }
        "Limited" if spec.limited.is_none() => {
            let detail = "must not be empty when type is Limited";
            errors.push(FieldError::required(&path.child("limited"), detail));
        }
        "Exempt" | "Limited" => {}
        other => errors.push(FieldError::not_supported(
            &path.child("type"),
            other,
            &["Exempt", "Limited"],
        )),
    }
    errors
}
