//! `coracle.v1.BootstrapService`: how a process that holds only the join token becomes a member.
//!
//! This is the one service that answers callers without a certificate. The answer of `GetCa` is proven by the token's
//! secret, never by the connection; a token is compared in constant time; what a certificate says is decided here from
//! the role, never by the request.

use coracle_api::{ApiError, names};
use coracle_proto::v1::{self as pb, bootstrap_service_server::BootstrapService};
use coracle_service::pki::{self, Authority, Subject};
use ring::hmac;
use tonic::{Request, Response, Status};

use super::Door;
use crate::config::BootstrapToken;

/// The shortest nonce that makes an answer fresh, in bytes, and the longest that is hashed.
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;
/// Server names that one certificate may carry: an address for each of a pool's thousand nodes, and a few more.
const MAX_SERVER_NAMES: usize = 1_024;

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
            let token = self
                .config
                .tokens
                .iter()
                .find(|token| token.id == request.token_id);
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
            if !is_known(&self.config.tokens, &request.token) {
                return Err(ApiError::unauthorized());
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

impl Door {
    fn authority(&self) -> Result<&Authority, ApiError> {
        let missing =
            || ApiError::unavailable("this server has no certificate authority and certifies nobody");
        self.config.authority.as_deref().ok_or_else(missing)
    }
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
        "node" => named("system:node:", &[NODES])?,
        "nodepool" => named("system:nodepool:", &[NODES, NODE_POOLS])?,
        other => {
            return Err(ApiError::bad_request(format!(
                "unknown role {other:?}: it must be scheduler, controller-manager, storage, edge, node or nodepool"
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
