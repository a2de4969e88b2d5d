//! ServiceAccounts.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Secrets", "How many secrets pods of this account may use."),
        AGE,
    ],
    cells: |json, now| {
        let account: View = serde_json::from_slice(json)?;
        Ok(vec![
            account.metadata.name.as_str().into(),
            (account.secrets.len() as i64).into(),
            account.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    secrets: Vec<IgnoredAny>,
}
