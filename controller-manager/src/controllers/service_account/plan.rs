//! What a namespace must have.

use std::sync::Arc;

use coracle_api::kinds;
use coracle_runtime::Plan;
use serde_json::json;

use crate::writes;

/// The account of pods that name none.
pub(super) const ACCOUNT: &str = "default";
/// The ConfigMap with the certificate of the cluster's authority.
pub(super) const ROOT_CA: &str = "kube-root-ca.crt";

/// What is known about a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(super) namespace: String,
    pub(super) has_account: bool,
    pub(super) has_root_ca: bool,
    /// `None` where this process was not told the certificate.
    pub(super) root_ca_pem: Option<Arc<str>>,
}

/// Makes what is missing.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    if !snapshot.has_account {
        let json = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}});
        plan.write(writes::create(
            kinds::SERVICE_ACCOUNT,
            &snapshot.namespace,
            json.to_string().into(),
        ));
    }
    if let (false, Some(pem)) = (snapshot.has_root_ca, &snapshot.root_ca_pem) {
        let json = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": ROOT_CA,
                "annotations": {"kubernetes.io/description": "The certificate of the cluster's authority, by which \
                    clients inside the cluster know the apiserver."},
            },
            "data": {"ca.crt": &**pem},
        });
        plan.write(writes::create(
            kinds::CONFIG_MAP,
            &snapshot.namespace,
            json.to_string().into(),
        ));
    }
    plan
}
