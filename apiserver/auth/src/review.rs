//! Reviews: questions about authentication and authorization, asked by creating an object that nobody keeps.
//!
//! A review comes as the JSON of its object and goes back as the same JSON with its `status`.

use std::collections::BTreeMap;

use coracle_api::{ApiError, FieldError, Path};
use coracle_service::Peer;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Attributes, Authorizer, Decision, ResourceAttributes, rbac::Rule, token::Authenticator};

/// The group of the reviews of authorization.
pub const AUTHORIZATION: &str = "authorization.k8s.io";
/// The group of the reviews of authentication.
pub const AUTHENTICATION: &str = "authentication.k8s.io";

/// Whether a kind is a review.
#[must_use]
pub fn is_review(group: &str, kind: &str) -> bool {
    matches!(group, AUTHORIZATION | AUTHENTICATION) && kind.ends_with("Review")
}

/// What answers reviews.
pub struct Reviewer<'a> {
    /// For access.
    pub authorizer: &'a Authorizer,
    /// For tokens.
    pub authenticator: &'a Authenticator,
    /// The present time.
    pub now: Timestamp,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AccessSpec {
    resource_attributes: Option<ResourceSpec>,
    non_resource_attributes: Option<PathSpec>,
    user: String,
    uid: String,
    groups: Option<Vec<String>>,
    extra: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSpec {
    namespace: String,
    verb: String,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    name: String,
    field_selector: Option<SelectorSpec>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SelectorSpec {
    raw_selector: String,
    requirements: Option<Vec<Requirement>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PathSpec {
    path: String,
    verb: String,
}

impl Reviewer<'_> {
    /// Answers a review of `kind` that `caller` created, in `namespace` where the kind is namespaced.
    ///
    /// # Errors
    /// Where the question is malformed, in upstream's words.
    pub fn answer(
        &self,
        caller: &Peer,
        kind: &str,
        namespace: &str,
        mut review: Value,
    ) -> Result<Value, ApiError> {
        let spec = review.get("spec").cloned().unwrap_or_default();
        let status = match kind {
            "SelfSubjectReview" => json!({ "userInfo": user_info(caller) }),
            "TokenReview" => self.token(&spec)?,
            "SelfSubjectRulesReview" => self.rules(caller, &spec)?,
            "SelfSubjectAccessReview" => self.access(kind, Some(caller), None, &spec)?,
            "SubjectAccessReview" => self.access(kind, None, None, &spec)?,
            "LocalSubjectAccessReview" => self.access(kind, None, Some(namespace), &spec)?,
            _ => return Err(ApiError::resource_not_found()),
        };
        review["status"] = status;
        Ok(review)
    }

    fn access(
        &self,
        kind: &str,
        caller: Option<&Peer>,
        namespace: Option<&str>,
        spec: &Value,
    ) -> Result<Value, ApiError> {
        let spec: AccessSpec = serde_json::from_value(spec.clone())
            .map_err(|error| ApiError::bad_request(format!("read spec of {kind}: {error}")))?;
        check(kind, caller.is_some(), namespace, &spec)?;
        let asked_of = Peer {
            user: spec.user,
            uid: spec.uid,
            groups: spec.groups.unwrap_or_default(),
            extra: spec.extra.unwrap_or_default(),
        };
        let user = caller.unwrap_or(&asked_of);
        let decision = match (&spec.resource_attributes, &spec.non_resource_attributes) {
            (Some(about), _) => {
                let node_names = about.node_names();
                let resource = ResourceAttributes {
                    group: &about.group,
                    version: &about.version,
                    resource: &about.resource,
                    subresource: &about.subresource,
                    namespace: &about.namespace,
                    name: &about.name,
                    node_names: &node_names,
                };
                self.authorizer
                    .decide(&Attributes::resource(user, &about.verb, resource))
            }
            (None, Some(about)) => self
                .authorizer
                .decide(&Attributes::path(user, &about.verb, &about.path)),
            (None, None) => Decision::Denied(String::new()),
        };
        let mut status = json!({ "allowed": decision.is_allowed() });
        let reason = decision.reason();
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        Ok(status)
    }

    fn rules(&self, caller: &Peer, spec: &Value) -> Result<Value, ApiError> {
        let namespace = spec["namespace"].as_str().unwrap_or_default();
        if namespace.is_empty() {
            return Err(ApiError::bad_request("no namespace on request"));
        }
        let (rules, is_complete) = self.authorizer.rules(caller, namespace);
        let about_paths = |rule: &&Rule| !rule.non_resource_urls.is_empty();
        let resources: Vec<Value> = rules
            .iter()
            .filter(|rule| !rule.resources.is_empty())
            .map(|rule| {
                let mut shown = json!({
                    "verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources,
                });
                if !rule.resource_names.is_empty() {
                    shown["resourceNames"] = json!(rule.resource_names);
                }
                shown
            })
            .collect();
        let paths: Vec<Value> = rules
            .iter()
            .filter(about_paths)
            .map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}))
            .collect();
        let mut status = json!({
            "resourceRules": resources, "nonResourceRules": paths, "incomplete": !is_complete,
        });
        if !is_complete {
            status["evaluationError"] = json!("node authorizer does not support user rule resolution");
        }
        Ok(status)
    }

    fn token(&self, spec: &Value) -> Result<Value, ApiError> {
        let token = spec["token"].as_str().unwrap_or_default();
        if token.is_empty() {
            return Err(ApiError::bad_request(
                "token is required for TokenReview in authentication",
            ));
        }
        let audiences: Vec<String> = spec["audiences"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|audience| audience.as_str().map(str::to_owned))
            .collect();
        let found = self
            .authenticator
            .authenticate(self.authorizer.lookup(), token, &audiences, self.now);
        Ok(match found {
            None => json!({"user": {}, "error": "invalid bearer token"}),
            Some(found) => json!({
                "authenticated": true, "user": user_info(&found.user), "audiences": found.audiences,
            }),
        })
    }
}

