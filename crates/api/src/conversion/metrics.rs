//! The form that metrics have in annotations of `autoscaling/v1`: flat, where `autoscaling/v2` nests the metric and its
//! target. One table says which field goes where, for targets and for what was measured.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Whether metrics are those of the spec or of the status.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What is aimed at.
    Spec,
    /// What was measured.
    Status,
}

impl Side {
    /// The field of `autoscaling/v2` that holds the amounts, and the beginning of their names in the flat form.
    fn name(self) -> &'static str {
        match self {
            Self::Spec => "target",
            Self::Status => "current",
        }
    }
}

/// Where a field stands in `autoscaling/v2` and what the flat form calls it.
enum Place {
    /// Directly in the source, under both names.
    Own(&'static str, &'static str),
    /// In the description of the metric.
    Metric(&'static str, &'static str),
    /// Among the amounts; the flat name follows the side's.
    Amount(&'static str, &'static str),
    /// Among the amounts, under the same name in the flat form.
    BareAmount(&'static str),
}

use Place::{Amount, BareAmount, Metric, Own};

/// The sources of metrics by the field that holds them.
const SOURCES: &[(&str, &[Place])] = &[
    (
        "resource",
        &[
            Own("name", "name"),
            Amount("averageUtilization", "AverageUtilization"),
            Amount("averageValue", "AverageValue"),
        ],
    ),
    (
        "containerResource",
        &[
            Own("name", "name"),
            Own("container", "container"),
            Amount("averageUtilization", "AverageUtilization"),
            Amount("averageValue", "AverageValue"),
        ],
    ),
    (
        "pods",
        &[
            Metric("name", "metricName"),
            Metric("selector", "selector"),
            Amount("averageValue", "AverageValue"),
        ],
    ),
    (
        "object",
        &[
            Own("describedObject", "target"),
            Metric("name", "metricName"),
            Metric("selector", "selector"),
            Amount("value", "Value"),
            BareAmount("averageValue"),
        ],
    ),
    (
        "external",
        &[
            Metric("name", "metricName"),
            Metric("selector", "metricSelector"),
            Amount("value", "Value"),
            Amount("averageValue", "AverageValue"),
        ],
    ),
];

/// Metrics of `autoscaling/v2` in the flat form.
pub(super) fn write<T: Serialize>(metrics: &[T], side: Side) -> String {
    let flat = metrics.iter().map(|metric| {
        let mut metric = serde_json::to_value(metric).unwrap_or_default();
        for (field, places) in SOURCES {
            if let Some(source) = metric.get_mut(field) {
                *source = flatten(source, places, side);
            }
        }
        metric
    });
    Value::Array(flat.collect()).to_string()
}

/// Metrics in the flat form as those of `autoscaling/v2`; `None` where the text is none.
pub(super) fn read<T: DeserializeOwned>(text: &str, side: Side) -> Option<Vec<T>> {
    let mut metrics: Vec<Value> = serde_json::from_str(text).ok()?;
    for metric in &mut metrics {
        for (field, places) in SOURCES {
            if let Some(source) = metric.get_mut(field) {
                *source = nest(source, places, side);
            }
        }
    }
    serde_json::from_value(Value::Array(metrics)).ok()
}

fn flatten(source: &Value, places: &[Place], side: Side) -> Value {
    let amounts = side.name();
    let mut flat = Map::new();
    for place in places {
        let (value, name) = match place {
            Own(from, to) => (source.get(from), (*to).to_owned()),
            Metric(from, to) => (source["metric"].get(from), (*to).to_owned()),
            Amount(from, to) => (source[amounts].get(from), format!("{amounts}{to}")),
            BareAmount(name) => (source[amounts].get(name), (*name).to_owned()),
        };
        if let Some(value) = value {
            flat.insert(name, value.clone());
        }
    }
    Value::Object(flat)
}

fn nest(flat: &Value, places: &[Place], side: Side) -> Value {
    let (mut own, mut metric, mut amounts) = (Map::new(), Map::new(), Map::new());
    for place in places {
        let (map, to, value) = match place {
            Own(to, from) => (&mut own, *to, flat.get(from)),
            Metric(to, from) => (&mut metric, *to, flat.get(from)),
            Amount(to, from) => {
                let from = format!("{}{from}", side.name());
                (&mut amounts, *to, flat.get(&from))
            }
            BareAmount(name) => (&mut amounts, *name, flat.get(name)),
        };
        if let Some(value) = value.filter(|value| !value.is_null()) {
            map.insert(to.to_owned(), value.clone());
        }
    }
    // The flat form always has the value of an object; beside an average it says nothing.
    if amounts.contains_key("averageValue") {
        amounts.remove("value");
    }
    if side == Side::Spec {
        let kind = if amounts.contains_key("averageUtilization") {
            "Utilization"
        } else if amounts.contains_key("averageValue") {
            "AverageValue"
        } else {
            "Value"
        };
        amounts.insert("type".to_owned(), kind.into());
    }
    if !metric.is_empty() {
        own.insert("metric".to_owned(), Value::Object(metric));
    }
    own.insert(side.name().to_owned(), Value::Object(amounts));
    Value::Object(own)
}
