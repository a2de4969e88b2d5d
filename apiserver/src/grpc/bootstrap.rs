//! `coracle.v1.BootstrapService`: how a process that holds only the join token becomes a member.
//!
//! This is the one service that answers callers without a certificate. The answer of `GetCa` is proven by the token's
//! secret, never by the connection; a token is compared in constant time; what a certificate says is decided here from
//! the role, never by the request.

use coracle_api::{ApiError, Reason, kinds, names, object};
use coracle_proto::v1::{self as pb, bootstrap_service_server::BootstrapService};
use coracle_service::pki::{self, Authority, Subject};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use ring::hmac;
use tonic::{Request, Response, Status};

use super::Door;
use crate::{config::BootstrapToken, registry::Target};

/// The shortest nonce that makes an answer fresh, in bytes, and the longest that is hashed.
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;
/// Server names that one certificate may carry: an address for each of a pool's thousand nodes, and a few more.
const MAX_SERVER_NAMES: usize = 1_024;

/// The public part of a token, in bytes, and where Secrets of tokens are.
const TOKEN_ID_BYTES: usize = 6;
const TOKEN_NAMESPACE: &str = "kube-system";

/// Who may join with a token of a Secret: whoever writes Secrets there must not come to be a part of the control plane.
const FROM_SECRETS: [&str; 2] = ["node", "nodepool"];

/// The groups of nodes and of pools of nodes.
const NODES: &str = "system:nodes";
const NODE_POOLS: &str = "system:nodepools";

#[tonic::async_trait]
impl BootstrapService for Door {
    async fn get_ca(
        &self,
        request: Request<pb::GetCaRequest>,
    ) -> Result<Response<pb::GetCaResponse>, Status> {
        let request = request.into_inner();
        self.call(async {
            let authority = self.authority()?;
            if !NONCE_BYTES.contains(&request.nonce.len()) {
                return Err(ApiError::bad_request("nonce must have 16 to 1024 bytes"));
            }
            let token = self.token(&request.token_id, Usage::Signing).await;
            let token = token.ok_or_else(ApiError::unauthorized)?;
            let ca_pem = authority.certificate_pem().to_owned();
            let mut signed = request.nonce.to_vec();
            signed.extend_from_slice(ca_pem.as_bytes());
            let key = hmac::Key::new(hmac::HMAC_SHA256, token.secret.as_bytes());
            let signature = hmac::sign(&key, &signed).as_ref().to_vec().into();
            let cluster_id = self.registry.store().status().cluster_id;
            Ok(pb::GetCaResponse {
                ca_pem,
                signature,
                cluster_id,
            })
        })
        .await
    }

    async fn sign_certificate(
        &self,
        request: Request<pb::SignCertificateRequest>,
    ) -> Result<Response<pb::SignCertificateResponse>, Status> {
        let request = request.into_inner();
        self.call(async {
            let authority = self.authority()?;
            let id = request.token.split('.').next().unwrap_or_default();
            let token = self.token(id, Usage::Authentication).await;
            if !is_known(token.as_slice(), &request.token) {
                return Err(ApiError::unauthorized());
            }
            let is_own = self.config.tokens.iter().any(|token| token.id == id);
            if !is_own && !FROM_SECRETS.contains(&request.role.as_str()) {
                let why = format!("a token of a Secret certifies nodes, and no {}", request.role);
                return Err(ApiError::new(Reason::Forbidden, why));
            }
            let subject = subject(&request)?;
            let certificate_pem = authority
                .sign(&request.csr_pem, &subject, self.env.cluster_clock.now())
                .map_err(|error| ApiError::bad_request(refusal(&error)))?;
            tracing::info!(user = subject.user, "certify member");
            Ok(pb::SignCertificateResponse {
                certificate_pem,
                ca_pem: authority.certificate_pem().to_owned(),
            })
        })
        .await
    }
}

/// What a token may be used for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Usage {
    /// To prove the cluster's authority to who knows the token.
    Signing,
    /// To be certified.
    Authentication,
}

