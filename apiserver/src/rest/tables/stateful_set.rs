//! StatefulSets.

use serde::Deserialize;

use super::deployment::Spec;
use super::{AGE, Column, NAME, Printer, format};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Ready", "Ready replicas of those wanted."),
        AGE,
        Column::text("Containers", "Names of the template's containers.").wide(),
        Column::text("Images", "Images of the template's containers.").wide(),
    ],
    cells: |json, now| {
        let set: View = serde_json::from_slice(json)?;
        let (names, images) = format::containers(&set.spec.template.spec.containers);
        Ok(vec![
            set.metadata.name.as_str().into(),
            format!("{}/{}", set.status.ready_replicas, set.spec.replicas).into(),
            set.metadata.age(now).into(),
            names.into(),
            images.into(),
        ])
    },
};

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ready_replicas: i64,
}
