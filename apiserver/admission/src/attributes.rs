//! What a write is about, as admission sees it.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, Labels, Resource};
use coracle_service::Peer;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the API's own")]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    /// As rules and reviews spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }

    /// The kind of the request's options.
    fn options_kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Delete => "DeleteOptions",
            Self::Connect => "",
        }
    }
}

/// A write, without its objects.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// What is done.
    pub operation: Operation,
    /// To what, in the version that the caller speaks.
    pub resource: &'static Resource,
    /// The version in which the objects are stored, and in which they come here.
    pub stored: &'static Resource,
    /// Through which subresource; empty for the object itself.
    pub subresource: String,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// Empty where the server is still to draw it.
    pub name: String,
    /// Who asks.
    pub peer: Arc<Peer>,
    /// Whether nothing will be kept.
    pub dry_run: bool,
    /// Who changes fields, where the caller said so.
    pub field_manager: String,
}

/// The object as it shall be and as it is; JSON.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// `None` for a delete.
    pub object: Option<Bytes>,
    /// `None` for a create.
    pub old: Option<Bytes>,
}

impl Attributes {
    /// Whether what is written is an object of its own, such as a Scale, which is the same in every version.
    pub(crate) fn is_part(&self) -> bool {
        let part = self.resource.subresource(&self.subresource);
        part.is_some_and(|part| !part.version.is_empty())
    }

    /// The `request` of an AdmissionReview without its uid and objects, for who is shown `version` of the kind; also
    /// what expressions see as `request`.
    #[must_use]
    pub fn request(&self, version: &Resource) -> Value {
        let mut request = json!({
            "kind": self.kind(version),
            "resource": plural(version),
            "requestKind": self.kind(self.resource),
            "requestResource": plural(self.resource),
            "operation": self.operation.as_str(),
            "userInfo": user_info(&self.peer),
            "dryRun": self.dry_run,
        });
        let mut set = |name: &str, value: &str| {
            if !value.is_empty() {
                request[name] = value.into();
            }
        };
        set("name", &self.name);
        set("namespace", &self.namespace);
        set("subResource", &self.subresource);
        set("requestSubResource", &self.subresource);
        let options = self.operation.options_kind();
        if !options.is_empty() {
            request["options"] = json!({"apiVersion": "meta.k8s.io/v1", "kind": options});
            if !self.field_manager.is_empty() && options != "DeleteOptions" {
                request["options"]["fieldManager"] = self.field_manager.as_str().into();
            }
            if self.dry_run {
                request["options"]["dryRun"] = json!(["All"]);
            }
        }
        request
    }

    /// Group, version and kind of the object in the request, which for a subresource may differ from the resource's.
    fn kind(&self, of: &Resource) -> Value {
        let Resource {
            group, version, kind, ..
        } = of;
        let (group, version, kind) = match of.subresource(&self.subresource) {
            None => (*group, *version, *kind),
            Some(own) if own.version.is_empty() => (*group, *version, own.kind),
            Some(own) => (own.group, own.version, own.kind),
        };
        json!({"group": group, "version": version, "kind": kind})
    }

    /// The refusal of this write, as upstream words it.
    #[must_use]
    pub fn forbidden(&self, why: impl std::fmt::Display) -> ApiError {
        ApiError::forbidden(self.resource, &self.name, why)
    }
}

fn plural(of: &Resource) -> Value {
    json!({"group": of.group, "version": of.version, "resource": of.plural})
}

/// The caller, as `UserInfo` of `authentication.k8s.io/v1`.
fn user_info(peer: &Peer) -> Value {
    let mut user = json!({"username": peer.user, "groups": peer.groups});
    if !peer.uid.is_empty() {
        user["uid"] = peer.uid.as_str().into();
    }
    if !peer.extra.is_empty() {
        user["extra"] = json!(peer.extra);
    }
    user
}

/// The labels of an object; none where the JSON is no object.
pub(crate) fn labels(json: &[u8]) -> Labels {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct View {
        metadata: Metadata,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Metadata {
        labels: Labels,
    }
    serde_json::from_slice::<View>(json)
        .unwrap_or_default()
        .metadata
        .labels
}
