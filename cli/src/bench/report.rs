//! A measurement's result: rows of name, value and unit.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::machine::Rates;
use crate::{args::Format, output};

#[derive(Serialize)]
pub struct Report {
    machine: Rates,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub fn new(machine: Rates) -> Self {
        Self {
            machine,
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, what: &str, value: f64, unit: &'static str) {
        self.rows.push(Row {
            what: what.to_owned(),
            value,
            unit,
        });
    }

    pub fn print(&self, format: Format) -> anyhow::Result<()> {
        if format == Format::Json {
            output::data(&format!("{}\n", serde_json::to_string_pretty(self)?));
            return Ok(());
        }
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_header(["MEASURED", "VALUE", "UNIT"]);
        for row in &self.rows {
            table.add_row([row.what.clone(), short(row.value), row.unit.to_owned()]);
        }
        for (what, value, unit) in self.machine.rows() {
            table.add_row([format!("this machine: {what}"), short(value), unit.to_owned()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        output::data(&format!("{}\n", table.trim_fmt()));
        Ok(())
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
