//! What the strategies say of objects, and that there is one for every kind.

use coracle_api::{Resource, kinds};
use serde_json::{Value, json};

use super::{Attributes, describe, of};

fn attributes(resource: &'static Resource, object: &Value) -> Attributes {
    describe(resource, object.to_string().as_bytes()).unwrap()
}

#[test]
fn every_kind_has_a_strategy_and_describes_its_selectable_fields() {
    for resource in kinds::RESOURCES {
        assert_eq!(of(resource).resource(), resource.storage());
        let object = json!({"metadata": {"name": "x"}});
        for (field, _) in &attributes(resource, &object).fields {
            assert!(
                resource.selectable_fields.contains(field),
                "{resource} does not know field {field}"
            );
        }
    }
}

#[test]
fn fields_are_read_from_where_they_stand() {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "d", "labels": {"b": "2", "a": "1"}},
        "spec": {"nodeName": "n", "containers": [], "hostNetwork": true},
        "status": {"phase": "Running", "podIP": "127.64.0.2", "podIPs": [{"ip": "127.64.0.2"}]},
    });
    let pod = attributes(kinds::POD, &pod);
    let fields = [
        "metadata.name",
        "spec.nodeName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIPs",
        "unknown",
    ];
    let values: Vec<&str> = fields.iter().map(|field| pod.field(field)).collect();
    assert_eq!(values, ["p", "n", "true", "Running", "127.64.0.2", ""]);
    assert_eq!(pod.labels.get("a"), Some("1"));
    let event = json!({
        "metadata": {"name": "e", "namespace": "d"},
        "involvedObject": {"kind": "Pod", "name": "p"}, "reportingComponent": "node", "type": "Warning",
    });
    let event = attributes(kinds::EVENT, &event);
    assert_eq!(
        (event.field("involvedObject.name"), event.field("source")),
        ("p", "node")
    );
    assert_eq!(
        attributes(kinds::NODE, &json!({"metadata": {"name": "n"}})).field("spec.unschedulable"),
        "false"
    );
}

#[test]
fn the_quality_of_service_follows_from_requests_and_limits() {
    let class = |resources: Value| {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": resources}]}});
        let behaviour = of(kinds::POD);
        let mut pod = behaviour.parse(pod.to_string().as_bytes()).unwrap();
        behaviour.prepare_create(&mut *pod);
        let json: Value = serde_json::from_slice(&pod.to_json()).unwrap();
        json["status"]["qosClass"].as_str().unwrap().to_owned()
    };
    assert_eq!(class(json!({})), "BestEffort");
    assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
    let both = json!({"cpu": "1", "memory": "1Gi"});
    assert_eq!(class(json!({"requests": both, "limits": both})), "Guaranteed");
    assert_eq!(class(json!({"limits": both})), "Guaranteed");
}