impl Door {
    /// The token of this id: one that the server was started with, or else one of the Secrets that
    /// `kubeadm token create` and people make.
    async fn token(&self, id: &str, usage: Usage) -> Option<BootstrapToken> {
        if let Some(token) = self.config.tokens.iter().find(|token| token.id == id) {
            return Some(token.clone());
        }
        let is_id = id.len() == TOKEN_ID_BYTES
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_id {
            return None;
        }
        let target = Target::new(kinds::SECRET, TOKEN_NAMESPACE, format!("bootstrap-token-{id}"));
        let entry = self.registry.get(&target, "", None).await.ok()?;
        token_of(&entry.json, id, usage, self.env.cluster_clock.now())
    }

    fn authority(&self) -> Result<&Authority, ApiError> {
        let missing =
            || ApiError::unavailable("this server has no certificate authority and certifies nobody");
        self.config.authority.as_deref().ok_or_else(missing)
    }
}

/// The token that a Secret of type `bootstrap.kubernetes.io/token` holds, where it may be used for this now.
///
/// Source: the bootstrap token authenticator of Kubernetes.
fn token_of(json: &[u8], id: &str, usage: Usage, now: Timestamp) -> Option<BootstrapToken> {
    let secret: Secret = object::typed(json).ok()?;
    let is_going = secret.metadata.deletion_timestamp.is_some();
    if is_going || secret.type_.as_deref() != Some("bootstrap.kubernetes.io/token") {
        return None;
    }
    let data = secret.data?;
    let text = |name: &str| std::str::from_utf8(&data.get(name)?.0).ok();
    let permits = match usage {
        Usage::Signing => "usage-bootstrap-signing",
        Usage::Authentication => "usage-bootstrap-authentication",
    };
    let is_over = match text("expiration") {
        None => false,
        // One that cannot be read is over, as upstream has it.
        Some(at) => at.parse::<Timestamp>().map_or(true, |at| at <= now),
    };
    let is_usable = text("token-id") == Some(id) && text(permits) == Some("true") && !is_over;
    let secret = text("token-secret").filter(|secret| is_usable && !secret.is_empty())?;
    Some(BootstrapToken {
        id: id.to_owned(),
        secret: secret.to_owned(),
    })
}

/// Compares with every token, each in constant time, so that the time taken tells nothing about any of them.
fn is_known(tokens: &[BootstrapToken], given: &str) -> bool {
    tokens.iter().fold(false, |found, token| {
        let own = format!("{}.{}", token.id, token.secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, own.as_bytes());
        let tag = hmac::sign(&key, own.as_bytes());
        found | hmac::verify(&key, given.as_bytes(), tag.as_ref()).is_ok()
    })
}

/// Who a process of this role is.
fn subject(request: &pb::SignCertificateRequest) -> Result<Subject, ApiError> {
    let named = |prefix: &str, groups: &[&str]| {
        if let Some(error) = names::subdomain(&request.name).first() {
            return Err(ApiError::bad_request(format!("name {:?}: {error}", request.name)));
        }
        Ok((
            format!("{prefix}{}", request.name),
            groups.iter().map(|&group| group.to_owned()).collect(),
        ))
    };
    let (user, groups): (String, Vec<String>) = match request.role.as_str() {
        "scheduler" => ("system:kube-scheduler".to_owned(), Vec::new()),
        "controller-manager" => ("system:kube-controller-manager".to_owned(), Vec::new()),
        "storage" => ("system:storage".to_owned(), Vec::new()),
        "edge" => ("system:edge".to_owned(), Vec::new()),
        "dashboard" => ("system:dashboard".to_owned(), Vec::new()),
        "node" => named("system:node:", &[NODES])?,
        "nodepool" => named("system:nodepool:", &[NODES, NODE_POOLS])?,
        other => {
            return Err(ApiError::bad_request(format!(
                "unknown role {other:?}: it must be scheduler, controller-manager, storage, edge, dashboard, node or nodepool"
            )));
        }
    };
    if request.subject_alternative_names.len() > MAX_SERVER_NAMES {
        return Err(ApiError::bad_request(format!(
            "a certificate may carry at most {MAX_SERVER_NAMES} names"
        )));
    }
    Ok(Subject {
        user,
        groups,
        server_names: request.subject_alternative_names.clone(),
    })
}

