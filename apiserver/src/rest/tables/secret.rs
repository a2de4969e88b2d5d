//! Secrets; never their values.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Type", "What the data is for."),
        Column::number("Data", "How many keys there are."),
        AGE,
    ],
    cells: |json, now| {
        let secret: View = serde_json::from_slice(json)?;
        Ok(vec![
            secret.metadata.name.as_str().into(),
            secret.kind.into(),
            (secret.data.len() as i64).into(),
            secret.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, IgnoredAny>,
}
