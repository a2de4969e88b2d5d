//! The cluster's certificate authority, and the keys and certificates of its members.
//!
//! ECDSA P-256 throughout (rcgen with ring). A member's key never leaves it: it sends a signing request, and the
//! authority writes the subject itself. As in Kubernetes, the common name is the user and each organization a group.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509CertificationRequest};

/// How long the authority itself is valid.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How long a member's certificate is valid; members join anew at a start in its last third.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Certificates are valid from a little before now, for members whose clocks are behind.
const BACKDATE: Duration = Duration::from_secs(3600);

/// What went wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key, certificate or request that cannot be made or read.
    #[error("{verb} {what}")]
    Certificate {
        /// What was being done.
        verb: &'static str,
        /// To what.
        what: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// A file that cannot be read or written.
    #[error("{verb} {}", path.display())]
    File {
        /// What was being done.
        verb: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// A subject's name can carry this many organizations, because rcgen keeps one value for each type of attribute and the
/// second stands under the type's number.
const MAX_GROUPS: usize = 2;
/// The number of the attribute "organization" (X.520).
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// Who a certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The common name: the user.
    pub user: String,
    /// The organizations: the groups, at most two.
    pub groups: Vec<String>,
    /// DNS names and addresses that it may serve; empty for a client.
    pub server_names: Vec<String>,
}

/// A member's certificate and key, with the authority that vouches for its peers. All PEM.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The authority's certificate.
    pub ca_pem: String,
    /// The member's certificate.
    pub certificate_pem: String,
    /// The member's private key.
    pub key_pem: String,
}

impl Credentials {
    /// Reads `ca.crt`, `NAME.crt` and `NAME.key` from `dir`; `None` where the certificate is not there.
    ///
    /// # Errors
    /// [`Error::File`] where a file is there and cannot be read.
    pub fn load(dir: &Path, name: &str) -> Result<Option<Self>, Error> {
        let certificate = dir.join(format!("{name}.crt"));
        if !certificate.exists() {
            return Ok(None);
        }
        let read = |path: PathBuf| {
            fs::read_to_string(&path).map_err(|source| Error::File {
                verb: "read",
                path,
                source,
            })
        };
        Ok(Some(Self {
            ca_pem: read(dir.join("ca.crt"))?,
            certificate_pem: read(certificate)?,
            key_pem: read(dir.join(format!("{name}.key")))?,
        }))
    }

    /// Writes them where [`Credentials::load`] finds them, readable by the owner alone, the certificate last.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, dir: &Path, name: &str) -> Result<(), Error> {
        write_private(&dir.join("ca.crt"), self.ca_pem.as_bytes())?;
        write_private(&dir.join(format!("{name}.key")), self.key_pem.as_bytes())?;
        write_private(&dir.join(format!("{name}.crt")), self.certificate_pem.as_bytes())
    }

    /// Whether the certificate has to be made anew: it has less than a third of its life left, does not name each of
    /// `server_names` (a member that moved has another address), or cannot be read.
    #[must_use]
    pub fn is_due(&self, server_names: &[String], now: Timestamp) -> bool {
        let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(self.certificate_pem.as_bytes()) else {
            return true;
        };
        let Ok(certificate) = pem.parse_x509() else {
            return true;
        };
        let named = match certificate.subject_alternative_name() {
            Ok(Some(names)) => server_names_of(&names.value.general_names).0,
            Ok(None) => Vec::new(),
            Err(_) => return true,
        };
        if !server_names.iter().all(|name| named.contains(name)) {
            return true;
        }
        let left = certificate.validity().not_after.timestamp() - now.as_second();
        left < i64::try_from(CERTIFICATE_LIFETIME.as_secs() / 3).unwrap_or(i64::MAX)
    }
}

/// The cluster's certificate authority.
pub struct Authority {
    certificate_pem: String,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn create(common_name: &str, now: Timestamp) -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(certificate_error("make key of", common_name))?;
        let mut params = params(common_name, &[], AUTHORITY_LIFETIME, now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params
            .self_signed(&key)
            .map_err(certificate_error("certify", common_name))?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    /// Reads an authority from its certificate and key.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let key = KeyPair::from_pem(key_pem).map_err(certificate_error("read", "key of authority"))?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key)
            .map_err(certificate_error("read", "certificate of authority"))?;
        Ok(Self {
            certificate_pem: certificate_pem.to_owned(),
            key_pem: key_pem.to_owned(),
            issuer,
        })
    }

