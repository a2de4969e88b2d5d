//! Namespaces: deletion waits in phase Terminating until `spec.finalizers` is empty, which only the `finalize`
//! subresource changes, and which the namespace controller does once nothing is left inside.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::{Namespace, NamespaceSpec, NamespaceStatus};

use super::{Field, Strategy, text};

/// The finalizer that every namespace is born with.
const FINALIZER: &str = "kubernetes";
/// The label that lets selectors name a namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// What a cluster cannot be without.
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

pub(super) struct NamespaceStrategy;

impl Strategy for NamespaceStrategy {
    type Kind = Namespace;

    fn resource(&self) -> &'static Resource {
        kinds::NAMESPACE
    }

    fn prepare_create(&self, object: &mut Namespace) {
        label(object);
        object.status = Some(NamespaceStatus {
            phase: Some("Active".to_owned()),
            conditions: None,
        });
        let finalizers = object
            .spec
            .get_or_insert_default()
            .finalizers
            .get_or_insert_default();
        if !finalizers.iter().any(|own| own == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
    }

    fn prepare_update(&self, new: &mut Namespace, old: &Namespace) {
        label(new);
        new.spec.clone_from(&old.spec);
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Namespace, old: &Namespace) {
        new.spec.clone_from(&old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }

    fn prepare_finalize(&self, new: &mut Namespace, old: &Namespace) {
        let finalizers = new.spec.take().and_then(|spec| spec.finalizers);
        new.clone_from(old);
        new.spec = Some(NamespaceSpec {
            finalizers: finalizers.filter(|all| !all.is_empty()),
        });
    }

    fn fields(&self, object: &Namespace) -> Vec<Field> {
        vec![(
            "status.phase",
            text(object.status.as_ref().and_then(|status| status.phase.as_ref())),
        )]
    }

    fn is_finalized(&self, object: &Namespace) -> bool {
        object
            .spec
            .as_ref()
            .and_then(|spec| spec.finalizers.as_ref())
            .is_none_or(Vec::is_empty)
    }

    fn mark_deleting(&self, object: &mut Namespace) {
        object.status.get_or_insert_default().phase = Some("Terminating".to_owned());
    }

    fn refuse_delete(&self, object: &Namespace) -> Option<&'static str> {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        IMMORTAL
            .contains(&name)
            .then_some("this namespace may not be deleted")
    }
}

fn label(object: &mut Namespace) {
    if let Some(name) = object.metadata.name.clone() {
        object
            .metadata
            .labels
            .get_or_insert_default()
            .insert(NAME_LABEL.to_owned(), name);
    }
}
