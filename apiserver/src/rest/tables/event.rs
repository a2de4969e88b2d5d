//! Events, in either of their versions.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Cell, Column, Metadata, NAME, Printer, since};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        Column::text("Last Seen", "Time since it happened last."),
        Column::text("Type", "Normal or Warning."),
        Column::text("Reason", "What happened, in one word."),
        Column::text("Object", "The object that it happened to."),
        Column::text("Subobject", "The part of the object.").wide(),
        Column::text("Source", "Who reported it.").wide(),
        Column::text("Message", "What happened, for people."),
        Column::text("First Seen", "Time since it happened first.").wide(),
        Column::number("Count", "How often it happened.").wide(),
        NAME.wide(),
    ],
    cells,
};

fn cells(json: &[u8], now: Timestamp) -> Result<Vec<Cell>, serde_json::Error> {
    let event: View = serde_json::from_slice(json)?;
    let first_time = event.first_timestamp.as_deref().or(event.event_time.as_deref());
    let (last_time, count) = match &event.series {
        Some(series) => (series.last_observed_time.as_deref(), series.count),
        None => (event.last_timestamp.as_deref().or(first_time), event.count.max(1)),
    };
    let object = &event.involved_object;
    let kind = object.kind.to_lowercase();
    let target = if object.name.is_empty() {
        kind
    } else {
        format!("{kind}/{}", object.name)
    };
    Ok(vec![
        since(last_time, now).into(),
        event.kind.as_str().into(),
        event.reason.as_str().into(),
        target.into(),
        object.field_path.as_str().into(),
        event.reporter().into(),
        event.message.trim().into(),
        since(first_time, now).into(),
        count.into(),
        event.metadata.name.as_str().into(),
    ])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    metadata: Metadata,
    #[serde(default, alias = "deprecatedFirstTimestamp")]
    first_timestamp: Option<String>,
    #[serde(default, alias = "deprecatedLastTimestamp")]
    last_timestamp: Option<String>,
    #[serde(default)]
    event_time: Option<String>,
    #[serde(default)]
    series: Option<Series>,
    #[serde(default, alias = "deprecatedCount")]
    count: i64,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
    #[serde(default, alias = "note")]
    message: String,
    #[serde(default, alias = "regarding")]
    involved_object: Involved,
    #[serde(default, alias = "deprecatedSource")]
    source: Source,
    #[serde(default, alias = "reportingController")]
    reporting_component: String,
    #[serde(default)]
    reporting_instance: String,
}

impl View {
    /// The component, and the instance or host where one is known.
    fn reporter(&self) -> String {
        let first = |one: &str, other: &str| {
            if one.is_empty() {
                other.to_owned()
            } else {
                one.to_owned()
            }
        };
        let component = first(&self.source.component, &self.reporting_component);
        let instance = first(&self.source.host, &self.reporting_instance);
        if instance.is_empty() {
            component
        } else {
            format!("{component}, {instance}")
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: i64,
    last_observed_time: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Involved {
    kind: String,
    name: String,
    field_path: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    component: String,
    host: String,
}
