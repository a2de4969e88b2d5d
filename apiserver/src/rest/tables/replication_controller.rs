//! ReplicationControllers.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::deployment::Template;
use super::replica_set::Status;
use super::{AGE, Column, NAME, Printer, format};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Desired", "Replicas that are wanted."),
        Column::number("Current", "Replicas that there are."),
        Column::number("Ready", "Replicas that are ready."),
        AGE,
        Column::text("Containers", "Names of the template's containers.").wide(),
        Column::text("Images", "Images of the template's containers.").wide(),
        Column::text("Selector", "Which pods belong to the ReplicationController.").wide(),
    ],
    cells: |json, now| {
        let controller: View = serde_json::from_slice(json)?;
        let (names, images) = format::containers(&controller.spec.template.spec.containers);
        Ok(vec![
            controller.metadata.name.as_str().into(),
            controller.spec.replicas.into(),
            controller.status.replicas.into(),
            controller.status.ready_replicas.into(),
            controller.metadata.age(now).into(),
            names.into(),
            images.into(),
            format::labels(&controller.spec.selector).into(),
        ])
    },
};

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    replicas: i64,
    selector: BTreeMap<String, String>,
    template: Template,
}
