//! CustomResourceDefinitions: a generation, and a list of the versions that objects may be stored in.

use coracle_api::{Resource, kinds};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionStatus,
};

use super::{Strategy, add_finalizer};
use crate::registry::custom::FINALIZER;

pub(super) struct CustomResourceDefinitionStrategy;

impl Strategy for CustomResourceDefinitionStrategy {
    type Kind = CustomResourceDefinition;

    fn resource(&self) -> &'static Resource {
        kinds::CUSTOM_RESOURCE_DEFINITION
    }

    fn prepare_create(&self, object: &mut CustomResourceDefinition) {
        object.status = Some(CustomResourceDefinitionStatus::default());
        add_finalizer(&mut object.metadata, FINALIZER);
        remember_storage(object);
    }

    fn prepare_update(&self, new: &mut CustomResourceDefinition, old: &CustomResourceDefinition) {
        new.status.clone_from(&old.status);
        remember_storage(new);
    }

    fn prepare_status_update(&self, new: &mut CustomResourceDefinition, old: &CustomResourceDefinition) {
        new.spec.clone_from(&old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }

    fn mark_deleting(&self, object: &mut CustomResourceDefinition) {
        let since = object.metadata.deletion_timestamp.clone();
        let status = object.status.get_or_insert_default();
        let conditions = status.conditions.get_or_insert_default();
        if !conditions.iter().any(|own| own.type_ == "Terminating") {
            conditions.push(CustomResourceDefinitionCondition {
                type_: "Terminating".to_owned(),
                status: "True".to_owned(),
                reason: Some("InstanceDeletionPending".to_owned()),
                message: Some(
                    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
                        .to_owned(),
                ),
                last_transition_time: since,
            });
        }
    }

    fn is_spec_changed(
        &self,
        new: &CustomResourceDefinition,
        old: &CustomResourceDefinition,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }
}

/// Objects are stored in the storage version from now on; in the others some may still be.
fn remember_storage(object: &mut CustomResourceDefinition) {
    let stored = object.status.get_or_insert_default();
    let stored = stored.stored_versions.get_or_insert_default();
    for version in object.spec.versions.iter().filter(|version| version.storage) {
        if !stored.contains(&version.name) {
            stored.push(version.name.clone());
        }
    }
}
