//! NodeMetrics and PodMetrics.

use coracle_api::metrics::{NodeMetrics, PodMetrics};
use coracle_api::{Quantity, object::BuiltIn};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::{Cell, Column, NAME, Printer, typed};

const COLUMNS: &[Column] = &[
    NAME,
    Column::text("CPU", "How much of the cores is used."),
    Column::text("Memory", "How much memory is used."),
    Column::text("Window", "Over how long this was measured."),
];

pub(super) static NODE: Printer = Printer {
    columns: COLUMNS,
    cells: |json, _| {
        let mut own = NodeMetrics::parse(json)?;
        let mut amount = |name: &str| own.usage.remove(name).unwrap_or_default().0;
        let (cpu, memory) = (amount("cpu"), amount("memory"));
        Ok(vec![
            typed::name(&own.metadata),
            cpu.into(),
            memory.into(),
            own.window.into(),
        ])
    },
};

pub(super) static POD: Printer = Printer {
    columns: COLUMNS,
    cells: |json, _| {
        let own = PodMetrics::parse(json)?;
        let amounts = |name: &'static str| {
            own.containers
                .iter()
                .filter_map(move |container| container.usage.get(name))
        };
        let nanos = amounts("cpu").filter_map(nanocores).sum::<i64>();
        let bytes = amounts("memory").filter_map(|own| Quantity::from_api(own).ok());
        let bytes: i64 = bytes.map(Quantity::bytes).sum();
        Ok(vec![
            typed::name(&own.metadata),
            Cell::from(format!("{nanos}n")),
            format!("{}Ki", bytes / 1024).into(),
            own.window.into(),
        ])
    },
};

/// CPU is told in billionths of a core.
fn nanocores(own: &ApiQuantity) -> Option<i64> {
    own.0.strip_suffix('n')?.parse().ok()
}
