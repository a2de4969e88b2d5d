//! CertificateSigningRequests: who may decide about them, and the certificates for those that were approved.
//!
//! Upstream signs in the controller manager; here the authority's key stays with the apiserver. Three signers are
//! served: `kubernetes.io/kube-apiserver-client`, `-kubelet` and `kubernetes.io/kubelet-serving`, each with upstream's
//! conditions on the request. Requests of nodes for their own client certificates are approved at once where a role
//! grants it.

mod rules;

use std::{sync::Arc, time::Duration};

use coracle_api::{ApiError, kinds, patch::PatchType, time};
use coracle_auth::{Attributes as Access, ResourceAttributes};
use coracle_service::{
    Peer, Shutdown,
    pki::{self, Authority, Usage},
};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use serde_json::{Value, json};

use super::Auth;
use crate::registry::{Context, Entry, Preconditions, Registry, Start, Target, WatchRequest};
use rules::{Signer, decided};

/// How long a certificate is good where the request does not say, and at most.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// The shortest that may be asked for.
const MIN_LIFETIME: Duration = Duration::from_secs(600);
const GROUP: &str = "certificates.k8s.io";

impl Auth {
    /// Whether the caller may write this request: approve or deny it, or put a certificate into it.
    ///
    /// # Errors
    /// Forbidden.
    pub(super) fn confirm_signing(
        &self,
        user: &Peer,
        new: &CertificateSigningRequest,
        old: Option<&Entry>,
    ) -> Result<(), ApiError> {
        let signer = new.spec.signer_name.as_str();
        let refuse = |why: String| {
            let name = new.metadata.name.as_deref().unwrap_or_default();
            ApiError::forbidden(kinds::CERTIFICATE_SIGNING_REQUEST, name, why)
        };
        let Some(old) = old else {
            return rules::confirm_subject(new).map_err(refuse);
        };
        let old: CertificateSigningRequest = serde_json::from_slice(&old.json).map_err(ApiError::internal)?;
        let certificate = |request: &CertificateSigningRequest| {
            let status = request.status.as_ref();
            status.and_then(|status| status.certificate.clone())
        };
        if decided(&old) != decided(new) && !self.may_sign(user, "approve", signer) {
            return Err(refuse(format!(
                "user not permitted to approve requests with signerName {signer:?}"
            )));
        }
        if certificate(&old) != certificate(new) && !self.may_sign(user, "sign", signer) {
            return Err(refuse(format!(
                "user not permitted to sign requests with signerName {signer:?}"
            )));
        }
        Ok(())
    }

    fn may_sign(&self, user: &Peer, verb: &str, signer: &str) -> bool {
        let domain = signer.split_once('/').map_or(signer, |(domain, _)| domain);
        [signer.to_owned(), format!("{domain}/*")].iter().any(|name| {
            let about = ResourceAttributes {
                group: GROUP,
                version: "v1",
                resource: "signers",
                name,
                ..ResourceAttributes::default()
            };
            self.authorizer
                .decide(&Access::resource(user, verb, about))
                .is_allowed()
        })
    }

    /// Approves and signs until shutdown.
    pub(crate) fn sign_requests(
        self: &Arc<Self>,
        registry: &Arc<Registry>,
        authority: Arc<Authority>,
        shutdown: &Shutdown,
    ) {
        let (auth, registry, shutdown) = (Arc::clone(self), Arc::clone(registry), shutdown.clone());
        self.env.spawn.task("certificate-signer", async move {
            shutdown.guard(auth.follow_requests(&registry, &authority)).await;
        });
    }

    async fn follow_requests(&self, registry: &Registry, authority: &Authority) {
        loop {
            let request = WatchRequest {
                bookmarks: false,
                ..WatchRequest::all(kinds::CERTIFICATE_SIGNING_REQUEST, Start::Now { initial: true })
            };
            let mut watch = match registry.watch(request) {
                Ok(watch) => watch,
                Err(error) => return tracing::error!(%error, "follow certificate signing requests"),
            };
            while let Some(Ok(events)) = watch.next().await {
                for entry in events.iter().filter_map(|event| event.entry.as_ref()) {
                    if let Err(error) = self.advance(registry, authority, entry).await {
                        tracing::warn!(name = &*entry.attributes.name, %error, "sign certificate");
                    }
                }
            }
        }
    }