impl ResourceSpec {
    /// The nodes that a field selector limits the question to.
    fn node_names(&self) -> Vec<String> {
        const FIELD: &str = "spec.nodeName";
        let Some(selector) = &self.field_selector else {
            return Vec::new();
        };
        let raw = selector
            .raw_selector
            .split(',')
            .filter_map(|term| term.strip_prefix(FIELD)?.strip_prefix('='))
            .map(|value| value.trim_start_matches('=').to_owned());
        let required = selector.requirements.iter().flatten();
        let required = required
            .filter(|requirement| requirement.key == FIELD && requirement.operator == "In")
            .flat_map(|requirement| requirement.values.iter().cloned());
        raw.chain(required).collect()
    }
}

fn check(kind: &str, is_self: bool, namespace: Option<&str>, spec: &AccessSpec) -> Result<(), ApiError> {
    let path = Path::new("spec");
    let mut errors = Vec::new();
    match (&spec.resource_attributes, &spec.non_resource_attributes) {
        (Some(_), Some(_)) => errors.push(FieldError::invalid(
            &path.child("nonResourceAttributes"),
            "",
            "cannot be specified in combination with resourceAttributes",
        )),
        (None, None) => errors.push(FieldError::invalid(
            &path.child("resourceAttributes"),
            "",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )),
        _ => {}
    }
    if !is_self && spec.user.is_empty() && spec.groups.as_ref().is_none_or(Vec::is_empty) {
        let detail = "at least one of user or group must be specified";
        errors.push(FieldError::invalid(&path.child("user"), "", detail));
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid_kind(AUTHORIZATION, kind, "", errors));
    }
    let asked = spec
        .resource_attributes
        .as_ref()
        .map(|about| about.namespace.as_str());
    match namespace {
        Some(namespace) if asked != Some(namespace) => Err(ApiError::bad_request(format!(
            "spec.resourceAttributes.namespace must match namespace: {namespace}"
        ))),
        _ => Ok(()),
    }
}

/// A caller as `UserInfo`.
#[must_use]
pub fn user_info(user: &Peer) -> Value {
    let mut info = json!({ "username": user.user });
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    if !user.groups.is_empty() {
        info["groups"] = json!(user.groups);
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}
