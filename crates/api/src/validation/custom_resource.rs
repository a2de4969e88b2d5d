//! CustomResourceDefinitions: the definition itself. Its schemas are judged by who compiles them.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceConversion, CustomResourceDefinition,
    CustomResourceDefinitionNames, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
    CustomResourceSubresourceScale,
};

use super::check::{Errors, IMMUTABLE, form, required, text};
use super::webhooks::{service, url};
use crate::field_error::{FieldError, Path, Value};
use crate::names;

const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: &[&str] = &[
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];
/// Groups that belong to the Kubernetes community.
const PROTECTED_DOMAINS: [&str; 2] = ["k8s.io", "kubernetes.io"];
const APPROVAL_ANNOTATION: &str = "api-approved.kubernetes.io";

/// Mistakes in a CustomResourceDefinition, outside its metadata but for its name, which is made of the spec.
pub fn custom_resource_definition(own: &CustomResourceDefinition) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (path, spec) = (Path::new("spec"), &own.spec);
    let name = text(&own.metadata.name);
    if name != format!("{}.{}", spec.names.plural, spec.group) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid(
            &Path::new("metadata").child("name"),
            name,
            detail,
        ));
    }
    group(&mut errors, own, &path.child("group"));
    match spec.scope.as_str() {
        "" => errors.push(FieldError::required(&path.child("scope"), "")),
        "Cluster" | "Namespaced" => {}
        other => errors.push(FieldError::not_supported(
            &path.child("scope"),
            other,
            &["Cluster", "Namespaced"],
        )),
    }
    versions(&mut errors, spec, &path.child("versions"));
    resource_names(&mut errors, &spec.names, &path.child("names"));
    if let Some(own) = &spec.conversion {
        conversion(&mut errors, own, &path.child("conversion"));
    }
    if spec.preserve_unknown_fields == Some(true) {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid(
            &path.child("preserveUnknownFields"),
            true,
            detail,
        ));
    }
    errors
}

fn group(errors: &mut Errors, own: &CustomResourceDefinition, path: &Path) {
    let group = own.spec.group.as_str();
    if group.is_empty() {
        return errors.push(FieldError::required(path, ""));
    }
    let messages = names::subdomain(group);
    if !messages.is_empty() {
        let messages = messages.into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(path, group, message)));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            path,
            group,
            "should be a domain with at least one dot",
        ));
    }
    let is_protected = PROTECTED_DOMAINS
        .iter()
        .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    let annotations = own.metadata.annotations.as_ref();
    let is_approved = annotations.is_some_and(|all| {
        let value = all.get(APPROVAL_ANNOTATION).map_or("", String::as_str);
        value.starts_with("https://") || value.starts_with("unapproved")
    });
    if is_protected && !is_approved {
        errors.push(FieldError::required(
            &Path::new("metadata")
                .child("annotations")
                .key(APPROVAL_ANNOTATION),
            "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
             https://github.com/kubernetes/enhancements/pull/1111",
        ));
    }
}

fn versions(errors: &mut Errors, spec: &CustomResourceDefinitionSpec, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, own) in spec.versions.iter().enumerate() {
        let path = path.index(index);
        form(errors, &path, "name", &own.name, names::label_1035(&own.name));
        if !seen.insert(&own.name) {
            errors.push(FieldError::duplicate(&path.child("name"), &own.name));
        }
        version(errors, own, &path);
    }
    let stored = spec.versions.iter().filter(|version| version.storage).count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        let shown: Vec<&str> = spec
            .versions
            .iter()
            .map(|version| version.name.as_str())
            .collect();
        errors.push(FieldError::invalid(path, Value::json(&shown), detail));
    }
}

fn version(errors: &mut Errors, own: &CustomResourceDefinitionVersion, path: &Path) {
    let schema = own
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    if schema.is_none() {
        let path = path.child("schema").child("openAPIV3Schema");
        errors.push(FieldError::required(&path, "schemas are required"));
    }
    if own.deprecation_warning.is_some() && own.deprecated != Some(true) {
        let shown = text(&own.deprecation_warning);
        let detail = "can only be set for deprecated versions";
        errors.push(FieldError::invalid(
            &path.child("deprecationWarning"),
            shown,
            detail,
        ));
    }
    if let Some(own) = own
        .subresources
        .as_ref()
        .and_then(|subresources| subresources.scale.as_ref())
    {
        scale(errors, own, &path.child("subresources").child("scale"));
    }
    for (index, own) in own.additional_printer_columns.iter().flatten().enumerate() {
        column(errors, own, &path.child("additionalPrinterColumns").index(index));
    }
}

fn scale(errors: &mut Errors, own: &CustomResourceSubresourceScale, path: &Path) {
    let mut judge = |field: &str, value: &str, roots: &[&str], root_text: &str| {
        let path = path.child(field);
        if value.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if !roots.iter().any(|root| value.starts_with(root)) {
            let detail = format!("should be a json path under {root_text}");
            errors.push(FieldError::invalid(&path, value, detail));
        } else if value.contains('[') {
            let detail = "should be a simple json path without arrays";
            errors.push(FieldError::invalid(&path, value, detail));
        }
    };
    judge("specReplicasPath", &own.spec_replicas_path, &[".spec."], ".spec");
    judge(
        "statusReplicasPath",
        &own.status_replicas_path,
        &[".status."],
        ".status",
    );
    if let Some(selector) = own.label_selector_path.as_ref().filter(|own| !own.is_empty()) {
        judge(
            "labelSelectorPath",
            selector,
            &[".spec.", ".status."],
            "either .spec or .status",
        );
    }
}

