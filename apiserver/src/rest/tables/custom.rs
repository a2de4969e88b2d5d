//! Custom resources: the name, and the columns of their definition.

use std::sync::Arc;

use coracle_api::Resource;
use coracle_custom::columns::{Cell as Found, Column};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Cell, NAME, since};
use crate::registry::custom::{self, Served};

/// The table of a version as it is served at the moment.
pub(crate) struct CustomTable {
    served: Arc<Served>,
    version: &'static str,
}

impl CustomTable {
    /// The table of a custom kind; `None` for others.
    pub(super) fn of(resource: &Resource) -> Option<Self> {
        let served = custom::of(resource)?.now()?;
        Some(Self {
            served,
            version: resource.version,
        })
    }

    fn own(&self) -> &[Column] {
        let version = self.served.version(self.version);
        version
            .map(|version| version.columns.as_slice())
            .unwrap_or_default()
    }

    pub(super) fn width(&self) -> usize {
        self.own().len() + 1
    }

    pub(super) fn columns(&self) -> Value {
        let column = |column: &Column| {
            json!({
                "name": column.name, "type": column.kind, "format": column.format,
                "description": column.description, "priority": column.priority,
            })
        };
        std::iter::once(json!(NAME))
            .chain(self.own().iter().map(column))
            .collect()
    }

    pub(super) fn cells(&self, json: &[u8], now: Timestamp) -> Result<Vec<Cell>, serde_json::Error> {
        let object: Map<String, Value> = serde_json::from_slice(json)?;
        let name = object
            .get("metadata")
            .and_then(|metadata| metadata.get("name"))
            .and_then(Value::as_str);
        let mut cells = vec![Cell::from(name.unwrap_or_default())];
        cells.extend(self.own().iter().map(|column| match column.cell(&object) {
            Found::Empty => Cell::Empty,
            Found::Text(text) => Cell::Text(text),
            Found::Integer(number) => Cell::Number(number),
            Found::Number(number) => Cell::Float(number),
            Found::Boolean(flag) => Cell::Flag(flag),
            Found::Date(text) => match coracle_api::time::parse(&text) {
                Some(_) => Cell::Text(since(Some(&text), now)),
                None => Cell::from("<invalid>"),
            },
        }));
        Ok(cells)
    }
}
