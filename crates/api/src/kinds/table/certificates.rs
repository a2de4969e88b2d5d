//! Rows of certificates.k8s.io: requests for certificates of the cluster's authority.

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;

use super::{ALL_VERBS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// CertificateSigningRequests: a key asks for a certificate.
pub static CERTIFICATE_SIGNING_REQUEST: &Resource = &Resource {
    place: Place::CERTIFICATE_SIGNING_REQUEST as usize,
    group: "certificates.k8s.io",
    version: "v1",
    kind: "CertificateSigningRequest",
    plural: "certificatesigningrequests",
    singular: "certificatesigningrequest",
    short_names: &["csr"],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[
        own("approval", "CertificateSigningRequest", READ_WRITE),
        own("status", "CertificateSigningRequest", READ_WRITE),
    ],
    selectable_fields: &["metadata.name", "spec.signerName"],
    store_prefix: "/certificates.k8s.io/certificatesigningrequests/",
    api_version: "certificates.k8s.io/v1",
    stored_as: None,
    decode: <CertificateSigningRequest as BuiltIn>::decode,
};
