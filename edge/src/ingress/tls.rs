//! Certificates by the name that a client asks for (SNI, RFC 6066), from Secrets; a certificate of its own for names that
//! have none.

use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use coracle_runtime::Cache;
use rustls::{
    ServerConfig,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::view::{IngressView, SecretView};

/// Whose certificate answers for names that have none.
const NOBODY: &str = "coracle-edge.invalid";

/// What clients are shown.
pub(crate) struct Certificates {
    by_host: ArcSwap<HashMap<Box<str>, Arc<CertifiedKey>>>,
    fallback: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

impl Certificates {
    /// With a fresh certificate for names that have none.
    pub(crate) fn new() -> Result<Self, String> {
        let made =
            rcgen::generate_simple_self_signed(vec![NOBODY.to_owned()]).map_err(|error| error.to_string())?;
        let certificate = made.cert.pem().into_bytes();
        let key = made.signing_key.serialize_pem().into_bytes();
        Ok(Self {
            by_host: ArcSwap::default(),
            fallback: Arc::new(read(&SecretView { certificate, key })?),
        })
    }

    /// Takes the certificates that Ingresses name; answers which of them cannot be used, and why.
    pub(crate) fn replace(
        &self,
        ingresses: &[Arc<IngressView>],
        secrets: &Cache<SecretView>,
    ) -> Vec<(Arc<IngressView>, String)> {
        let (mut by_host, mut bad) = (HashMap::new(), Vec::new());
        for ingress in ingresses {
            for (hosts, name) in ingress.tls.iter().filter(|(_, name)| !name.is_empty()) {
                let place = format!("{}/{name}", ingress.namespace);
                let read = match secrets.get(&ingress.namespace, name) {
                    Some(secret) => read(&secret).map_err(|why| format!("Secret {place}: {why}")),
                    None => Err(format!(
                        "Secret {place} does not exist or is not of type kubernetes.io/tls"
                    )),
                };
                match read {
                    Ok(key) => {
                        let key = Arc::new(key);
                        let all = ingress.rules.iter().map(|(host, _)| host);
                        let hosts: Vec<&Box<str>> = if hosts.is_empty() {
                            all.collect()
                        } else {
                            hosts.iter().collect()
                        };
                        for host in hosts {
                            let host = host.to_ascii_lowercase().into_boxed_str();
                            by_host.entry(host).or_insert_with(|| Arc::clone(&key));
                        }
                    }
                    Err(why) => bad.push((Arc::clone(ingress), why)),
                }
            }
        }
        self.by_host.store(Arc::new(by_host));
        bad
    }

    /// The certificate for a name.
    pub(crate) fn find(&self, host: &str) -> Arc<CertifiedKey> {
        let by_host = self.by_host.load();
        let wildcard = || by_host.get(format!("*{}", &host[host.find('.')?..]).as_str());
        let found = by_host.get(host).or_else(wildcard);
        found.map_or_else(|| Arc::clone(&self.fallback), Arc::clone)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.find(&hello.server_name().unwrap_or_default().to_ascii_lowercase()))
    }
}

/// What a Secret holds, checked.
fn read(secret: &SecretView) -> Result<CertifiedKey, String> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&secret.certificate).collect();
    let chain = chain.map_err(|error| format!("tls.crt cannot be read: {error}"))?;
    if chain.is_empty() {
        return Err("tls.crt holds no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(&secret.key)
        .map_err(|error| format!("tls.key cannot be read: {error}"))?;
    let key = any_supported_type(&key).map_err(|error| format!("tls.key cannot be used: {error}"))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(error) => Err(format!("tls.crt and tls.key do not belong together: {error}")),
    }
}

/// How the edge speaks TLS.
pub(crate) fn server(certificates: Arc<Certificates>) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| error.to_string())?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
