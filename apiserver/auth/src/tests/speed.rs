//! A decision costs the same in a cluster with ten thousand bindings as in an empty one.

use serde_json::json;

use super::cluster;
use crate::{Attributes, Observed, ResourceAttributes, rbac::Kind};
use coracle_service::{Clock, Peer};

const BINDINGS: usize = 10_000;
const DECISIONS: u32 = 2_000;

#[test]
fn decisions_cost_microseconds_however_many_bindings_there_are() {
    let authorizer = cluster();
    let clock = Clock::system();
    let user = Peer::new("edit", &["system:authenticated", "devs", "ops"]);
    let pods = ResourceAttributes {
        resource: "pods",
        namespace: "default",
        name: "one",
        ..ResourceAttributes::default()
    };
    let granted = Attributes::resource(&user, "patch", pods);
    let refused = Attributes::resource(&user, "escalate", pods);
    let time = |authorizer: &crate::Authorizer| {
        let start = clock.monotonic();
        for _ in 0..DECISIONS {
            assert!(authorizer.decide(&granted).is_allowed());
            assert!(!authorizer.decide(&refused).is_allowed());
        }
        clock.monotonic().duration_since(start) / (2 * DECISIONS)
    };
    let alone = time(&authorizer);
    for index in 0..BINDINGS {
        let binding = json!({
            "subjects": [{"kind": "User", "name": format!("user-{index}")}],
            "roleRef": {"kind": "ClusterRole", "name": "view"},
        });
        let namespace = format!("team-{}", index % 100);
        let name = format!("binding-{index}");
        let json = binding.to_string();
        authorizer.observe(
            Observed::Rbac(Kind::RoleBinding),
            (&namespace, &name),
            "",
            json.as_bytes(),
            false,
        );
    }
    let among_many = time(&authorizer);
    println!("a decision: {alone:?} alone, {among_many:?} among {BINDINGS} bindings");
    // Without optimization and on a busy machine; what must not happen is a walk over all bindings.
    assert!(among_many.as_micros() < 200, "{among_many:?}");
}
