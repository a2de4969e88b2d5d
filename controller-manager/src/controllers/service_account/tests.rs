//! Tests of `service_account`.

use super::plan::{Snapshot, plan};
use crate::testing::lines;

#[test]
fn what_is_missing_is_made() {
    let case = |has_account, has_root_ca, pem: Option<&str>| {
        let namespace = "ns".to_owned();
        lines(&plan(&Snapshot {
            namespace,
            has_account,
            has_root_ca,
            root_ca_pem: pem.map(Into::into),
        }))
    };
    assert_eq!(case(true, true, Some("pem")), [""; 0]);
    assert_eq!(
        case(false, false, Some("pem")),
        [
            "create serviceaccounts default",
            "create configmaps kube-root-ca.crt"
        ]
    );
    assert_eq!(case(false, false, None), ["create serviceaccounts default"]);
}
