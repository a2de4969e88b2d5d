//! Ingresses and IngressClasses.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressClassParametersReference, IngressRule,
    IngressServiceBackend, IngressTLS,
};

use super::check::{Errors, IMMUTABLE, form, one_of, required, text};
use crate::field_error::{FieldError, Path, Value};
use crate::names;

/// The way to name a class before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const CONTROLLER_MAX_BYTES: usize = 250;
const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
/// What a path must not contain, because proxies disagree about its meaning.
const AMBIGUOUS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];

/// Mistakes in a new Ingress, outside its metadata.
pub fn ingress(own: &Ingress) -> Vec<FieldError> {
    let mut errors = spec_of(own);
    let annotations = own.metadata.annotations.as_ref();
    let class = own
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.as_ref());
    if let (Some(_), Some(value)) = (
        class,
        annotations.and_then(|annotations| annotations.get(CLASS_ANNOTATION)),
    ) {
        errors.push(FieldError::invalid(
            &Path::new("metadata").child("annotations").key(CLASS_ANNOTATION),
            value,
            "can not be set when the class field is also set",
        ));
    }
    errors
}

/// Mistakes in the change of an Ingress. Unlike a new one, it may name its class twice.
pub fn ingress_update(new: &Ingress, _old: &Ingress) -> Vec<FieldError> {
    spec_of(new)
}

fn spec_of(own: &Ingress) -> Errors {
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    let rules = spec.rules.as_deref().unwrap_or_default();
    if rules.is_empty() && spec.default_backend.is_none() {
        errors.push(FieldError::invalid(
            &path,
            Value::bare("[]networking.IngressRule(nil)"),
            "either `defaultBackend` or `rules` must be specified",
        ));
    }
    if let Some(own) = &spec.default_backend {
        backend(&mut errors, own, &path.child("defaultBackend"));
    }
    for (index, own) in rules.iter().enumerate() {
        rule(&mut errors, own, &path.child("rules").index(index));
    }
    for (index, own) in spec.tls.iter().flatten().enumerate() {
        tls(&mut errors, own, &path.child("tls").index(index));
    }
    let class = text(&spec.ingress_class_name);
    if !class.is_empty() {
        form(
            &mut errors,
            &path,
            "ingressClassName",
            class,
            names::subdomain(class),
        );
    }
    errors
}

fn host(errors: &mut Errors, host: &str, path: &Path) {
    let messages = match host.strip_prefix("*.") {
        Some(rest) => names::subdomain(rest),
        None => names::subdomain(host),
    };
    errors.extend(
        messages
            .into_iter()
            .map(|message| FieldError::invalid(path, host, message)),
    );
}

fn rule(errors: &mut Errors, own: &IngressRule, path: &Path) {
    let name = text(&own.host);
    if !name.is_empty() {
        let path = path.child("host");
        if name.parse::<std::net::IpAddr>().is_ok() {
            let detail = "must be a DNS name, not an IP address";
            errors.push(FieldError::invalid(&path, name, detail));
        } else {
            host(errors, name, &path);
        }
    }
    let Some(http) = &own.http else { return };
    let path = path.child("http").child("paths");
    if http.paths.is_empty() {
        errors.push(FieldError::required(&path, ""));
    }
    for (index, own) in http.paths.iter().enumerate() {
        let path = path.index(index);
        http_path(errors, own, &path);
        backend(errors, &own.backend, &path.child("backend"));
    }
}

fn http_path(errors: &mut Errors, own: &HTTPIngressPath, path: &Path) {
    let (value, at) = (text(&own.path), path.child("path"));
    match own.path_type.as_str() {
        "" => errors.push(FieldError::required(
            &path.child("pathType"),
            "pathType must be specified",
        )),
        "Exact" | "Prefix" => {
            if !value.starts_with('/') {
                errors.push(FieldError::invalid(&at, value, "must be an absolute path"));
            }
            for part in AMBIGUOUS.iter().filter(|part| value.contains(**part)) {
                errors.push(FieldError::invalid(
                    &at,
                    value,
                    format!("must not contain '{part}'"),
                ));
            }
            for end in ["/..", "/."].iter().filter(|end| value.ends_with(**end)) {
                errors.push(FieldError::invalid(
                    &at,
                    value,
                    format!("cannot end with '{end}'"),
                ));
            }
        }
        "ImplementationSpecific" => {
            if !value.is_empty() && !value.starts_with('/') {
                errors.push(FieldError::invalid(&at, value, "must be an absolute path"));
            }
        }
        other => errors.push(FieldError::not_supported(
            &path.child("pathType"),
            other,
            PATH_TYPES,
        )),
    }
}

