//! PodTemplates.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::deployment::PodSpec;
use super::{Column, Metadata, NAME, Printer, format};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Containers", "Names of the template's containers."),
        Column::text("Images", "Images of the template's containers."),
        Column::text("Pod Labels", "Labels of its pods."),
    ],
    cells: |json, _| {
        let View { metadata, template } = serde_json::from_slice(json)?;
        let (names, images) = format::containers(&template.spec.containers);
        Ok(vec![
            metadata.name.as_str().into(),
            names.into(),
            images.into(),
            format::labels(&template.metadata.labels).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Template {
    metadata: Labels,
    spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Labels {
    labels: BTreeMap<String, String>,
}
