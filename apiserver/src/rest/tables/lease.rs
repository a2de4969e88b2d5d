//! Leases.

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[NAME, Column::text("Holder", "Who holds the lease."), AGE],
    cells: |json, now| {
        let lease: View = serde_json::from_slice(json)?;
        Ok(vec![
            lease.metadata.name.as_str().into(),
            lease.spec.holder_identity.unwrap_or_default().into(),
            lease.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
}