fn refusal(error: &pki::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_known() {
        let token = BootstrapToken {
            id: "abcdef".to_owned(),
            secret: "0123456789abcdef".to_owned(),
        };
        let tokens = [
            BootstrapToken {
                id: "other1".to_owned(),
                secret: "f".repeat(16),
            },
            token,
        ];
        assert!(is_known(&tokens, "abcdef.0123456789abcdef"));
        for wrong in [
            "",
            ".",
            "abcdef",
            "abcdef.",
            "abcdef.0123456789abcdee",
            "other1.0123456789abcdef",
        ] {
            assert!(!is_known(&tokens, wrong), "{wrong}");
        }
        assert!(!is_known(&[], "abcdef.0123456789abcdef"));
    }

    #[test]
    fn a_secret_is_a_token_while_it_says_so() {
        let secret = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut secret = serde_json::json!({
                "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
                "metadata": {"name": "bootstrap-token-abcdef", "namespace": "kube-system"},
                "data": {
                    "token-id": "YWJjZGVm", "token-secret": "c2VjcmV0", "usage-bootstrap-signing": "dHJ1ZQ==",
                    // 2030-01-01T00:00:00Z
                    "expiration": "MjAzMC0wMS0wMVQwMDowMDowMFo=",
                },
            });
            change(&mut secret);
            serde_json::to_vec(&secret).unwrap()
        };
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        let early = now("2029-12-31T23:59:59Z");
        let found = token_of(&secret(&|_| {}), "abcdef", Usage::Signing, early);
        assert_eq!(found.unwrap().secret, "secret");
        let is_none =
            |json: Vec<u8>, id: &str, usage: Usage, at: Timestamp| token_of(&json, id, usage, at).is_none();
        assert!(
            is_none(secret(&|_| {}), "abcdef", Usage::Authentication, early),
            "another usage"
        );
        assert!(
            is_none(
                secret(&|_| {}),
                "abcdef",
                Usage::Signing,
                now("2030-01-01T00:00:00Z")
            ),
            "over"
        );
        assert!(
            is_none(secret(&|_| {}), "ghijkl", Usage::Signing, early),
            "another id"
        );
        let opaque = secret(&|secret| secret["type"] = "Opaque".into());
        assert!(is_none(opaque, "abcdef", Usage::Signing, early), "another type");
        let broken = secret(&|secret| secret["data"]["expiration"] = "eA==".into());
        assert!(
            is_none(broken, "abcdef", Usage::Signing, early),
            "an expiration that cannot be read"
        );
    }

    #[test]
    fn a_role_decides_who_a_member_is() {
        let ask = |role: &str, name: &str| {
            let request = pb::SignCertificateRequest {
                role: role.to_owned(),
                name: name.to_owned(),
                ..pb::SignCertificateRequest::default()
            };
            subject(&request).map(|subject| (subject.user, subject.groups))
        };
        assert_eq!(
            ask("scheduler", "x").unwrap(),
            ("system:kube-scheduler".to_owned(), vec![])
        );
        assert_eq!(
            ask("node", "node-1").unwrap(),
            ("system:node:node-1".to_owned(), vec![NODES.to_owned()])
        );
        let pool = ask("nodepool", "pool-1").unwrap();
        assert_eq!(
            pool,
            (
                "system:nodepool:pool-1".to_owned(),
                vec![NODES.to_owned(), NODE_POOLS.to_owned()]
            )
        );
        assert!(ask("node", "").is_err());
        assert!(ask("node", "A_B").is_err());
        assert!(ask("admin", "x").is_err());
    }
}
