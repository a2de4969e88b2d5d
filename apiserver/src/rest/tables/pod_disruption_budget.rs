//! PodDisruptionBudgets.

use serde::Deserialize;
use serde_json::Value;

use super::{AGE, Cell, Column, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Min Available", "Pods that must stay available."),
        Column::text("Max Unavailable", "Pods that may be unavailable."),
        Column::number("Allowed Disruptions", "Pods that may be evicted now."),
        AGE,
    ],
    cells: |json, now| {
        let budget: View = serde_json::from_slice(json)?;
        Ok(vec![
            budget.metadata.name.as_str().into(),
            shown(&budget.spec.min_available),
            shown(&budget.spec.max_unavailable),
            budget.status.disruptions_allowed.into(),
            budget.metadata.age(now).into(),
        ])
    },
};

/// A number or a percentage.
fn shown(value: &Value) -> Cell {
    match value {
        Value::Null => "N/A".into(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    min_available: Value,
    max_unavailable: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    disruptions_allowed: i64,
}
