//! Events: `events.k8s.io/v1` is the core version with other names for its fields, so nothing is lost either way.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::events::v1 as events;

use crate::kinds::Resource;
use crate::object::Object;

/// Makes an Event of either version one of the other.
pub fn event(object: Box<dyn Object>, resource: &'static Resource) -> Box<dyn Object> {
    let is_core = resource.is_storage();
    if is_core && let Some(own) = object.downcast_ref::<events::Event>() {
        return Box::new(to_core(own.clone()));
    }
    if !is_core && let Some(own) = object.downcast_ref::<core::Event>() {
        return Box::new(to_events(own.clone()));
    }
    object
}

/// Selectable fields by their name in `events.k8s.io/v1` and in the core version.
pub const EVENT_FIELDS: &[(&str, &str)] = &[
    ("regarding.kind", "involvedObject.kind"),
    ("regarding.namespace", "involvedObject.namespace"),
    ("regarding.name", "involvedObject.name"),
    ("regarding.uid", "involvedObject.uid"),
    ("regarding.apiVersion", "involvedObject.apiVersion"),
    ("regarding.resourceVersion", "involvedObject.resourceVersion"),
    ("regarding.fieldPath", "involvedObject.fieldPath"),
    ("reportingController", "reportingComponent"),
];

fn to_core(own: events::Event) -> core::Event {
    let events::Event {
        action,
        deprecated_count,
        deprecated_first_timestamp,
        deprecated_last_timestamp,
        deprecated_source,
        event_time,
        metadata,
        note,
        reason,
        regarding,
        related,
        reporting_controller,
        reporting_instance,
        series,
        type_,
    } = own;
    core::Event {
        action,
        count: deprecated_count,
        event_time,
        first_timestamp: deprecated_first_timestamp,
        involved_object: regarding.unwrap_or_default(),
        last_timestamp: deprecated_last_timestamp,
        message: note,
        metadata,
        reason,
        related,
        reporting_component: reporting_controller,
        reporting_instance,
        series: series.map(|series| core::EventSeries {
            count: Some(series.count),
            last_observed_time: Some(series.last_observed_time),
        }),
        source: deprecated_source,
        type_,
    }
}

fn to_events(own: core::Event) -> events::Event {
    let core::Event {
        action,
        count,
        event_time,
        first_timestamp,
        involved_object,
        last_timestamp,
        message,
        metadata,
        reason,
        related,
        reporting_component,
        reporting_instance,
        series,
        source,
        type_,
    } = own;
    let series = series.and_then(|series| {
        Some(events::EventSeries {
            count: series.count.unwrap_or(0),
            last_observed_time: series.last_observed_time?,
        })
    });
    events::Event {
        action,
        deprecated_count: count,
        deprecated_first_timestamp: first_timestamp,
        deprecated_last_timestamp: last_timestamp,
        deprecated_source: source,
        event_time,
        metadata,
        note: message,
        reason,
        regarding: Some(involved_object),
        related,
        reporting_controller: reporting_component,
        reporting_instance,
        series,
        type_,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::kinds::{self, Resource};
    use crate::object::{Duplicates, decode};

    fn converted(from: &'static Resource, object: &Value, to: &'static Resource) -> Value {
        let object = decode(from, object.to_string().as_bytes(), Duplicates::Ignore)
            .unwrap()
            .object;
        serde_json::from_slice(&super::event(object, to).to_json()).unwrap()
    }

    #[test]
    fn there_and_back_loses_nothing() {
        let core = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "d"},
            "involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Started", "message": "Started container",
            "source": {"component": "kubelet", "host": "n"}, "count": 3, "type": "Normal",
            "firstTimestamp": "2026-11-22T15:51:44Z", "lastTimestamp": "2026-11-22T15:52:44Z",
            "eventTime": null, "reportingComponent": "kubelet", "reportingInstance": "n", "action": "Start",
            "series": {"count": 2, "lastObservedTime": "2026-11-22T15:52:44.000000Z"},
        });
        let other = converted(kinds::EVENT, &core, kinds::EVENTS_EVENT);
        assert_eq!(other["apiVersion"], "events.k8s.io/v1");
        assert_eq!(other["regarding"], core["involvedObject"]);
        assert_eq!(other["note"], "Started container");
        assert_eq!(other["deprecatedCount"], 3);
        assert_eq!(other["deprecatedSource"], core["source"]);
        assert_eq!(other["reportingController"], "kubelet");
        assert_eq!(other["series"]["count"], 2);
        let back = converted(kinds::EVENTS_EVENT, &other, kinds::EVENT);
        let direct = converted(kinds::EVENT, &core, kinds::EVENT);
        assert_eq!(back, direct);
    }
}
