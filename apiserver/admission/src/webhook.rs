//! Webhooks as they are configured, compiled once per change of their configurations.

use std::{sync::Arc, time::Duration};

use coracle_api::Resource;
use http::Uri;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhook, ValidatingWebhookConfiguration,
    WebhookClientConfig,
};

use crate::{
    Lookup, Operation,
    client::Endpoint,
    matching::{Conditions, Selectors},
    review,
    rules::Rules,
};

/// Where a webhook names no time-out, in seconds.
const DEFAULT_TIMEOUT_S: u64 = 10;
/// What a webhook may ask for at most, in seconds.
const MAX_TIMEOUT_S: u64 = 30;

/// What happens to a write where a webhook or policy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailurePolicy {
    /// It is refused.
    Fail,
    /// It goes on.
    Ignore,
}

impl FailurePolicy {
    pub fn new(text: Option<&str>) -> Self {
        match text {
            Some("Ignore") => Self::Ignore,
            _ => Self::Fail,
        }
    }
}

/// One webhook.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub name: String,
    pub rules: Rules,
    /// Why the webhook cannot be called at all, where that is so.
    pub selectors: Result<Selectors, String>,
    pub conditions: Arc<Conditions>,
    pub failure: FailurePolicy,
    /// Whether a dry run may call it.
    pub allows_dry_run: bool,
    pub timeout: Duration,
    /// Whether it is asked again where others changed the object after it.
    pub is_reinvoked: bool,
    pub endpoint: Result<Endpoint, String>,
}

/// The parts that both sorts of webhooks have.
struct Parts {
    name: String,
    rules: Rules,
    selectors: Result<Selectors, String>,
    conditions: Conditions,
    failure_policy: Option<String>,
    side_effects: String,
    timeout_seconds: Option<i32>,
    versions: Vec<String>,
    client: WebhookClientConfig,
}

impl Webhook {
    /// The webhooks of a configuration, in its order.
    pub fn of_mutating(configuration: MutatingWebhookConfiguration) -> impl Iterator<Item = Self> {
        let webhook = |own: MutatingWebhook| Self {
            is_reinvoked: own.reinvocation_policy.as_deref() == Some("IfNeeded"),
            ..Self::new(Parts {
                name: own.name,
                rules: Rules::of_webhook(own.rules.unwrap_or_default(), own.match_policy.as_deref()),
                selectors: Selectors::new(own.namespace_selector.as_ref(), own.object_selector.as_ref()),
                conditions: Conditions::new(own.match_conditions),
                failure_policy: own.failure_policy,
                side_effects: own.side_effects,
                timeout_seconds: own.timeout_seconds,
                versions: own.admission_review_versions,
                client: own.client_config,
            })
        };
        configuration
            .webhooks
            .unwrap_or_default()
            .into_iter()
            .map(webhook)
    }

    /// The webhooks of a configuration, in its order.
    pub fn of_validating(configuration: ValidatingWebhookConfiguration) -> impl Iterator<Item = Self> {
        let webhook = |own: ValidatingWebhook| {
            Self::new(Parts {
                name: own.name,
                rules: Rules::of_webhook(own.rules.unwrap_or_default(), own.match_policy.as_deref()),
                selectors: Selectors::new(own.namespace_selector.as_ref(), own.object_selector.as_ref()),
                conditions: Conditions::new(own.match_conditions),
                failure_policy: own.failure_policy,
                side_effects: own.side_effects,
                timeout_seconds: own.timeout_seconds,
                versions: own.admission_review_versions,
                client: own.client_config,
            })
        };
        configuration
            .webhooks
            .unwrap_or_default()
            .into_iter()
            .map(webhook)
    }

    fn new(parts: Parts) -> Self {
        let speaks = parts.versions.iter().any(|version| version == review::VERSION);
        let endpoint = if speaks {
            endpoint(parts.client)
        } else {
            Err(format!(
                "webhook does not accept v1 AdmissionReviews: admissionReviewVersions is {:?}",
                parts.versions
            ))
        };
        let seconds = parts.timeout_seconds.and_then(|own| u64::try_from(own).ok());
        Self {
            name: parts.name,
            rules: parts.rules,
            selectors: parts.selectors,
            conditions: Arc::new(parts.conditions),
            failure: FailurePolicy::new(parts.failure_policy.as_deref()),
            allows_dry_run: matches!(parts.side_effects.as_str(), "None" | "NoneOnDryRun"),
            timeout: Duration::from_secs(seconds.unwrap_or(DEFAULT_TIMEOUT_S).clamp(1, MAX_TIMEOUT_S)),
            is_reinvoked: false,
            endpoint,
        }
    }

    /// The version in which the webhook wants to see a write, where it does.
    pub fn may_match(
        &self,
        operation: Operation,
        resource: &'static Resource,
        subresource: &str,
        lookup: &dyn Lookup,
    ) -> Option<&'static Resource> {
        self.rules.may_match(operation, resource, subresource, lookup)
    }
}

/// Where a webhook is.
///
/// # Errors
/// Why it cannot be anywhere.
pub(crate) fn endpoint(client: WebhookClientConfig) -> Result<Endpoint, String> {
    let ca_pem = client
        .ca_bundle
        .map(|bundle| String::from_utf8_lossy(&bundle.0).into_owned())
        .unwrap_or_default();
    if let Some(service) = client.service {
        let path = service.path.unwrap_or_default();
        return Ok(Endpoint {
            authority: None,
            server_name: format!("{}.{}.svc", service.name, service.namespace),
            service: Some((service.namespace, service.name, service.port.unwrap_or(443))),
            path: if path.starts_with('/') {
                path
            } else {
                format!("/{path}")
            },
            ca_pem,
        });
    }
    let url = client.url.unwrap_or_default();
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("read url {url:?}: {error}"))?;
    if uri.scheme_str() != Some("https") {
        return Err(format!("'https' is the only allowed URL scheme: {url}"));
    }
    let host = uri
        .host()
        .ok_or_else(|| format!("host must be specified: {url}"))?
        .to_owned();
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok(Endpoint {
        authority: Some(format!("{host}:{}", uri.port_u16().unwrap_or(443))),
        service: None,
        server_name: host,
        path,
        ca_pem,
    })
}