fn backend(errors: &mut Errors, own: &IngressBackend, path: &Path) {
    match (&own.resource, &own.service) {
        (None, None) => {
            errors.push(FieldError::required(
                path,
                "resource or service backend is required",
            ));
        }
        (Some(_), Some(_)) => {
            let detail = "cannot set both resource and service backends";
            errors.push(FieldError::invalid(path, "", detail));
        }
        (Some(resource), None) => {
            let path = path.child("resource");
            required(errors, &path, "kind", &resource.kind);
            required(errors, &path, "name", &resource.name);
        }
        (None, Some(own)) => service(errors, own, path),
    }
}

fn service(errors: &mut Errors, own: &IngressServiceBackend, path: &Path) {
    let at = path.child("service");
    if own.name.is_empty() {
        errors.push(FieldError::required(&at.child("name"), ""));
    } else {
        form(errors, &at, "name", &own.name, names::label_1035(&own.name));
    }
    let port = own.port.as_ref();
    let number = port.and_then(|port| port.number).unwrap_or(0);
    let name = port.map_or("", |port| text(&port.name));
    match (name, number) {
        ("", 0) => errors.push(FieldError::required(path, "port name or number is required")),
        ("", number) => {
            let path = at.child("port").child("number");
            let message = names::port_number(number);
            errors.extend(message.map(|message| FieldError::invalid(&path, number, message)));
        }
        (name, 0) => form(errors, &at.child("port"), "name", name, names::port_name(name)),
        _ => {
            let detail = "cannot set both port name & port number";
            errors.push(FieldError::invalid(path, "", detail));
        }
    }
}

fn tls(errors: &mut Errors, own: &IngressTLS, path: &Path) {
    for (index, name) in own.hosts.iter().flatten().enumerate() {
        host(errors, name, &path.child("hosts").index(index));
    }
    let secret = text(&own.secret_name);
    if !secret.is_empty() {
        form(errors, path, "secretName", secret, names::subdomain(secret));
    }
}

/// Mistakes in an IngressClass, outside its metadata.
pub fn ingress_class(own: &IngressClass) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    let at = path.child("controller");
    let controller = text(&spec.controller);
    if controller.len() > CONTROLLER_MAX_BYTES {
        errors.push(FieldError::too_long(&at, CONTROLLER_MAX_BYTES));
    }
    match controller.split_once('/') {
        _ if controller.is_empty() => errors.push(FieldError::required(&at, "")),
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            let messages = names::subdomain(domain).into_iter();
            errors.extend(messages.map(|message| FieldError::invalid(&at, domain, message)));
        }
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            errors.push(FieldError::invalid(&at, controller, detail));
        }
    }
    if let Some(own) = &spec.parameters {
        parameters(&mut errors, own, &path.child("parameters"));
    }
    errors
}

fn parameters(errors: &mut Errors, own: &IngressClassParametersReference, path: &Path) {
    let group = text(&own.api_group);
    if !group.is_empty() {
        form(errors, path, "apiGroup", group, names::subdomain(group));
    }
    for (field, value) in [("kind", &own.kind), ("name", &own.name)] {
        required(errors, path, field, value);
        form(errors, path, field, value, names::path_segment(value));
    }
    one_of(errors, path, "scope", &own.scope, &["Cluster", "Namespace"]);
    let namespace = text(&own.namespace);
    match text(&own.scope) {
        "Namespace" if namespace.is_empty() => {
            let detail = "`parameters.scope` is set to 'Namespace'";
            errors.push(FieldError::required(&path.child("namespace"), detail));
        }
        "Namespace" => form(errors, path, "namespace", namespace, names::label(namespace)),
        "Cluster" if own.namespace.is_some() => {
            let detail = "`parameters.scope` is set to 'Cluster'";
            errors.push(FieldError::forbidden(&path.child("namespace"), detail));
        }
        _ => {}
    }
}

/// Mistakes in the change of an IngressClass: its controller stands for ever.
pub fn ingress_class_update(new: &IngressClass, old: &IngressClass) -> Vec<FieldError> {
    let mut errors = ingress_class(new);
    let controller = |own: &IngressClass| own.spec.as_ref().and_then(|spec| spec.controller.clone());
    if controller(new) != controller(old) {
        errors.push(FieldError::invalid(
            &Path::new("spec").child("controller"),
            controller(new).unwrap_or_default(),
            IMMUTABLE,
        ));
    }
    errors
}
