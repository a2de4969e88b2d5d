//! CertificateSigningRequests: who asks is written down by the server, the request never changes, and the decision
//! is made through `approval` alone.

use coracle_api::{Resource, kinds, time};
use coracle_service::Peer;
use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestStatus,
};

use super::{Field, Strategy};

pub(super) struct CertificateSigningRequestStrategy;

impl Strategy for CertificateSigningRequestStrategy {
    type Kind = CertificateSigningRequest;

    fn resource(&self) -> &'static Resource {
        kinds::CERTIFICATE_SIGNING_REQUEST
    }

    fn prepare_create(&self, object: &mut CertificateSigningRequest) {
        object.status = Some(CertificateSigningRequestStatus::default());
        let spec = &mut object.spec;
        spec.username = None;
        spec.uid = None;
        spec.groups = None;
        spec.extra = None;
    }

    fn name_caller(&self, object: &mut CertificateSigningRequest, caller: &Peer) {
        object.spec.username = Some(caller.user.clone());
        object.spec.groups = Some(caller.groups.clone()).filter(|groups| !groups.is_empty());
    }

    fn prepare_update(&self, new: &mut CertificateSigningRequest, old: &CertificateSigningRequest) {
        new.spec.clone_from(&old.spec);
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut CertificateSigningRequest, old: &CertificateSigningRequest) {
        new.spec.clone_from(&old.spec);
        // The decision is `approval`'s: it is neither made nor unmade here.
        let had = conditions(old).iter().filter(|own| is_decision(own)).cloned();
        let others = conditions(new).iter().filter(|own| !is_decision(own)).cloned();
        let kept: Vec<_> = had.chain(others).collect();
        new.status.get_or_insert_default().conditions = Some(kept).filter(|all| !all.is_empty());
    }

    fn prepare_approval(
        &self,
        new: &mut CertificateSigningRequest,
        old: &CertificateSigningRequest,
        now: Timestamp,
    ) {
        let mut decided = conditions(new).to_vec();
        for condition in &mut decided {
            complete(condition, conditions(old), now);
        }
        let metadata = std::mem::take(&mut new.metadata);
        new.clone_from(old);
        new.metadata = metadata;
        new.status.get_or_insert_default().conditions = Some(decided).filter(|all| !all.is_empty());
    }

    fn fields(&self, object: &CertificateSigningRequest) -> Vec<Field> {
        vec![("spec.signerName", object.spec.signer_name.clone())]
    }
}

fn conditions(own: &CertificateSigningRequest) -> &[CertificateSigningRequestCondition] {
    let conditions = own
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    conditions.unwrap_or_default()
}

fn is_decision(condition: &CertificateSigningRequestCondition) -> bool {
    matches!(condition.type_.as_str(), "Approved" | "Denied")
}

/// Sets the times of a condition that leaves them out.
fn complete(
    own: &mut CertificateSigningRequestCondition,
    had: &[CertificateSigningRequestCondition],
    now: Timestamp,
) {
    own.last_update_time.get_or_insert_with(|| time::time(now));
    if own.last_transition_time.is_none() {
        let same = had
            .iter()
            .find(|old| old.type_ == own.type_ && old.status == own.status);
        own.last_transition_time = same
            .and_then(|old| old.last_transition_time.clone())
            .or_else(|| Some(time::time(now)));
    }
}
