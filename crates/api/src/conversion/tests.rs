//! Tests of `conversion`.

use serde_json::{Value, json};

use crate::kinds::{HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER_V1, Resource};
use crate::object::{Duplicates, decode};

fn convert(from: &'static Resource, to: &'static Resource, object: &Value) -> Value {
    let decoded = decode(from, object.to_string().as_bytes(), Duplicates::Ignore).unwrap();
    let converted = super::horizontal_pod_autoscaler(decoded.object, to);
    assert_eq!(converted.resource(), to);
    serde_json::from_slice(&converted.to_json()).unwrap()
}

fn autoscaler() -> Value {
    let named = |name: &str| json!({"name": name, "selector": {"matchLabels": {"a": "b"}}});
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default", "annotations": {"mine": "x"}},
        "spec": {
            "minReplicas": 2, "maxReplicas": 10,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [
                {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
                {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": {"type": "Utilization", "averageUtilization": 5}}},
                {"type": "Pods", "pods": {"metric": named("hits"), "target": {"type": "AverageValue", "averageValue": "5"}}},
                {"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "s"}, "metric": named("rate"), "target": {"type": "Value", "value": "7"}}},
                {"type": "External", "external": {"metric": named("queue"), "target": {"type": "AverageValue", "averageValue": "30"}}},
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}},
            ],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        },
        "status": {
            "currentReplicas": 3, "desiredReplicas": 4,
            "conditions": [{"type": "AbleToScale", "status": "True"}],
            "currentMetrics": [
                {"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "rate"}, "current": {"value": "6"}}},
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 55}}},
            ],
        },
    })
}

#[test]
fn an_autoscaler_comes_back_whole() {
    let there = convert(
        HORIZONTAL_POD_AUTOSCALER,
        HORIZONTAL_POD_AUTOSCALER_V1,
        &autoscaler(),
    );
    assert_eq!(there["apiVersion"], "autoscaling/v1");
    assert_eq!(there["spec"]["targetCPUUtilizationPercentage"], 60);
    assert_eq!(there["status"]["currentCPUUtilizationPercentage"], 55);
    assert_eq!(there["metadata"]["annotations"]["mine"], "x");
    let back = convert(HORIZONTAL_POD_AUTOSCALER_V1, HORIZONTAL_POD_AUTOSCALER, &there);
    assert_eq!(back, autoscaler());
}

#[test]
fn annotations_have_the_form_of_upstream() {
    let there = convert(
        HORIZONTAL_POD_AUTOSCALER,
        HORIZONTAL_POD_AUTOSCALER_V1,
        &autoscaler(),
    );
    let annotation = |name: &str| -> Value {
        let text =
            there["metadata"]["annotations"][format!("autoscaling.alpha.kubernetes.io/{name}")].as_str();
        serde_json::from_str(text.unwrap()).unwrap()
    };
    let selector = json!({"matchLabels": {"a": "b"}});
    assert_eq!(
        annotation("metrics"),
        json!([
            {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "targetAverageUtilization": 5}},
            {"type": "Pods", "pods": {"metricName": "hits", "selector": selector, "targetAverageValue": "5"}},
            {"type": "Object", "object": {"target": {"kind": "Service", "name": "s"}, "metricName": "rate", "selector": selector, "targetValue": "7"}},
            {"type": "External", "external": {"metricName": "queue", "metricSelector": selector, "targetAverageValue": "30"}},
        ])
    );
    assert_eq!(
        annotation("behavior"),
        json!({"scaleDown": {"stabilizationWindowSeconds": 60}})
    );
    assert_eq!(
        annotation("conditions"),
        json!([{"type": "AbleToScale", "status": "True"}])
    );
}

#[test]
fn an_annotation_that_is_no_metric_stays_one() {
    let old = json!({
        "metadata": {"name": "web", "annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{bad"}},
        "spec": {"maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "targetCPUUtilizationPercentage": 50},
    });
    let new = convert(HORIZONTAL_POD_AUTOSCALER_V1, HORIZONTAL_POD_AUTOSCALER, &old);
    assert_eq!(
        new["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"],
        "{bad"
    );
    assert_eq!(new["spec"]["metrics"].as_array().unwrap().len(), 1);
}
