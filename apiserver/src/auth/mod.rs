//! The locked door, for both doors alike: who a caller is, and what a caller may do.
//!
//! `coracle_auth` decides; here it is fed from the registry's cache ([`follow`]), asked before every request
//! ([`middleware`]) and about what is to be stored ([`gate`]), and given its first roles ([`defaults`]). Wrong
//! certificates never get here: TLS refuses them.

mod audit;
mod defaults;
mod follow;
mod gate;
mod lookup;
mod middleware;
mod oidc;
mod signing;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use coracle_api::{ApiError, Resource};
use coracle_auth::{
    Attributes, Authorizer, Decision, Mode, ResourceAttributes,
    node::Identity,
    token::{Authenticator, Signer, signer},
};
use coracle_service::{Env, Peer};
use tokio::sync::Semaphore;

use crate::health::Answers;
use crate::registry::{ListRequest, Registry, Target, WatchRequest, Write};

use audit::Auditor;
pub use audit::Settings as AuditSettings;
pub(crate) use defaults::{aggregate_roles, seed};
use follow::Followed;
pub(crate) use middleware::guard;
pub(crate) use oidc::router as oidc_router;

/// How long a refusal waits until everything is known that had happened when it was asked.
const CATCH_UP: Duration = Duration::from_secs(2);

/// How many requests may be under way on the gRPC door; watches are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Calls that change nothing.
    pub reads: usize,
    /// Calls that change something.
    pub writes: usize,
}

impl Default for InFlight {
    /// Upstream's defaults.
    fn default() -> Self {
        Self {
            reads: 400,
            writes: 200,
        }
    }
}

/// The authorizer and all that it stands on.
pub struct Auth {
    authorizer: Authorizer,
    authenticator: Authenticator,
    signer: Arc<Signer>,
    followed: Followed,
    auditor: OnceLock<Auditor>,
    answers: Arc<Answers>,
    reads: Semaphore,
    writes: Semaphore,
    env: Env,
}

impl coracle_admission::Access for Auth {
    fn decide(&self, asked: &Attributes<'_>) -> Decision {
        self.authorizer.decide(asked)
    }
}

impl Auth {
    /// Reads or makes the key of tokens in `dir`. Nothing is known of roles until [`Auth::follow`] has told it.
    ///
    /// # Errors
    /// Where the key cannot be read or made.
    pub fn open(
        registry: &Registry,
        modes: Vec<Mode>,
        in_flight: InFlight,
        dir: Option<&Path>,
        env: &Env,
    ) -> Result<Arc<Self>, signer::Error> {
        let signer = Arc::new(Signer::load_or_create(dir)?);
        let lookup = lookup::CacheLookup::new(registry);
        Ok(Arc::new(Self {
            authorizer: Authorizer::new(modes, Box::new(lookup)),
            authenticator: Authenticator::new(Arc::clone(&signer)),
            signer,
            followed: Followed::new(registry),
            auditor: OnceLock::new(),
            answers: Arc::default(),
            reads: Semaphore::new(in_flight.reads),
            writes: Semaphore::new(in_flight.writes),
            env: env.clone(),
        }))
    }

    /// How requests were answered.
    pub(crate) fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    /// Keeps an audit log from now on; only the first call counts.
    ///
    /// # Errors
    /// Where the log cannot be opened.
    pub fn keep_audit_log(&self, settings: AuditSettings) -> Result<(), coracle_auth::audit::Error> {
        let auditor = Auditor::open(settings, &self.env)?;
        // A second log would be dropped, and its thread would end.
        let _ = self.auditor.set(auditor);
        Ok(())
    }

    /// [`Auth::require`] for one thing that a gRPC call asks for, and noted as such.
    async fn require_noted(&self, asked: &Attributes<'_>) -> Result<(), ApiError> {
        let outcome = self.require(asked).await;
        if let Some(auditor) = self.auditor.get() {
            auditor.note(asked, &outcome);
        }
        outcome
    }

    /// Lets a request pass, or says why not. A refusal first waits until everything is known that was stored when the
    /// request came, so that a role just granted counts.
    ///
    /// # Errors
    /// Forbidden, or unauthorized where the caller proved nothing.
    pub async fn require(&self, asked: &Attributes<'_>) -> Result<(), ApiError> {
        let Err(refusal) = self.authorizer.require(asked) else {
            return Ok(());
        };
        let is_node = Identity::of(asked.user).is_some();
        let caught_up = self.followed.catch_up(is_node);
        let waited = self.env.transport_clock.timeout(CATCH_UP, caught_up).await;
        match waited {
            Ok(true) => self.authorizer.require(asked),
            _ => Err(refusal),
        }
    }

