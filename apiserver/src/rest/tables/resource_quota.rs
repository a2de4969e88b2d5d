//! ResourceQuotas.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Request", "What is used of what may be requested."),
        Column::text("Limit", "What is used of what limits may come to."),
        AGE,
    ],
    cells: |json, now| {
        let quota: View = serde_json::from_slice(json)?;
        let Status { hard, used } = &quota.status;
        let shown = |of_limits: bool| {
            let own = hard
                .iter()
                .filter(|(name, _)| name.starts_with("limits.") == of_limits);
            let parts = own.map(|(name, hard)| {
                let used = used.get(name).map_or("0", String::as_str);
                format!("{name}: {used}/{hard}")
            });
            parts.collect::<Vec<_>>().join(", ")
        };
        Ok(vec![
            quota.metadata.name.as_str().into(),
            shown(false).into(),
            shown(true).into(),
            quota.metadata.age(now).into(),
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
    hard: BTreeMap<String, String>,
    used: BTreeMap<String, String>,
}