    /// Does what is to be done with a request as it is.
    async fn advance(
        &self,
        registry: &Registry,
        authority: &Authority,
        entry: &Entry,
    ) -> Result<(), ApiError> {
        let request: CertificateSigningRequest =
            serde_json::from_slice(&entry.json).map_err(ApiError::internal)?;
        let status = request.status.as_ref();
        let has_certificate = status.is_some_and(|status| status.certificate.is_some());
        let Some(signer) = Signer::of(&request.spec.signer_name).filter(|_| !has_certificate) else {
            return Ok(());
        };
        let now = self.env.cluster_clock.now();
        let conditions = decided(&request);
        if conditions.is_empty() {
            if self.approves_itself(signer, &request) {
                let message = "Auto approving kubelet client certificate after SubjectAccessReview.";
                let approved = condition("Approved", "AutoApproved", message, now);
                let patch = json!({"status": {"conditions": [approved]}});
                return write(registry, entry, "approval", &patch).await;
            }
            return Ok(());
        }
        if conditions != ["Approved"] {
            return Ok(());
        }
        let patch = match certify(authority, signer, &request, now) {
            Ok(pem) => json!({"status": {"certificate": k8s_openapi::ByteString(pem.into_bytes())}}),
            Err(why) => {
                let mut conditions: Vec<Value> = status
                    .and_then(|status| serde_json::to_value(&status.conditions).ok())
                    .and_then(|conditions| conditions.as_array().cloned())
                    .unwrap_or_default();
                conditions.push(condition("Failed", "SignerValidationFailure", &why, now));
                json!({"status": { "conditions": conditions }})
            }
        };
        write(registry, entry, "status", &patch).await
    }

    /// Whether it is a node's request for its own client certificate, and a role lets it have one.
    fn approves_itself(&self, signer: Signer, request: &CertificateSigningRequest) -> bool {
        let Some(subject) = rules::subject(request) else {
            return false;
        };
        if signer != Signer::NodeClient || rules::check(signer, request, &subject).is_err() {
            return false;
        }
        let spec = &request.spec;
        let user = Peer {
            user: spec.username.clone().unwrap_or_default(),
            uid: spec.uid.clone().unwrap_or_default(),
            groups: spec.groups.clone().unwrap_or_default(),
            extra: spec.extra.clone().unwrap_or_default(),
        };
        let part = if user.user == subject.0.user {
            "selfnodeclient"
        } else {
            "nodeclient"
        };
        let about = ResourceAttributes {
            group: GROUP,
            version: "v1",
            resource: "certificatesigningrequests",
            subresource: part,
            ..ResourceAttributes::default()
        };
        self.authorizer
            .decide(&Access::resource(&user, "create", about))
            .is_allowed()
    }
}

fn certify(
    authority: &Authority,
    signer: Signer,
    request: &CertificateSigningRequest,
    now: jiff::Timestamp,
) -> Result<String, String> {
    let subject = rules::subject(request).ok_or("unable to parse csr")?;
    rules::check(signer, request, &subject)?;
    let asked = request
        .spec
        .expiration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let lifetime = asked
        .map_or(LIFETIME, Duration::from_secs)
        .clamp(MIN_LIFETIME, LIFETIME);
    let usage = Usage {
        client: signer != Signer::NodeServing,
        server: signer == Signer::NodeServing,
        lifetime,
    };
    let csr = rules::pem(request).ok_or("unable to parse csr")?;
    authority
        .sign_for(&csr, &subject.0, usage, now)
        .map_err(|error: pki::Error| error.to_string())
}

fn condition(kind: &str, reason: &str, message: &str, now: jiff::Timestamp) -> Value {
    let now = time::format(now);
    json!({
        "type": kind, "status": "True", "reason": reason, "message": message,
        "lastUpdateTime": now, "lastTransitionTime": now,
    })
}

async fn write(registry: &Registry, entry: &Entry, part: &str, patch: &Value) -> Result<(), ApiError> {
    let target = Target::new(kinds::CERTIFICATE_SIGNING_REQUEST, "", &*entry.attributes.name);
    let preconditions = Preconditions {
        uid: Some(entry.attributes.uid.to_string()),
        revision: Some(entry.revision),
    };
    let body = patch.to_string().into();
    let done = registry
        .patch(
            &Context::internal(),
            target,
            part,
            PatchType::Merge,
            body,
            preconditions,
        )
        .await;
    match done {
        // Somebody wrote meanwhile: their change comes as the next event.
        Err(error) if !error.is_conflict() && !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
