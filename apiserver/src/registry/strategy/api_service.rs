//! APIServices: one that this server serves itself is always available.

use coracle_api::{Resource, kinds};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceCondition, APIServiceStatus,
};

use super::Strategy;

pub(super) struct ApiServiceStrategy;

impl Strategy for ApiServiceStrategy {
    type Kind = APIService;

    fn resource(&self) -> &'static Resource {
        kinds::API_SERVICE
    }

    fn prepare_create(&self, object: &mut APIService) {
        object.status = Some(APIServiceStatus {
            conditions: Some(vec![availability(object)]),
        });
    }

    fn prepare_update(&self, new: &mut APIService, old: &APIService) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut APIService, old: &APIService) {
        new.spec.clone_from(&old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }
}

/// Another server's API is registered, and this server does not pass requests on to it.
fn availability(object: &APIService) -> APIServiceCondition {
    let is_local = object.spec.as_ref().is_none_or(|spec| spec.service.is_none());
    let (status, reason, message) = if is_local {
        ("True", "Local", "Local APIServices are always available")
    } else {
        (
            "False",
            "AggregationNotSupported",
            "requests are not passed on to other API servers",
        )
    };
    APIServiceCondition {
        type_: "Available".to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: object.metadata.creation_timestamp.clone(),
    }
}
