//! [`Gate`]: reviews and tokens are answered here, and roles, bindings and what nodes write are judged.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, Object, Resource, kinds, object};
use coracle_auth::{
    Attributes as Access, MASTERS, RBAC_GROUP, ResourceAttributes,
    node::{self, Identity, POOL_ANNOTATION, restriction},
    rbac::{self, Tables},
    review::{self, Reviewer},
    token,
};
use k8s_openapi::api::{certificates::v1::CertificateSigningRequest, core::v1::Node};
use serde_json::Value;

use super::{Auth, asked};
use crate::{
    registry::{Context, Entry, Gate, Target, Write, Written},
    watch::Attributes,
};

impl Gate for Auth {
    fn allow(&self, ctx: &Context, write: &Write) -> Result<(), ApiError> {
        let (verb, about) = asked(write);
        self.authorizer.require(&Access::resource(&ctx.peer, verb, about))
    }

    fn answer(&self, ctx: &Context, write: &Write) -> Option<Result<Written, ApiError>> {
        match write {
            Write::Create {
                resource,
                namespace,
                body,
                ..
            } if review::is_review(resource.group, resource.kind) => {
                Some(self.review(ctx, resource, namespace, body))
            }
            Write::CreateSubresource {
                target,
                subresource,
                body,
            } if subresource == "token" && *target.resource == *kinds::SERVICE_ACCOUNT => {
                Some(self.token(ctx, target, body))
            }
            _ => None,
        }
    }

    fn admit(&self, ctx: &Context, object: &mut dyn Object, old: Option<&Entry>) -> Result<(), ApiError> {
        let resource = object.resource();
        if resource.group == RBAC_GROUP {
            return self.confirm_grant(ctx, object, old);
        }
        if let Some(request) = object.downcast_ref::<CertificateSigningRequest>() {
            return self.confirm_signing(&ctx.peer, request, old);
        }
        match Identity::of(&ctx.peer) {
            Some(caller) if self.authorizer.has_node() => self.restrict(caller, object, old),
            _ => Ok(()),
        }
    }
}

impl Auth {
    fn review(
        &self,
        ctx: &Context,
        resource: &'static Resource,
        namespace: &str,
        body: &Bytes,
    ) -> Result<Written, ApiError> {
        let reviewer = Reviewer {
            authorizer: &self.authorizer,
            authenticator: &self.authenticator,
            now: self.env.cluster_clock.now(),
        };
        let asked = object::decode(resource, body, object::Duplicates::Ignore)
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let asked: Value = serde_json::from_slice(&asked.object.to_json()).map_err(ApiError::internal)?;
        let answer = reviewer.answer(&ctx.peer, resource.kind, namespace, asked)?;
        written(resource.store_key(namespace, ""), &answer)
    }

    fn token(&self, ctx: &Context, account: &Target, body: &Bytes) -> Result<Written, ApiError> {
        let mut asked: Value = serde_json::from_slice(body).map_err(|error| {
            ApiError::bad_request(format!(
                "TokenRequest in version \"v1\" cannot be handled as a TokenRequest: {error}"
            ))
        })?;
        if !asked.is_object() {
            return Err(ApiError::bad_request("read TokenRequest: it must be an object"));
        }
        asked["apiVersion"] = "authentication.k8s.io/v1".into();
        asked["kind"] = "TokenRequest".into();
        let place = (account.namespace.as_str(), account.name.as_str());
        if let Some(caller) = Identity::of(&ctx.peer).filter(|_| self.authorizer.has_node()) {
            self.restrict_token(caller, account, &asked["spec"]["boundObjectRef"])?;
        }
        let now = self.env.cluster_clock.now();
        let lookup = self.authorizer.lookup();
        let answer = token::request::answer(lookup, &self.signer, &self.env.random, place, asked, now)?;
        written(account.resource.store_key(place.0, place.1), &answer)
    }

    /// Nobody grants what they do not have.
    fn confirm_grant(&self, ctx: &Context, object: &dyn Object, old: Option<&Entry>) -> Result<(), ApiError> {
        if ctx.peer.is_in(MASTERS) || !self.authorizer.has_rbac() {
            return Ok(());
        }
        let Some(kind) = rbac::Kind::of(object.resource().plural) else {
            return Ok(());
        };
        let new = object.to_json();
        let old = old.map(|entry| &*entry.json);
        let confirm = |tables: &Tables| match kind {
            rbac::Kind::Role | rbac::Kind::ClusterRole => {
                let old = old.map(read).transpose()?;
                rbac::confirm_role(tables, &ctx.peer, kind, &read(&new)?, old.as_ref())
            }
            rbac::Kind::RoleBinding | rbac::Kind::ClusterRoleBinding => {
                let old = old.map(read).transpose()?;
                rbac::confirm_binding(tables, &ctx.peer, kind, &read(&new)?, old.as_ref())
            }
        };
        self.authorizer.with_tables(confirm)
    }

