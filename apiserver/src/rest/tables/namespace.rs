//! Namespaces.

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Status", "Whether the namespace is in use or going away."),
        AGE,
    ],
    cells: |json, now| {
        let namespace: View = serde_json::from_slice(json)?;
        Ok(vec![
            namespace.metadata.name.as_str().into(),
            namespace.status.phase.into(),
            namespace.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    phase: String,
}
