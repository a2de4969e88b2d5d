//! Leases: their holder and transitions fence a leader's writes.

use coracle_api::{Resource, kinds};
use coracle_store::Fence;
use k8s_openapi::api::coordination::v1::Lease;

use super::Strategy;

pub(super) struct LeaseStrategy;

impl Strategy for LeaseStrategy {
    type Kind = Lease;

    fn resource(&self) -> &'static Resource {
        kinds::LEASE
    }

    fn fence(&self, object: &Lease) -> Option<Fence> {
        let spec = object.spec.as_ref()?;
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty())?;
        Some(Fence {
            holder,
            transitions: i64::from(spec.lease_transitions.unwrap_or(0)),
        })
    }

    fn creates_on_update(&self) -> bool {
        true
    }
}
