//! How a process that holds only the join token becomes a member of the cluster.
//!
//! It asks the server for the cluster's authority over a connection that it cannot verify yet, checks the answer with
//! the token's secret (HMAC-SHA-256 over a fresh nonce and the certificate), and only then sends the token, to have
//! a key of its own certified. Source of the idea: kubeadm's token-based discovery.

use std::{io, path::Path, time::Duration};

use coracle_proto::v1::{self as pb, bootstrap_service_client::BootstrapServiceClient};
use coracle_service::{
    Env, Identity, connect, identity,
    pki::{self, Credentials},
};
use ring::hmac;
use tonic::{Code, Status};

/// Bytes of the nonce that makes each answer fresh.
const NONCE_BYTES: usize = 32;
/// First and longest wait between attempts while the server is not there yet.
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(1);
/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The shared secret of a cluster, `ID.SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Public part.
    pub id: String,
    /// Secret part.
    pub secret: String,
}

impl Token {
    /// Reads `ID.SECRET`: six and sixteen characters of a-z and 0-9 as in Kubernetes, or longer.
    ///
    /// # Errors
    /// [`Error::Token`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let well_formed = |part: &str, at_least| {
            part.len() >= at_least && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        match text.trim().split_once('.') {
            Some((id, secret)) if well_formed(id, 6) && well_formed(secret, 16) => Ok(Self {
                id: id.to_owned(),
                secret: secret.to_owned(),
            }),
            _ => Err(Error::Token),
        }
    }

    /// A new random token.
    #[must_use]
    pub fn generate(random: &coracle_service::Random) -> Self {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let draw = |length: usize| -> String {
            (0..length)
                .map(|_| char::from(ALPHABET[random.below(36) as usize % 36]))
                .collect()
        };
        Self {
            id: draw(6),
            secret: draw(32),
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

/// What a process joins as.
#[derive(Clone, Debug)]
pub struct Role {
    /// `scheduler`, `controller-manager`, `storage`, `dashboard`, `node` or `nodepool`.
    pub role: &'static str,
    /// Of a node or pool; else empty.
    pub name: String,
    /// DNS names and addresses that it serves.
    pub server_names: Vec<String>,
}

/// Why a process could not join.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A token of another form.
    #[error("read join token: it must be ID.SECRET, both of a-z and 0-9, at least 6 and 16 characters")]
    Token,
    /// An address of another form.
    #[error("{0}")]
    Address(String),
    /// The server's answer was not made with this token's secret.
    #[error(
        "check certificate authority of {0}: it is not signed with this join token; is it the right cluster?"
    )]
    Signature(String),
    /// The server refuses.
    #[error("join cluster at {server}: {message}")]
    Refused {
        /// Whom.
        server: String,
        /// Why.
        message: String,
    },
    /// Keys or certificates that cannot be made, read or kept.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// Credentials that cannot be used.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The certificate that is kept has to be kept as a file that cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The identity kept in `dir`, or a new one got with `token` where there is none that will do (it ends soon, or the
/// member has another address now). Waits for as long as the server is not there.
///
/// # Errors
/// [`Error`]; none of them goes away by waiting.
pub async fn identity(
    dir: &Path,
    server: &str,
    token: Option<&Token>,
    role: &Role,
    env: &Env,
) -> Result<Identity, Error> {
    if let Some(kept) = Credentials::load(dir, role.role)?
        && (token.is_none() || !kept.is_due(&role.server_names, env.cluster_clock.now()))
    {
        return Ok(Identity::from_credentials(&kept)?);
    }
    let credentials = join(server, token.ok_or(Error::Token)?, role, env).await?;
    credentials.save(dir, role.role)?;
    Ok(Identity::from_credentials(&credentials)?)
}

/// Gets the cluster's authority and a certificate for a new key.
///
/// # Errors
/// [`Error`].
pub async fn join(server: &str, token: &Token, role: &Role, env: &Env) -> Result<Credentials, Error> {
    let ca_pem = authority(server, token, env).await?;
    let (key_pem, csr_pem) = pki::signing_request()?;
    let identity = Identity::anonymous(&ca_pem)?;
    let channel = connect::channel(server, env, &identity).map_err(Error::Address)?;
    let request = pb::SignCertificateRequest {
        token: token.to_string(),
        csr_pem,
        role: role.role.to_owned(),
        name: role.name.clone(),
        subject_alternative_names: role.server_names.clone(),
    };
    let answer = patiently(server, env, || {
        let (mut service, request) = (BootstrapServiceClient::new(channel.clone()), request.clone());
        async move { service.sign_certificate(timed(request)).await }
    })
    .await?;
    Ok(Credentials {
        ca_pem,
        certificate_pem: answer.certificate_pem,
        key_pem,
    })
}

/// The certificate of the cluster's authority, proven by the token.
///
/// # Errors
/// [`Error`].
pub async fn authority(server: &str, token: &Token, env: &Env) -> Result<String, Error> {
    let channel = connect::channel(server, env, &Identity::unverified()?).map_err(Error::Address)?;
    let mut nonce = vec![0; NONCE_BYTES];
    env.random.fill(&mut nonce);
    let request = pb::GetCaRequest {
        token_id: token.id.clone(),
        nonce: nonce.clone().into(),
    };
    let answer = patiently(server, env, || {
        let (mut service, request) = (BootstrapServiceClient::new(channel.clone()), request.clone());
        async move { service.get_ca(timed(request)).await }
    })
    .await?;
    let mut signed = nonce;
    signed.extend_from_slice(answer.ca_pem.as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.secret.as_bytes());
    hmac::verify(&key, &signed, &answer.signature).map_err(|_| Error::Signature(server.to_owned()))?;
    Ok(answer.ca_pem)
}

fn timed<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

/// Repeats a call while the server is not there.
async fn patiently<T, F>(server: &str, env: &Env, mut call: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let mut wait = FIRST_RETRY;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status)
                if matches!(
                    status.code(),
                    Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled
                ) =>
            {
                tracing::debug!(server, error = status.message(), "wait for the server");
                env.transport_clock.sleep(env.random.jitter(wait)).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
            Err(status) => {
                return Err(Error::Refused {
                    server: server.to_owned(),
                    message: status.message().to_owned(),
                });
            }
        }
    }
}
