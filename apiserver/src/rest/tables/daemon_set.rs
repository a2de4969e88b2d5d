//! DaemonSets.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AGE, Column, NAME, Printer, Selector, format};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Desired", "Nodes that should run the pod."),
        Column::number("Current", "Nodes that run the pod and should."),
        Column::number("Ready", "Nodes whose pod is ready."),
        Column::number("Up-to-date", "Nodes whose pod has the present template."),
        Column::number("Available", "Nodes whose pod has been ready for minReadySeconds."),
        Column::text("Node Selector", "Which nodes run the pod."),
        AGE,
        Column::text("Containers", "Names of the template's containers.").wide(),
        Column::text("Images", "Images of the template's containers.").wide(),
        Column::text("Selector", "Which pods belong to the DaemonSet.").wide(),
    ],
    cells: |json, now| {
        let View {
            metadata,
            spec,
            status,
        } = serde_json::from_slice(json)?;
        let pod = &spec.template.spec;
        let (names, images) = format::containers(&pod.containers);
        Ok(vec![
            metadata.name.as_str().into(),
            status.desired_number_scheduled.into(),
            status.current_number_scheduled.into(),
            status.number_ready.into(),
            status.updated_number_scheduled.into(),
            status.number_available.into(),
            format::labels(&pod.node_selector).into(),
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
struct Spec {
    selector: Selector,
    template: Daemon,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Daemon {
    spec: Pod,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Pod {
    containers: Vec<format::Container>,
    node_selector: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    desired_number_scheduled: i64,
    current_number_scheduled: i64,
    number_ready: i64,
    updated_number_scheduled: i64,
    number_available: i64,
}