fn column(errors: &mut Errors, own: &CustomResourceColumnDefinition, path: &Path) {
    required(errors, path, "name", &own.name);
    match own.type_.as_str() {
        "" => {
            let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
            errors.push(FieldError::required(&path.child("type"), detail));
        }
        known if COLUMN_TYPES.contains(&known) => {}
        other => {
            let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
            errors.push(FieldError::invalid(&path.child("type"), other, detail));
        }
    }
    let format = text(&own.format);
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let detail = format!("must be one of {}", COLUMN_FORMATS.join(","));
        errors.push(FieldError::invalid(&path.child("format"), format, detail));
    }
    required(errors, path, "jsonPath", &own.json_path);
}

fn resource_names(errors: &mut Errors, own: &CustomResourceDefinitionNames, path: &Path) {
    let mut judge = |path: &Path, value: &str| {
        let messages = names::label_1035(&value.to_lowercase()).into_iter();
        errors.extend(messages.map(|message| {
            let message = format!("may have mixed case, but should otherwise match: {message}");
            FieldError::invalid(path, value, message)
        }));
    };
    judge(&path.child("kind"), &own.kind);
    if let Some(list) = &own.list_kind {
        judge(&path.child("listKind"), list);
    }
    form(
        errors,
        path,
        "plural",
        &own.plural,
        names::label_1035(&own.plural),
    );
    let singular = text(&own.singular);
    if !singular.is_empty() {
        form(errors, path, "singular", singular, names::label_1035(singular));
    }
    for (field, list) in [("shortNames", &own.short_names), ("categories", &own.categories)] {
        for (index, value) in list.iter().flatten().enumerate() {
            let path = path.child(field).index(index);
            let messages = names::label_1035(value).into_iter();
            errors.extend(messages.map(|message| FieldError::invalid(&path, value, message)));
        }
    }
    if !own.kind.is_empty() && text(&own.list_kind) == own.kind {
        let detail = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(&path.child("listKind"), &own.kind, detail));
    }
}

fn conversion(errors: &mut Errors, own: &CustomResourceConversion, path: &Path) {
    match (own.strategy.as_str(), &own.webhook) {
        ("", _) => errors.push(FieldError::required(&path.child("strategy"), "")),
        ("None", None) => {}
        ("None", Some(_)) => {
            let detail = "should not be set when strategy is not set to Webhook";
            errors.push(FieldError::forbidden(&path.child("webhook"), detail));
        }
        ("Webhook", None) => {
            let detail = "required when strategy is set to Webhook";
            errors.push(FieldError::required(
                &path.child("webhook").child("clientConfig"),
                detail,
            ));
        }
        ("Webhook", Some(webhook)) => {
            let path = path.child("webhook");
            if webhook.conversion_review_versions.is_empty() {
                let detail = "must specify one of v1, v1beta1";
                errors.push(FieldError::required(
                    &path.child("conversionReviewVersions"),
                    detail,
                ));
            }
            let path = path.child("clientConfig");
            let config = webhook.client_config.clone().unwrap_or_default();
            match (text(&config.url), &config.service) {
                ("", Some(own)) => service(
                    errors,
                    &own.name,
                    &own.namespace,
                    own.path.as_deref(),
                    own.port,
                    &path.child("service"),
                ),
                ("", None) | (_, Some(_)) => {
                    let detail = "exactly one of url or service is required";
                    errors.push(FieldError::required(&path, detail));
                }
                (own, None) => url(errors, own, &path.child("url")),
            }
        }
        (other, _) => errors.push(FieldError::not_supported(
            &path.child("strategy"),
            other,
            &["None", "Webhook"],
        )),
    }
}

/// Mistakes in the change of a CustomResourceDefinition: what identifies its objects stands for ever.
pub fn custom_resource_definition_update(
    new: &CustomResourceDefinition,
    old: &CustomResourceDefinition,
) -> Vec<FieldError> {
    let mut errors = custom_resource_definition(new);
    let path = Path::new("spec");
    let conditions = old
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let is_established = conditions
        .into_iter()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    let mut fixed = |path: Path, new: &str, old: &str| {
        if new != old {
            errors.push(FieldError::invalid(&path, new, IMMUTABLE));
        }
    };
    fixed(path.child("group"), &new.spec.group, &old.spec.group);
    let (names, had) = (&new.spec.names, &old.spec.names);
    fixed(path.child("names").child("plural"), &names.plural, &had.plural);
    if is_established {
        fixed(path.child("scope"), &new.spec.scope, &old.spec.scope);
        fixed(path.child("names").child("kind"), &names.kind, &had.kind);
    }
    let stored = new
        .status
        .iter()
        .flat_map(|status| status.stored_versions.iter().flatten());
    for (index, version) in stored.enumerate() {
        if !new.spec.versions.iter().any(|own| own.name == *version) {
            errors.push(FieldError::invalid(
                &Path::new("status").child("storedVersions").index(index),
                version,
                "must appear in spec.versions",
            ));
        }
    }
    errors
}
