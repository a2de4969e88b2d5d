//! Events: what happened to objects. The sweeper removes them after an hour.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::Event;

use super::{Field, Strategy, text};

pub(super) struct EventStrategy;

impl Strategy for EventStrategy {
    type Kind = Event;

    fn resource(&self) -> &'static Resource {
        kinds::EVENT
    }

    fn fields(&self, object: &Event) -> Vec<Field> {
        let about = &object.involved_object;
        let source = object
            .source
            .as_ref()
            .and_then(|source| source.component.as_ref());
        let reporter = object.reporting_component.as_ref();
        vec![
            ("involvedObject.kind", text(about.kind.as_ref())),
            ("involvedObject.namespace", text(about.namespace.as_ref())),
            ("involvedObject.name", text(about.name.as_ref())),
            ("involvedObject.uid", text(about.uid.as_ref())),
            ("involvedObject.apiVersion", text(about.api_version.as_ref())),
            (
                "involvedObject.resourceVersion",
                text(about.resource_version.as_ref()),
            ),
            ("involvedObject.fieldPath", text(about.field_path.as_ref())),
            ("reason", text(object.reason.as_ref())),
            ("reportingComponent", text(reporter)),
            ("source", text(source.or(reporter))),
            ("type", text(object.type_.as_ref())),
        ]
    }

    fn creates_on_update(&self) -> bool {
        true
    }
}
