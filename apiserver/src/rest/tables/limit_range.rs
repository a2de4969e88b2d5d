//! LimitRanges.

use serde::Deserialize;

use super::{Column, Metadata, NAME, Printer, or_else};

pub(super) static PRINTER: Printer = Printer {
    columns: &[NAME, Column::text("Created At", "When it was created.")],
    cells: |json, _| {
        let range: View = serde_json::from_slice(json)?;
        let created = range.metadata.creation_timestamp.as_deref();
        Ok(vec![
            range.metadata.name.as_str().into(),
            or_else(created.unwrap_or_default(), "<unknown>"),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
}
