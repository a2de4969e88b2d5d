//! How much is kept of which requests.

use serde::Deserialize;

use crate::{Attributes, Target};

/// How much is kept of a request. Bodies of Secrets appear from [`Level::Request`] on, as upstream's do, so a policy
/// that asks for bodies should leave Secrets at [`Level::Metadata`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who, what and when; no bodies.
    Metadata,
    /// The body of the request too.
    Request,
    /// The bodies of request and answer too.
    RequestResponse,
}

impl Level {
    /// Its name in policies and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// An `audit.k8s.io/v1` Policy: the first rule that matches a request decides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    api_version: String,
    kind: String,
    #[serde(rename = "metadata")]
    _metadata: serde::de::IgnoredAny,
    rules: Vec<PolicyRule>,
    omit_stages: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct PolicyRule {
    level: Level,
    users: Vec<String>,
    user_groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<GroupResources>,
    namespaces: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    omit_stages: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

/// The one stage that is written; leaving out others changes nothing.
const STAGE: &str = "ResponseComplete";

impl Policy {
    /// Reads a policy from YAML or JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value = coracle_api::yaml::document(text).map_err(|error| error.to_string())?;
        let policy: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if policy.kind != "Policy" || policy.api_version != "audit.k8s.io/v1" {
            return Err(format!(
                "it is a {:?} of {:?}, and must be a Policy of audit.k8s.io/v1",
                policy.kind, policy.api_version
            ));
        }
        if policy.rules.is_empty() {
            return Err("it has no rules, so nothing would ever be kept".to_owned());
        }
        Ok(policy)
    }

    /// How much is kept of a request.
    #[must_use]
    pub fn level(&self, asked: &Attributes<'_>) -> Level {
        let is_left_out = |stages: &[String]| stages.iter().any(|stage| stage == STAGE);
        let rule = self.rules.iter().find(|rule| rule.matches(asked));
        rule.filter(|rule| !is_left_out(&rule.omit_stages) && !is_left_out(&self.omit_stages))
            .map_or(Level::None, |rule| rule.level)
    }
}

impl PolicyRule {
    fn matches(&self, asked: &Attributes<'_>) -> bool {
        let any = |list: &[String], wanted: &str| list.is_empty() || list.iter().any(|own| own == wanted);
        let is_grouped =
            self.user_groups.is_empty() || self.user_groups.iter().any(|group| asked.user.is_in(group));
        let is_asked = match asked.target {
            Target::Path(path) => {
                let paths = &self.non_resource_urls;
                let is_named = paths.is_empty() || paths.iter().any(|own| is_path_in(path, own));
                self.resources.is_empty() && self.namespaces.is_empty() && is_named
            }
            Target::Resource(about) => {
                let is_named = |own: &GroupResources| {
                    own.group == about.group
                        && own.has(about.resource, about.subresource)
                        && any(&own.resource_names, about.name)
                };
                self.non_resource_urls.is_empty()
                    && any(&self.namespaces, about.namespace)
                    && (self.resources.is_empty() || self.resources.iter().any(is_named))
            }
        };
        is_asked && is_grouped && any(&self.users, &asked.user.user) && any(&self.verbs, asked.verb)
    }
}

impl GroupResources {
    /// `pods` is the object alone, `pods/log` a part, `pods/*` its parts, `*/log` that part of all, `*` everything.
    fn has(&self, resource: &str, part: &str) -> bool {
        let is = |own: &String| match own.split_once('/') {
            None => own == "*" || (own == resource && part.is_empty()),
            Some((whole, own_part)) => {
                let is_whole = whole == "*" || whole == resource;
                !part.is_empty() && is_whole && (own_part == "*" || own_part == part)
            }
        };
        self.resources.is_empty() || self.resources.iter().any(is)
    }
}

fn is_path_in(path: &str, own: &str) -> bool {
    match own.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => own == path,
    }
}
