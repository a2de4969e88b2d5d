//! What somebody wants to do, in the terms that authorization judges, and how a refusal is told.

use coracle_api::{ApiError, Details, Reason};
use coracle_service::Peer;

/// One request, as an authorizer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a Peer,
    /// For resources the verb of discovery (`get`, `list`, `create`), for paths the HTTP method in lower case.
    pub verb: &'a str,
    /// What it is about.
    pub target: Target<'a>,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Objects of the API.
    Resource(ResourceAttributes<'a>),
    /// Anything else that the server answers, by path.
    Path(&'a str),
}

/// Which objects a request is about. Empty texts mean "none": no subresource, all namespaces, no one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// The version asked for; judged by nobody, shown in reviews.
    pub version: &'a str,
    /// The plural.
    pub resource: &'a str,
    /// The part of the object.
    pub subresource: &'a str,
    /// Empty for all namespaces and for cluster-scoped kinds.
    pub namespace: &'a str,
    /// Empty where the request names no one object.
    pub name: &'a str,
    /// The nodes that a list or watch of pods is limited to; empty where it is not.
    pub node_names: &'a [String],
}

impl<'a> Attributes<'a> {
    /// A request on objects.
    #[must_use]
    pub fn resource(user: &'a Peer, verb: &'a str, resource: ResourceAttributes<'a>) -> Self {
        let target = Target::Resource(resource);
        Self { user, verb, target }
    }

    /// A request on a path that is no object.
    #[must_use]
    pub fn path(user: &'a Peer, verb: &'a str, path: &'a str) -> Self {
        let target = Target::Path(path);
        Self { user, verb, target }
    }

    /// The refusal, in upstream's words; `reason` may be empty.
    #[must_use]
    pub fn forbidden(&self, reason: &str) -> ApiError {
        let user = &self.user.user;
        let because = if reason.is_empty() {
            String::new()
        } else {
            format!(": {reason}")
        };
        let verb = self.verb;
        match self.target {
            Target::Path(path) => {
                let message = format!("forbidden: User {user:?} cannot {verb} path {path:?}{because}");
                ApiError::new(Reason::Forbidden, message).with_details(Details::default())
            }
            Target::Resource(about) => {
                let what = if about.subresource.is_empty() {
                    about.resource.to_owned()
                } else {
                    format!("{}/{}", about.resource, about.subresource)
                };
                let place = if about.namespace.is_empty() {
                    "at the cluster scope".to_owned()
                } else {
                    format!("in the namespace {:?}", about.namespace)
                };
                let group = about.group;
                let why = format!(
                    "User {user:?} cannot {verb} resource {what:?} in API group {group:?} {place}{because}"
                );
                about.refuse(&why)
            }
        }
    }
}

impl ResourceAttributes<'_> {
    /// `pods "x" is forbidden: WHY`, with the details that clients read.
    #[must_use]
    pub fn refuse(&self, why: &str) -> ApiError {
        let qualified = if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        };
        let message = if self.name.is_empty() {
            format!("{qualified} is forbidden: {why}")
        } else {
            format!("{qualified} {:?} is forbidden: {why}", self.name)
        };
        let details = Details {
            name: self.name.to_owned(),
            group: self.group.to_owned(),
            kind: self.resource.to_owned(),
            ..Details::default()
        };
        ApiError::new(Reason::Forbidden, message).with_details(details)
    }
}
