//! Deployments: a status of their own, a generation that counts changes of the spec, and `scale`.

use coracle_api::{LabelSelector, Resource, kinds};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

use super::{Scale, Strategy};

pub(super) struct DeploymentStrategy;

impl Strategy for DeploymentStrategy {
    type Kind = Deployment;

    fn resource(&self) -> &'static Resource {
        kinds::DEPLOYMENT
    }

    fn prepare_create(&self, object: &mut Deployment) {
        object.status = Some(DeploymentStatus::default());
    }

    fn prepare_update(&self, new: &mut Deployment, old: &Deployment) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Deployment, old: &Deployment) {
        new.spec.clone_from(&old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }

    fn is_spec_changed(&self, new: &Deployment, old: &Deployment) -> Option<bool> {
        // Annotations steer a rollout too: upstream counts them as part of the desired state.
        Some(new.spec != old.spec || new.metadata.annotations != old.metadata.annotations)
    }

    fn scale(&self, object: &Deployment) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        Some(Scale {
            wanted: spec.replicas.unwrap_or(1),
            present: object
                .status
                .as_ref()
                .and_then(|status| status.replicas)
                .unwrap_or(0),
            selector: LabelSelector::from_api(&spec.selector)
                .map(|s| s.to_string())
                .unwrap_or_default(),
        })
    }

    fn set_scale(&self, object: &mut Deployment, wanted: i32) {
        object.spec.get_or_insert_default().replicas = Some(wanted);
    }
}
