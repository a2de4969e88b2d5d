//! Webhook configurations, admission policies, and requests for certificates.

use coracle_api::object::BuiltIn;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestStatus};

use super::{AGE, Cell, Column, NAME, Printer, duration, typed};

const WEBHOOKS: Column = Column::number("Webhooks", "How many webhooks there are.");

pub(super) static MUTATING_WEBHOOKS: Printer = Printer {
    columns: &[NAME, WEBHOOKS, AGE],
    cells: |json, now| {
        let own = MutatingWebhookConfiguration::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            typed::count(own.webhooks.as_ref()),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static VALIDATING_WEBHOOKS: Printer = Printer {
    columns: &[NAME, WEBHOOKS, AGE],
    cells: |json, now| {
        let own = ValidatingWebhookConfiguration::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            typed::count(own.webhooks.as_ref()),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static POLICY: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Validations", "How many validations there are."),
        Column::text("ParamKind", "The kind of its parameters."),
        AGE,
    ],
    cells: |json, now| {
        let own = ValidatingAdmissionPolicy::parse(json)?;
        let spec = own.spec.unwrap_or_default();
        let param = spec.param_kind.map(|kind| {
            let [version, kind] = [kind.api_version, kind.kind].map(Option::unwrap_or_default);
            format!("{version}/{kind}")
        });
        Ok(vec![
            typed::name(&own.metadata),
            typed::count(spec.validations.as_ref()),
            typed::text(param.as_ref(), "<unset>"),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static POLICY_BINDING: Printer = Printer {
    columns: &[
        NAME,
        Column::text("PolicyName", "The policy that it binds."),
        Column::text("ParamRef", "The object with its parameters."),
        AGE,
    ],
    cells: |json, now| {
        let own = ValidatingAdmissionPolicyBinding::parse(json)?;
        let spec = own.spec.unwrap_or_default();
        let param = spec.param_ref.map(|param| {
            let name = param.name.unwrap_or_else(|| "*".to_owned());
            match param.namespace {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name,
            }
        });
        Ok(vec![
            typed::name(&own.metadata),
            typed::text(spec.policy_name.as_ref(), ""),
            typed::text(param.as_ref(), "<unset>"),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static CERTIFICATE_SIGNING_REQUEST: Printer = Printer {
    columns: &[
        NAME,
        AGE,
        Column::text("SignerName", "Who shall sign."),
        Column::text("Requestor", "Who asks."),
        Column::text("RequestedDuration", "How long the certificate shall hold."),
        Column::text("Condition", "What was decided."),
    ],
    cells: |json, now| {
        let own = CertificateSigningRequest::parse(json)?;
        let seconds = own.spec.expiration_seconds.map(i64::from).map(duration::human);
        Ok(vec![
            typed::name(&own.metadata),
            typed::age(&own.metadata, now),
            own.spec.signer_name.into(),
            typed::text(own.spec.username.as_ref(), ""),
            typed::text(seconds.as_ref(), "<none>"),
            decision(&own.status.unwrap_or_default()),
        ])
    },
};

fn decision(status: &CertificateSigningRequestStatus) -> Cell {
    let has = |kind: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == kind)
    };
    let mut text = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        text.push_str(",Failed");
    }
    if status.certificate.as_ref().is_some_and(|own| !own.0.is_empty()) {
        text.push_str(",Issued");
    }
    text.into()
}
