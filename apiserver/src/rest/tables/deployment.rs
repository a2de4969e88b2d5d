//! Deployments.

use serde::Deserialize;

use super::{AGE, Column, NAME, Printer, Selector, format};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Ready", "Ready replicas of those wanted."),
        Column::number("Up-to-date", "Replicas that have the present template."),
        Column::number("Available", "Replicas that have been ready for minReadySeconds."),
        AGE,
        Column::text("Containers", "Names of the template's containers.").wide(),
        Column::text("Images", "Images of the template's containers.").wide(),
        Column::text("Selector", "Which pods belong to the Deployment.").wide(),
    ],
    cells: |json, now| {
        let deployment: View = serde_json::from_slice(json)?;
        let View {
            metadata,
            spec,
            status,
        } = deployment;
        let (names, images) = format::containers(&spec.template.spec.containers);
        Ok(vec![
            metadata.name.as_str().into(),
            format!("{}/{}", status.ready_replicas, spec.replicas).into(),
            status.updated_replicas.into(),
            status.available_replicas.into(),
            metadata.age(now).into(),
            names.into(),
            images.into(),
            format::selector(&spec.selector).into(),
        ])
    },
};

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) replicas: i64,
    pub(super) selector: Selector,
    pub(super) template: Template,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Template {
    pub(super) spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PodSpec {
    pub(super) containers: Vec<format::Container>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ready_replicas: i64,
    updated_replicas: i64,
    available_replicas: i64,
}
