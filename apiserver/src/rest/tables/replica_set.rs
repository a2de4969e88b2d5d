//! ReplicaSets.

use serde::Deserialize;

use super::deployment::Spec;
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
        Column::text("Selector", "Which pods belong to the ReplicaSet.").wide(),
    ],
    cells: |json, now| {
        let set: View = serde_json::from_slice(json)?;
        let (names, images) = format::containers(&set.spec.template.spec.containers);
        Ok(vec![
            set.metadata.name.as_str().into(),
            set.spec.replicas.into(),
            set.status.replicas.into(),
            set.status.ready_replicas.into(),
            set.metadata.age(now).into(),
            names.into(),
            images.into(),
            format::selector(&set.spec.selector).into(),
        ])
    },
};

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) replicas: i64,
    pub(super) ready_replicas: i64,
}
