//! ConfigMaps.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{AGE, Column, Metadata, NAME, Printer};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Data", "How many keys there are, binary ones too."),
        AGE,
    ],
    cells: |json, now| {
        let map: View = serde_json::from_slice(json)?;
        let keys = map.data.len() + map.binary_data.len();
        Ok(vec![
            map.metadata.name.as_str().into(),
            (keys as i64).into(),
            map.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    binary_data: BTreeMap<String, IgnoredAny>,
}