    /// Reads `ca.crt` and `ca.key` from `dir`, or makes them there.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load_or_create(dir: &Path, common_name: &str, now: Timestamp) -> Result<Self, Error> {
        if let Some(saved) = Credentials::load(dir, "ca")? {
            return Self::from_pem(&saved.certificate_pem, &saved.key_pem);
        }
        let authority = Self::create(common_name, now)?;
        write_private(&dir.join("ca.key"), authority.key_pem.as_bytes())?;
        write_private(&dir.join("ca.crt"), authority.certificate_pem.as_bytes())?;
        Ok(authority)
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Makes a key and certifies it.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn issue(&self, subject: &Subject, now: Timestamp) -> Result<Credentials, Error> {
        let key = KeyPair::generate().map_err(certificate_error("make key of", &subject.user))?;
        let usage = Usage {
            client: true,
            server: !subject.server_names.is_empty(),
            lifetime: CERTIFICATE_LIFETIME,
        };
        let certificate = member_params(subject, usage, now)?
            .signed_by(&key, &self.issuer)
            .map_err(certificate_error("certify", &subject.user))?;
        Ok(Credentials {
            ca_pem: self.certificate_pem.clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// Certifies the key of a signing request (PKCS#10, PEM) for `subject`; what the request says of itself is
    /// ignored.
    ///
    /// # Errors
    /// [`Error::Certificate`] where the request cannot be read or is not signed by its own key.
    pub fn sign(&self, csr_pem: &str, subject: &Subject, now: Timestamp) -> Result<String, Error> {
        let usage = Usage {
            client: true,
            server: !subject.server_names.is_empty(),
            lifetime: CERTIFICATE_LIFETIME,
        };
        self.sign_for(csr_pem, subject, usage, now)
    }

    /// As [`Authority::sign`], for a particular use.
    ///
    /// # Errors
    /// As [`Authority::sign`], and where the subject has too many groups.
    pub fn sign_for(
        &self,
        csr_pem: &str,
        subject: &Subject,
        usage: Usage,
        now: Timestamp,
    ) -> Result<String, Error> {
        let mut request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(certificate_error("read", "certificate signing request"))?;
        request.params = member_params(subject, usage, now)?;
        let certificate = request
            .signed_by(&self.issuer)
            .map_err(certificate_error("certify", &subject.user))?;
        Ok(certificate.pem())
    }
}

/// What a certificate may be used for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// To prove a caller.
    pub client: bool,
    /// To prove a server.
    pub server: bool,
    /// From now on.
    pub lifetime: Duration,
}

/// What a signing request (PKCS#10, PEM) says of itself, and whether it asks for names that are neither DNS names nor
/// addresses. Nothing is proven by it: its signature is checked where it is signed.
///
/// # Errors
/// [`Error::Certificate`] where it cannot be read.
pub fn read_request(csr_pem: &str) -> Result<(Subject, bool), Error> {
    let unreadable = || {
        certificate_error("read", "certificate signing request")(
            rcgen::Error::CouldNotParseCertificationRequest,
        )
    };
    let (_, pem) = x509_parser::pem::parse_x509_pem(csr_pem.as_bytes()).map_err(|_| unreadable())?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).map_err(|_| unreadable())?;
    let name = &request.certification_request_info.subject;
    let text =
        |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| attribute.as_str().map(str::to_owned);
    let mut subject = Subject {
        user: name
            .iter_common_name()
            .next()
            .and_then(|name| text(name).ok())
            .unwrap_or_default(),
        groups: name
            .iter_organization()
            .filter_map(|group| text(group).ok())
            .collect(),
        server_names: Vec::new(),
    };
    let mut has_others = false;
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(names) = extension else {
            continue;
        };
        let (names, others) = server_names_of(&names.general_names);
        subject.server_names.extend(names);
        has_others |= others;
    }
    Ok((subject, has_others))
}

/// The DNS names and addresses among alternative names, and whether there are others.
fn server_names_of(names: &[GeneralName<'_>]) -> (Vec<String>, bool) {
    let mut known = Vec::new();
    let mut has_others = false;
    for name in names {
        match name {
            GeneralName::DNSName(name) => known.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(address) => known.push(address.to_string()),
                None => has_others = true,
            },
            _ => has_others = true,
        }
    }
    (known, has_others)
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}

/// A new key and a request to certify it, both PEM.
///
/// # Errors
/// [`Error::Certificate`].
pub fn signing_request() -> Result<(String, String), Error> {
    let key = KeyPair::generate().map_err(certificate_error("make", "key"))?;
    let request = CertificateParams::default()
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(certificate_error("make", "certificate signing request"))?;
    Ok((key.serialize_pem(), request))
}

/// Writes a file that only its owner may read, whole or not at all, and synced.
///
/// # Errors
/// [`Error::File`].
pub fn write_private(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let temporary = path.with_extension("tmp");
    let fail = |verb, source| Error::File {
        verb,
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| fail("make folder of", source))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(&temporary)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| fail("write", source))
}

fn member_params(subject: &Subject, usage: Usage, now: Timestamp) -> Result<CertificateParams, Error> {
    if subject.groups.len() > MAX_GROUPS {
        // Silently losing a group would be worse than refusing.
        let error = rcgen::Error::UnsupportedSignatureAlgorithm;
        return Err(certificate_error(
            "put more than two groups into certificate of",
            &subject.user,
        )(error));
    }
    let mut member = params(&subject.user, &subject.groups, usage.lifetime, now);
    member.subject_alt_names = CertificateParams::new(subject.server_names.clone())
        .map_err(certificate_error("name", &subject.user))?
        .subject_alt_names;
    member.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    member.extended_key_usages = [
        (usage.client, ExtendedKeyUsagePurpose::ClientAuth),
        (usage.server, ExtendedKeyUsagePurpose::ServerAuth),
    ]
    .into_iter()
    .filter_map(|(is_wanted, purpose)| is_wanted.then_some(purpose))
    .collect();
    member.use_authority_key_identifier_extension = true;
    Ok(member)
}

fn params(
    common_name: &str,
    organizations: &[String],
    lifetime: Duration,
    now: Timestamp,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    for (index, organization) in organizations.iter().enumerate() {
        let kind = match index {
            0 => DnType::OrganizationName,
            _ => DnType::CustomDnType(ORGANIZATION.to_vec()),
        };
        name.push(kind, organization.as_str());
    }
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    let now = rcgen::date_time_ymd(1970, 1, 1) + since_1970;
    params.not_before = now - BACKDATE;
    params.not_after = now + lifetime;
    params
}

fn certificate_error(verb: &'static str, what: &str) -> impl FnOnce(rcgen::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Certificate { verb, what, source }
}

#[cfg(test)]
mod tests;
