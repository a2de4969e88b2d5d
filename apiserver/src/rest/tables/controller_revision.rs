//! ControllerRevisions.

use serde::Deserialize;

use super::{AGE, Cell, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Controller", "The object whose state it remembers."),
        Column::number("Revision", "The number of the state."),
        AGE,
    ],
    cells: |json, now| {
        let view: View = serde_json::from_slice(json)?;
        let owners: Owners = serde_json::from_slice(json)?;
        let owner = owners
            .metadata
            .owner_references
            .iter()
            .find(|owner| owner.controller);
        let controller = owner.map_or_else(|| Cell::from("<none>"), |owner| owner.shown().into());
        Ok(vec![
            view.metadata.name.as_str().into(),
            controller,
            view.revision.into(),
            view.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    revision: i64,
}

#[derive(Deserialize)]
struct Owners {
    metadata: Owned,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Owned {
    owner_references: Vec<Owner>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Owner {
    api_version: String,
    kind: String,
    name: String,
    controller: bool,
}

impl Owner {
    /// `statefulset.apps/web`
    fn shown(&self) -> String {
        let kind = self.kind.to_lowercase();
        match self.api_version.split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{}", self.name),
            None => format!("{kind}/{}", self.name),
        }
    }
}