    /// What nodes may write into objects.
    fn restrict(
        &self,
        caller: Identity<'_>,
        object: &mut dyn Object,
        old: Option<&Entry>,
    ) -> Result<(), ApiError> {
        let resource = object.resource();
        if *resource == *kinds::NODE {
            if let Identity::Pool(pool) = caller {
                // What it writes becomes its own, where nobody else's: the restriction below sees to that.
                let annotations = object.metadata_mut().annotations.get_or_insert_default();
                annotations
                    .entry(POOL_ANNOTATION.to_owned())
                    .or_insert_with(|| pool.to_owned());
            }
            return self.restrict_node(caller, object, old);
        }
        if old.is_some() {
            // Whose object it is, the authorizer has seen by its name.
            return Ok(());
        }
        let plays = |node: &str| self.plays(caller, node);
        let outcome = match (resource.group, resource.plural) {
            ("", "pods") => {
                let pod: Value = serde_json::from_slice(&object.to_json()).map_err(ApiError::internal)?;
                restriction::new_pod(&plays, caller, &pod)
            }
            ("coordination.k8s.io", "leases") | ("storage.k8s.io", "csinodes") => {
                restriction::own_name(&plays, object.namespace(), object.name())
            }
            _ => Ok(()),
        };
        outcome.map_err(|why| refusal(object, &why))
    }

    /// Whether the caller acts for a Node.
    fn plays(&self, caller: Identity<'_>, node: &str) -> bool {
        let lookup = self.authorizer.lookup();
        self.authorizer
            .with_graph(|graph| node::plays(graph, lookup, caller, node))
    }

    fn restrict_node(
        &self,
        caller: Identity<'_>,
        object: &dyn Object,
        old: Option<&Entry>,
    ) -> Result<(), ApiError> {
        let none = restriction::Texts::new();
        let texts = |texts: &Option<restriction::Texts>| texts.clone().unwrap_or_default();
        let before: Option<Node> = old
            .map(|entry| serde_json::from_slice(&entry.json).map_err(ApiError::internal))
            .transpose()?;
        let (labels, annotations) = (
            texts(&object.metadata().labels),
            texts(&object.metadata().annotations),
        );
        let metadata = before.as_ref().map(|node| &node.metadata);
        let before_texts = metadata.map(|metadata| {
            let or_none = |texts: &Option<restriction::Texts>| texts.clone().unwrap_or_else(|| none.clone());
            (or_none(&metadata.labels), or_none(&metadata.annotations))
        });
        let taints = |node: &Node| {
            node.spec
                .as_ref()
                .and_then(|spec| spec.taints.clone())
                .unwrap_or_default()
        };
        let changes_taints = match (&before, object.downcast_ref::<Node>()) {
            (Some(before), Some(after)) => taints(before) != taints(after),
            _ => false,
        };
        let write = restriction::NodeWrite {
            name: object.name(),
            labels: &labels,
            annotations: &annotations,
            before: before_texts
                .as_ref()
                .map(|(labels, annotations)| (labels, annotations)),
            changes_taints,
        };
        restriction::node(caller, write).map_err(|why| refusal(object, &why))
    }

    fn restrict_token(&self, caller: Identity<'_>, account: &Target, bound: &Value) -> Result<(), ApiError> {
        let text = |field: &str| bound[field].as_str();
        let is_pod = text("kind") == Some("Pod");
        let lookup = self.authorizer.lookup();
        let name = text("name").unwrap_or_default();
        let pod = lookup
            .get("", "pods", &account.namespace, name)
            .and_then(|found| {
                let node = lookup.node_of_pod(&account.namespace, name)?;
                Some((node, found.uid))
            });
        let pod = pod.as_ref().map(|(node, uid)| (node.as_str(), uid.as_str()));
        let uid = is_pod.then(|| text("uid").unwrap_or_default());
        let plays = |node: &str| self.plays(caller, node);
        restriction::token(&plays, uid, pod)
            .map_err(|why| ApiError::forbidden(account.resource, &account.name, why))
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(json).map_err(ApiError::internal)
}

fn refusal(object: &dyn Object, why: &str) -> ApiError {
    let resource = object.resource();
    let about = ResourceAttributes {
        group: resource.group,
        resource: resource.plural,
        name: object.name(),
        ..ResourceAttributes::default()
    };
    about.refuse(why)
}

/// The answer to a create that kept nothing.
fn written(key: String, answer: &Value) -> Result<Written, ApiError> {
    let json = serde_json::to_vec(answer).map_err(ApiError::internal)?;
    Ok(Written {
        entry: Entry {
            key: key.into(),
            revision: 0,
            json: json.into(),
            attributes: Arc::new(Attributes::default()),
        },
        created: true,
        removed: false,
        warnings: Vec::new(),
    })
}
