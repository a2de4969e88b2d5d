//! CertificateSigningRequests. Whether the request inside is signed by its key is judged where it is signed.

use std::collections::BTreeSet;

use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
};

use super::check::{Errors, IMMUTABLE};
use crate::field_error::{FieldError, Path, Value};
use crate::names;

/// The shortest life that a certificate may be asked for.
const MIN_EXPIRATION_SECONDS: i32 = 600;
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const PEM_HEADER: &str = "-----BEGIN CERTIFICATE REQUEST-----";
/// The two decisions, of which a request has at most one and for ever.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Mistakes in a CertificateSigningRequest, outside its metadata.
pub fn certificate_signing_request(own: &CertificateSigningRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    spec(&mut errors, &own.spec, &Path::new("spec"));
    let conditions = own
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let conditions = conditions.unwrap_or_default();
    let path = Path::new("status").child("conditions");
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        one_condition(&mut errors, condition, &mut seen, &path.index(index));
    }
    errors
}

fn spec(errors: &mut Errors, spec: &CertificateSigningRequestSpec, path: &Path) {
    if !spec.request.0.starts_with(PEM_HEADER.as_bytes()) {
        let shown: Vec<String> = spec.request.0.iter().map(|byte| format!("{byte:#x}")).collect();
        errors.push(FieldError::invalid(
            &path.child("request"),
            Value::bare(format!("[]byte{{{}}}", shown.join(", "))),
            "PEM block type must be CERTIFICATE REQUEST",
        ));
    }
    let usages = spec.usages.as_deref().unwrap_or_default();
    if usages.is_empty() {
        errors.push(FieldError::required(&path.child("usages"), ""));
    }
    let mut seen = BTreeSet::new();
    for (index, usage) in usages.iter().enumerate() {
        let path = path.child("usages").index(index);
        if !USAGES.contains(&usage.as_str()) {
            errors.push(FieldError::not_supported(&path, usage, USAGES));
        }
        if !seen.insert(usage) {
            errors.push(FieldError::duplicate(&path, usage));
        }
    }
    signer(errors, &spec.signer_name, &path.child("signerName"));
    if let Some(seconds) = spec
        .expiration_seconds
        .filter(|seconds| *seconds < MIN_EXPIRATION_SECONDS)
    {
        errors.push(FieldError::invalid(
            &path.child("expirationSeconds"),
            seconds,
            "may not specify a duration less than 600 seconds (10 minutes)",
        ));
    }
}

fn signer(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        return errors.push(FieldError::required(path, ""));
    }
    if name == LEGACY_SIGNER {
        let detail = "the legacy signerName is not allowed via this API version";
        return errors.push(FieldError::invalid(path, name, detail));
    }
    match name.split_once('/') {
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() && domain.contains('.') => {
            let messages = names::subdomain(domain)
                .into_iter()
                .chain(names::path_segment(rest));
            errors.extend(messages.map(|message| FieldError::invalid(path, name, message)));
        }
        _ => {
            let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
            errors.push(FieldError::invalid(path, name, detail));
        }
    }
}

fn one_condition<'a>(
    errors: &mut Errors,
    own: &'a CertificateSigningRequestCondition,
    seen: &mut BTreeSet<&'a str>,
    path: &Path,
) {
    let CertificateSigningRequestCondition { type_, status, .. } = own;
    match (type_.as_str(), status.as_str()) {
        ("", _) => errors.push(FieldError::required(&path.child("type"), "")),
        ("Approved" | "Denied" | "Failed", "False" | "Unknown") => {
            errors.push(FieldError::not_supported(
                &path.child("status"),
                status,
                &["True"],
            ));
        }
        (_, "True" | "False" | "Unknown") => {}
        (_, other) => errors.push(FieldError::not_supported(
            &path.child("status"),
            other,
            &["False", "True", "Unknown"],
        )),
    }
    if !seen.insert(type_) {
        errors.push(FieldError::duplicate(&path.child("type"), type_));
    }
    if DECISIONS.contains(&type_.as_str()) && DECISIONS.iter().all(|decision| seen.contains(decision)) {
        let detail = "Approved and Denied conditions are mutually exclusive";
        errors.push(FieldError::invalid(&path.child("type"), type_, detail));
    }
}

/// Mistakes in the change of a CertificateSigningRequest: what was decided stays decided, what was issued stays.
pub fn certificate_signing_request_update(
    new: &CertificateSigningRequest,
    old: &CertificateSigningRequest,
) -> Vec<FieldError> {
    let mut errors = certificate_signing_request(new);
    let has = |own: &CertificateSigningRequest, kind: &str| {
        let conditions = own
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        conditions
            .into_iter()
            .any(|condition| condition.type_ == kind && condition.status == "True")
    };
    let path = Path::new("status");
    for kind in ["Approved", "Denied", "Failed"] {
        if has(old, kind) && !has(new, kind) {
            let detail = format!("updates may not remove a condition of type {kind:?}");
            errors.push(FieldError::forbidden(&path.child("conditions"), detail));
        }
    }
    let issued = |own: &CertificateSigningRequest| {
        let certificate = own.status.as_ref()?.certificate.as_ref()?;
        (!certificate.0.is_empty()).then(|| certificate.0.clone())
    };
    if let Some(had) = issued(old)
        && issued(new) != Some(had)
    {
        errors.push(FieldError::invalid(
            &path.child("certificate"),
            Value::bare("[]byte{}"),
            IMMUTABLE,
        ));
    }
    errors
}