    /// [`Auth::require`] for objects of a kind.
    ///
    /// # Errors
    /// As [`Auth::require`].
    pub async fn require_on(
        &self,
        user: &Peer,
        verb: &str,
        resource: &Resource,
        (namespace, name, subresource): (&str, &str, &str),
    ) -> Result<(), ApiError> {
        let about = about(resource, namespace, name, subresource);
        self.require_noted(&Attributes::resource(user, verb, about)).await
    }

    /// [`Auth::require`] for a read of one object.
    ///
    /// # Errors
    /// As [`Auth::require`].
    pub async fn require_get(&self, user: &Peer, target: &Target, subresource: &str) -> Result<(), ApiError> {
        let place = (target.namespace.as_str(), target.name.as_str(), subresource);
        self.require_on(user, "get", target.resource, place).await
    }

    /// [`Auth::require`] for a list, or with verb `deletecollection` for the deletion of what it lists.
    ///
    /// # Errors
    /// As [`Auth::require`].
    pub async fn require_list(&self, user: &Peer, verb: &str, list: &ListRequest) -> Result<(), ApiError> {
        let node: Vec<String> = list
            .fields
            .requires_exact("spec.nodeName")
            .map(str::to_owned)
            .into_iter()
            .collect();
        let name = list.fields.requires_exact("metadata.name").unwrap_or_default();
        let about = ResourceAttributes {
            node_names: &node,
            ..about(list.resource, &list.namespace, name, "")
        };
        self.require_noted(&Attributes::resource(user, verb, about)).await
    }

    /// [`Auth::require`] for a watch.
    ///
    /// # Errors
    /// As [`Auth::require`].
    pub async fn require_watch(&self, user: &Peer, watch: &WatchRequest) -> Result<(), ApiError> {
        let field = watch.fields.requires_exact("spec.nodeName").map(str::to_owned);
        let nodes: Vec<String> = watch.node_names.iter().cloned().chain(field).collect();
        let name = watch.fields.requires_exact("metadata.name").unwrap_or_default();
        let about = ResourceAttributes {
            node_names: &nodes,
            ..about(watch.resource, &watch.namespace, name, "")
        };
        self.require_noted(&Attributes::resource(user, "watch", about))
            .await
    }

    /// [`Auth::require`] for a write.
    ///
    /// # Errors
    /// As [`Auth::require`].
    pub async fn require_write(&self, user: &Peer, write: &Write) -> Result<(), ApiError> {
        let (verb, about) = asked(write);
        self.require_noted(&Attributes::resource(user, verb, about)).await
    }
}

fn about<'a>(
    resource: &'a Resource,
    namespace: &'a str,
    name: &'a str,
    subresource: &'a str,
) -> ResourceAttributes<'a> {
    // A Namespace is in its own namespace, so that a Role there can grant it.
    let is_namespace = resource.plural == "namespaces" && resource.group.is_empty();
    ResourceAttributes {
        group: resource.group,
        version: resource.version,
        resource: resource.plural,
        subresource,
        namespace: if is_namespace { name } else { namespace },
        name,
        node_names: &[],
    }
}

/// What a write asks leave for.
fn asked(write: &Write) -> (&'static str, ResourceAttributes<'_>) {
    match write {
        // As over REST, where a create's path names no object.
        Write::Create {
            resource, namespace, ..
        } => ("create", about(resource, namespace, "", "")),
        Write::CreateSubresource {
            target, subresource, ..
        } => ("create", of_target(target, subresource)),
        Write::Update {
            target, subresource, ..
        } => ("update", of_target(target, subresource)),
        Write::Patch {
            target, subresource, ..
        }
        | Write::Apply {
            target, subresource, ..
        } => ("patch", of_target(target, subresource)),
        Write::Delete { target, .. } => ("delete", of_target(target, "")),
    }
}

fn of_target<'a>(target: &'a Target, subresource: &'a str) -> ResourceAttributes<'a> {
    about(target.resource, &target.namespace, &target.name, subresource)
}
