//! Whom expressions ask about rights: the cluster's authorizer, in the caller's name or in that of a service account.

use std::sync::Arc;

use coracle_auth::{Attributes as Asked, Decision, ResourceAttributes};
use coracle_custom::cel::authorizer::{About, Authorizer, Question};
use coracle_service::Peer;

use crate::Attributes;

/// Decides who may do what.
pub trait Access: Send + Sync {
    /// Judges one question.
    fn decide(&self, asked: &Asked<'_>) -> Decision;
}

/// Where there is no authorizer, nobody may do anything.
#[derive(Clone, Copy, Debug)]
pub struct NoAccess;

impl Access for NoAccess {
    fn decide(&self, _asked: &Asked<'_>) -> Decision {
        Decision::Denied("no authorizer".to_owned())
    }
}

/// Who asks, and what is requested.
pub(crate) struct Caller {
    peer: Arc<Peer>,
    access: Arc<dyn Access>,
    /// What `authorizer.requestResource` asks about.
    pub about: About,
}

impl Caller {
    pub fn new(attributes: &Attributes, access: &Arc<dyn Access>) -> Self {
        Self {
            peer: Arc::clone(&attributes.peer),
            access: Arc::clone(access),
            about: About::Resource {
                group: attributes.resource.group.to_owned(),
                resource: attributes.resource.plural.to_owned(),
                subresource: attributes.subresource.clone(),
                namespace: attributes.namespace.clone(),
                name: attributes.name.clone(),
            },
        }
    }
}

impl Authorizer for Caller {
    fn decide(&self, question: &Question) -> (bool, String) {
        let account = question.service_account.as_ref();
        let account = account.map(|(namespace, name)| service_account(namespace, name));
        let user = account.as_ref().unwrap_or(&self.peer);
        let asked = match &question.about {
            About::Path(path) => Asked::path(user, &question.verb, path),
            About::Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
            } => {
                let about = ResourceAttributes {
                    group,
                    version: "*",
                    resource,
                    subresource,
                    namespace,
                    name,
                    node_names: &[],
                };
                Asked::resource(user, &question.verb, about)
            }
        };
        let decision = self.access.decide(&asked);
        (decision.is_allowed(), decision.reason())
    }
}

/// A service account as its tokens prove it.
fn service_account(namespace: &str, name: &str) -> Peer {
    let of_namespace = format!("system:serviceaccounts:{namespace}");
    Peer::new(
        format!("system:serviceaccount:{namespace}:{name}"),
        &["system:serviceaccounts", &of_namespace, "system:authenticated"],
    )
}
