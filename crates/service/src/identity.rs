//! Who a process is, and how it proves it on a connection.
//!
//! On a real network that is TLS 1.3 with certificates of the cluster's authority on both sides. In a simulation the
//! connection starts with a line that states the name, so that everything above works alike without the cost and
//! the randomness of TLS.

use std::{collections::BTreeMap, io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{BoxIo, pki::Credentials};

/// The user of a caller that presented no certificate.
pub const ANONYMOUS: &str = "system:anonymous";
/// The longest name line of a simulated connection, in bytes.
const MAX_PREAMBLE: usize = 4096;
/// ALPN names, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The group of everybody who proved who they are.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Who makes a request, as Kubernetes' `UserInfo` has it: proven by certificate at the other end of a connection, by
/// a token, or taken on by impersonation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The name: a certificate's common name.
    pub user: String,
    /// Tells a user from an earlier one of the same name; empty where nobody knows.
    pub uid: String,
    /// The groups: a certificate's organizations.
    pub groups: Vec<String>,
    /// What else the authenticator knows.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Peer {
    /// A caller of whom only name and groups are known.
    #[must_use]
    pub fn new(user: impl Into<String>, groups: &[&str]) -> Self {
        Self {
            user: user.into(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ..Self::default()
        }
    }

    /// A caller who proved nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(ANONYMOUS, &[UNAUTHENTICATED])
    }

    /// Whether the caller proved nothing.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user == ANONYMOUS
    }

    /// Whether the caller is in `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// What went wrong with an identity.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PEM text that cannot be read.
    #[error("read {0} as PEM")]
    Pem(&'static str, #[source] rustls::pki_types::pem::Error),
    /// Credentials that do not fit together.
    #[error("use certificate")]
    Tls(#[from] rustls::Error),
    /// An authority that client certificates cannot be checked against.
    #[error("use certificate authority")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A process's own identity; cheap to clone.
#[derive(Clone)]
pub struct Identity {
    kind: Arc<Kind>,
}

enum Kind {
    Tls {
        acceptor: Option<TlsAcceptor>,
        client: Arc<ClientConfig>,
    },
    Simulated(Peer),
}

impl Identity {
    /// An identity proven by certificate. Callers may be anonymous, or else need a certificate of the same authority.
    ///
    /// # Errors
    /// [`Error`] where the credentials cannot be read or do not fit together.
    pub fn from_credentials(credentials: &Credentials) -> Result<Self, Error> {
        let roots = Arc::new(roots(&credentials.ca_pem)?);
        let chain = certificates(&credentials.certificate_pem)?;
        let key = || {
            PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes())
                .map_err(|error| Error::Pem("key", error))
        };
        let client = client_builder()?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key()?)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
            .allow_unauthenticated()
            .build()?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key()?)?;
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // Two session tickets a handshake are two more writes that nobody here makes use of.
        server.send_tls13_tickets = 0;
        Ok(Self::tls(Some(Arc::new(server)), client))
    }

    /// A caller without a certificate that trusts `ca_pem`.
    ///
    /// # Errors
    /// [`Error`] where the authority cannot be read.
    pub fn anonymous(ca_pem: &str) -> Result<Self, Error> {
        let client = client_builder()?
            .with_root_certificates(roots(ca_pem)?)
            .with_no_client_auth();
        Ok(Self::tls(None, client))
    }

    /// A caller that checks nothing: only for asking a server which authority it has, in an answer that is
    /// authenticated otherwise.
    ///
    /// # Errors
    /// [`Error`].
    pub fn unverified() -> Result<Self, Error> {
        let algorithms = provider().signature_verification_algorithms;
        let client = client_builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(algorithms)))
            .with_no_client_auth();
        Ok(Self::tls(None, client))
    }

    /// An identity that is merely stated, for simulations.
    #[must_use]
    pub fn simulated(user: &str, groups: &[&str]) -> Self {
        Self {
            kind: Arc::new(Kind::Simulated(Peer::new(user, groups))),
        }
    }

    fn tls(server: Option<Arc<ServerConfig>>, mut client: ClientConfig) -> Self {
        client.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Self {
            kind: Arc::new(Kind::Tls {
                acceptor: server.map(TlsAcceptor::from),
                client: Arc::new(client),
            }),
        }
    }

    /// The same identity, offering HTTP/1.1 alone on the connections that it dials.
    #[must_use]
    pub fn http1(&self) -> Self {
        match &*self.kind {
            Kind::Tls { acceptor, client } => {
                let mut client = ClientConfig::clone(client);
                client.alpn_protocols = vec![b"http/1.1".to_vec()];
                Self {
                    kind: Arc::new(Kind::Tls {
                        acceptor: acceptor.clone(),
                        client: Arc::new(client),
                    }),
                }
            }
            Kind::Simulated(_) => self.clone(),
        }
    }

    /// Takes a connection: proves this identity and learns the caller's.
    ///
    /// # Errors
    /// Where the handshake fails, or this identity cannot serve.
    pub async fn accept(&self, mut io: BoxIo) -> io::Result<(BoxIo, Peer)> {
        match &*self.kind {
            Kind::Tls {
                acceptor: Some(acceptor),
                ..
            } => {
                let stream = acceptor.accept(io).await?;
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let peer = certificate.map_or_else(|| Ok(Peer::anonymous()), peer_of)?;
                Ok((Box::new(stream), peer))
            }
            Kind::Tls { acceptor: None, .. } => {
                Err(io::Error::other("this identity has no certificate to serve with"))
            }
            Kind::Simulated(_) => {
                let length = usize::from(io.read_u16().await?).min(MAX_PREAMBLE);
                let mut line = vec![0; length];
                io.read_exact(&mut line).await?;
                let line = String::from_utf8(line).map_err(io::Error::other)?;
                let mut names = line.split('\n').map(str::to_owned);
                let user = names.next().unwrap_or_default();
                let peer = Peer {
                    user,
                    groups: names.collect(),
                    ..Peer::default()
                };
                Ok((io, peer))
            }
        }
    }

    /// Proves this identity on a connection that was dialed, and checks that the other end is `server_name`.
    ///
    /// # Errors
    /// Where the handshake fails, or `server_name` is neither a DNS name nor an address.
    pub async fn connect(&self, mut io: BoxIo, server_name: &str) -> io::Result<BoxIo> {
        match &*self.kind {
            Kind::Tls { client, .. } => {
                let name = ServerName::try_from(server_name.to_owned()).map_err(io::Error::other)?;
                Ok(Box::new(
                    TlsConnector::from(Arc::clone(client)).connect(name, io).await?,
                ))
            }
            Kind::Simulated(peer) => {
                let mut line = peer.user.clone();
                for group in &peer.groups {
                    line.push('\n');
                    line.push_str(group);
                }
                let length = u16::try_from(line.len()).map_err(io::Error::other)?;
                io.write_u16(length).await?;
                io.write_all(line.as_bytes()).await?;
                io.flush().await?;
                Ok(io)
            }
        }
    }
}

fn peer_of(certificate: &CertificateDer<'_>) -> io::Result<Peer> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(io::Error::other)?;
    let text =
        |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| attribute.as_str().map(str::to_owned);
    let subject = parsed.subject();
    let user = subject
        .iter_common_name()
        .next()
        .and_then(|name| text(name).ok())
        .ok_or_else(|| io::Error::other("client certificate has no common name"))?;
    let mut groups: Vec<String> = subject
        .iter_organization()
        .filter_map(|group| text(group).ok())
        .collect();
    groups.push(AUTHENTICATED.to_owned());
    Ok(Peer {
        user,
        groups,
        ..Peer::default()
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Pem("certificate", error))
}

fn roots(ca_pem: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_pem)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// Accepts whatever certificate the server shows, but does check that the server holds its key.
#[derive(Debug)]
struct AcceptAny(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
