//! Who may reach into pods.

use std::sync::Arc;

use coracle_service::Peer;
use tonic::{Code, Request};

use super::authorize;

#[test]
fn only_the_apiserver_and_administrators_reach_into_pods() {
    let check = |user: &str, group: &str, expected: Option<Code>| {
        let mut request = Request::new(());
        request
            .extensions_mut()
            .insert(Arc::new(Peer::new(user, &[group])));
        assert_eq!(
            authorize(&request).err().map(|status| status.code()),
            expected,
            "{user} {group}"
        );
    };
    check("system:apiserver", "", None);
    check("kubernetes-admin", "system:masters", None);
    check("system:node:node-2", "system:nodes", Some(Code::PermissionDenied));
    check("system:kube-scheduler", "", Some(Code::PermissionDenied));
    check(
        "system:anonymous",
        "system:unauthenticated",
        Some(Code::Unauthenticated),
    );
    assert_eq!(
        authorize(&Request::new(())).err().map(|status| status.code()),
        Some(Code::Unauthenticated)
    );
}
