//! What each signer asks of a request, in upstream's words. Source: "Kubernetes signers" in the documentation of
//! certificate signing requests.

use coracle_service::pki::{self, Subject};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;

/// A signer that this server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// `kubernetes.io/kube-apiserver-client`
    Client,
    /// `kubernetes.io/kube-apiserver-client-kubelet`
    NodeClient,
    /// `kubernetes.io/kubelet-serving`
    NodeServing,
}

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const MASTERS: &str = "system:masters";
const NODES: &str = "system:nodes";
const NODE_USER: &str = "system:node:";

impl Signer {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            CLIENT => Some(Self::Client),
            "kubernetes.io/kube-apiserver-client-kubelet" => Some(Self::NodeClient),
            "kubernetes.io/kubelet-serving" => Some(Self::NodeServing),
            _ => None,
        }
    }

    fn usages(self) -> (&'static [&'static str], &'static str) {
        const SIGNATURE: &[&str] = &["digital signature", "key encipherment"];
        match self {
            Self::Client | Self::NodeClient => (SIGNATURE, "client auth"),
            Self::NodeServing => (SIGNATURE, "server auth"),
        }
    }
}

/// The types of the conditions that decide.
pub(super) fn decided(request: &CertificateSigningRequest) -> Vec<String> {
    let conditions = request
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let mut decided: Vec<String> = conditions
        .unwrap_or_default()
        .iter()
        .map(|condition| condition.type_.clone())
        .filter(|kind| matches!(kind.as_str(), "Approved" | "Denied" | "Failed"))
        .collect();
    decided.sort();
    decided
}

/// The request itself, PEM.
pub(super) fn pem(request: &CertificateSigningRequest) -> Option<String> {
    String::from_utf8(request.spec.request.0.clone()).ok()
}

/// Whom the request names, and whether it asks for names of other kinds than servers have.
pub(super) fn subject(request: &CertificateSigningRequest) -> Option<(Subject, bool)> {
    pki::read_request(&pem(request)?).ok()
}

/// Nobody becomes an administrator by a request.
pub(super) fn confirm_subject(request: &CertificateSigningRequest) -> Result<(), String> {
    if request.spec.signer_name != CLIENT {
        return Ok(());
    }
    match subject(request) {
        Some((subject, _)) if subject.groups.iter().any(|group| group == MASTERS) => Err(format!(
            "use of {CLIENT} signer with {MASTERS} group is not allowed"
        )),
        _ => Ok(()),
    }
}

/// Whether the signer may certify the request.
pub(super) fn check(
    signer: Signer,
    request: &CertificateSigningRequest,
    (subject, has_others): &(Subject, bool),
) -> Result<(), String> {
    let (may, must) = signer.usages();
    let usages = request.spec.usages.as_deref().unwrap_or_default();
    let is_known = |usage: &String| usage == must || may.contains(&usage.as_str());
    if !usages.iter().any(|usage| usage == must) || !usages.iter().all(is_known) {
        return Err(format!(
            "usages did not match {must} and at most {}",
            may.join(", ")
        ));
    }
    if signer == Signer::Client {
        return Ok(());
    }
    if subject.groups != [NODES] {
        return Err(format!("subject organization is not {NODES}"));
    }
    if subject.user.strip_prefix(NODE_USER).is_none_or(str::is_empty) {
        return Err(format!("subject common name does not begin with {NODE_USER}"));
    }
    match signer {
        Signer::NodeServing => {
            if subject.server_names.is_empty() {
                return Err("DNS or IP subjectAltName is required".to_owned());
            }
            if *has_others {
                return Err("email and URI subjectAltNames are not allowed".to_owned());
            }
            // A node certifies itself: another's name would let it pose as that.
            if request.spec.username.as_ref() != Some(&subject.user) {
                return Err("subject common name is not the requesting user".to_owned());
            }
            Ok(())
        }
        _ if !subject.server_names.is_empty() || *has_others => {
            Err("subjectAltNames are not allowed".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(signer: &str, user: &str, usages: &[&str]) -> CertificateSigningRequest {
        let mut request = CertificateSigningRequest::default();
        request.spec.signer_name = signer.to_owned();
        request.spec.username = Some(user.to_owned());
        request.spec.usages = Some(usages.iter().map(|&usage| usage.to_owned()).collect());
        request
    }

    #[test]
    fn each_signer_has_its_conditions() {
        let check = |signer: &str, usages: &[&str], subject: (&str, &str, &[&str]), expected: &str| {
            let (user, group, names) = subject;
            let subject = Subject {
                user: user.to_owned(),
                groups: vec![group.to_owned()],
                server_names: names.iter().map(|&name| name.to_owned()).collect(),
            };
            let request = request(signer, "system:node:n", usages);
            let judged = check(Signer::of(signer).unwrap(), &request, &(subject, false));
            assert_eq!(judged.err().unwrap_or_default(), expected, "{signer} {user}");
        };
        let kubelet = "kubernetes.io/kube-apiserver-client-kubelet";
        let client: &[&str] = &["digital signature", "client auth"];
        let server: &[&str] = &["digital signature", "server auth"];
        check(kubelet, client, ("system:node:n", NODES, &[]), "");
        check(
            kubelet,
            client,
            ("system:node:n", NODES, &["n"]),
            "subjectAltNames are not allowed",
        );
        check(
            kubelet,
            client,
            ("n", NODES, &[]),
            "subject common name does not begin with system:node:",
        );
        check(
            kubelet,
            client,
            ("system:node:n", MASTERS, &[]),
            "subject organization is not system:nodes",
        );
        check(
            kubelet,
            server,
            ("system:node:n", NODES, &[]),
            "usages did not match client auth and at most digital signature, key encipherment",
        );
        let serving = "kubernetes.io/kubelet-serving";
        check(serving, server, ("system:node:n", NODES, &["10.0.0.1"]), "");
        check(
            serving,
            server,
            ("system:node:n", NODES, &[]),
            "DNS or IP subjectAltName is required",
        );
        check(
            serving,
            server,
            ("system:node:m", NODES, &["m"]),
            "subject common name is not the requesting user",
        );
        check(CLIENT, client, ("jane", "devs", &[]), "");
    }
}
