//! Scales: the `scale` subresource of whatever has replicas.

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Desired", "Replicas that are wanted."),
        Column::number("Available", "Replicas that there are."),
        AGE,
    ],
    cells: |json, now| {
        let scale: View = serde_json::from_slice(json)?;
        Ok(vec![
            scale.metadata.name.as_str().into(),
            scale.spec.replicas.into(),
            scale.status.replicas.into(),
            scale.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    spec: Replicas,
    #[serde(default)]
    status: Replicas,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Replicas {
    replicas: i64,
}
