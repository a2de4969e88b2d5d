//! The cluster's authority, the apiserver's own certificate and the administrator's, made at first start.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use coracle_service::{
    Identity, identity,
    pki::{self, Authority, Credentials, Subject},
};
use jiff::Timestamp;

/// The apiserver's own user and group.
const USER: &str = "system:apiserver";
/// The group that may do everything.
const MASTERS: &str = "system:masters";
/// The administrator's user, as kubeadm names it.
const ADMIN: &str = "kubernetes-admin";
/// Names that every apiserver answers to.
const NAMES: [&str; 6] = [
    "localhost",
    "apiserver",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// What an apiserver starts with.
pub struct Certificates {
    /// Certifies members that join.
    pub authority: Arc<Authority>,
    /// The apiserver's own.
    pub identity: Identity,
    /// The administrator's; kept as `admin.crt` and `admin.key`.
    pub admin: Credentials,
}

/// Why certificates could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or certificate that cannot be made, read or kept.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// Credentials that do not fit together.
    #[error(transparent)]
    Identity(#[from] identity::Error),
}

/// Reads the authority and the administrator's credentials from `dir`, or makes them there, and certifies the
/// apiserver for the usual names and `extra_names`. A certificate that has less than a third of its life left is made
/// anew.
///
/// # Errors
/// [`Error`].
pub fn prepare(dir: &Path, extra_names: &[String], now: Timestamp) -> Result<Certificates, Error> {
    let authority = Arc::new(Authority::load_or_create(dir, "coracle", now)?);
    let mut server_names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    server_names.push(Ipv4Addr::LOCALHOST.to_string());
    server_names.extend(extra_names.iter().filter(|name| !name.is_empty()).cloned());
    server_names.dedup();
    // Nobody pins the server's certificate, so a new one at each start needs no file and follows the names.
    let server = authority.issue(&member(USER, server_names), now)?;
    let identity = Identity::from_credentials(&server)?;
    let admin = match Credentials::load(dir, "admin")? {
        Some(kept) if !kept.is_due(&[], now) && kept.ca_pem == authority.certificate_pem() => kept,
        _ => {
            let admin = authority.issue(&member(ADMIN, Vec::new()), now)?;
            admin.save(dir, "admin")?;
            admin
        }
    };
    Ok(Certificates {
        authority,
        identity,
        admin,
    })
}

fn member(user: &str, server_names: Vec<String>) -> Subject {
    Subject {
        user: user.to_owned(),
        groups: vec![MASTERS.to_owned()],
        server_names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_and_admin_stay_across_starts() {
        let dir = std::env::temp_dir().join(format!("coracle-certificates-{}", std::process::id()));
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let first = prepare(&dir, &["10.96.0.1".to_owned()], now).unwrap();
        let second = prepare(&dir, &[], now).unwrap();
        assert_eq!(
            first.authority.certificate_pem(),
            second.authority.certificate_pem()
        );
        assert_eq!(first.admin.certificate_pem, second.admin.certificate_pem);
        let later = now
            .checked_add(jiff::SignedDuration::from_hours(24 * 365 * 9))
            .unwrap();
        let renewed = prepare(&dir, &[], later).unwrap();
        assert_ne!(first.admin.certificate_pem, renewed.admin.certificate_pem);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
