//! When a bootstrap token goes. Source: "Authenticating with Bootstrap Tokens" in the Kubernetes documentation.

use std::time::Duration;

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::Plan;
use jiff::Timestamp;

use crate::{view::Meta, writes};

/// A token that has an end.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) meta: Meta,
    pub(super) expires: Timestamp,
}

/// Deletes it once its time is over, unless somebody has changed it since, and looks again then.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let left = Duration::try_from(snapshot.expires.duration_since(now)).unwrap_or_default();
    if left.is_zero() {
        plan.write(writes::delete_exactly(
            kinds::SECRET,
            &snapshot.meta,
            Propagation::Background,
        ));
    } else {
        plan.look_again_after(left);
    }
    plan
}
