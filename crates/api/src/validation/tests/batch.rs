//! Jobs, CronJobs and HorizontalPodAutoscalers.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

fn template() -> Value {
    json!({"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "u", "batch.kubernetes.io/job-name": "j"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "nginx"}]}})
}

fn job() -> Value {
    json!({"metadata": {"name": "j", "namespace": "default", "uid": "u"}, "spec": {
        "completions": 1, "parallelism": 1, "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}, "template": template()}})
}

#[test]
fn jobs() {
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::JOB, &job(), json!({ "spec": change })), expected);
    };
    check(json!({}), "");
    check(
        json!({"template": {"spec": {"restartPolicy": null}}}),
        "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
    );
    check(
        json!({"completions": -1}),
        "spec.completions: Invalid value: -1: must be greater than or equal to 0",
    );
    check(
        json!({"completionMode": "Indexed", "completions": null}),
        "spec.completions: Required value: when completion mode is Indexed",
    );
    check(
        json!({"completionMode": "Sorted"}),
        "spec.completionMode: Unsupported value: \"Sorted\": supported values: \"Indexed\", \"NonIndexed\"",
    );
    check(
        json!({"backoffLimitPerIndex": 1}),
        "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
    );
    check(
        json!({"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": null, "batch.kubernetes.io/job-name": "j"}}}),
        "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"batch.kubernetes.io/job-name\":\"j\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: `selector` not auto-generated",
    );
    check(
        json!({"podFailurePolicy": {"rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
            "template": {"spec": {"restartPolicy": "OnFailure"}}}),
        "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified",
    );
}

#[test]
fn what_a_job_is_made_of_stands_for_ever() {
    let check = |change: Value, expected: &str| {
        let base = job();
        let shown = update_mistakes(kinds::JOB, &base, json!({ "spec": change }));
        assert!(
            if expected.is_empty() {
                shown.is_empty()
            } else {
                shown.starts_with(expected) && shown.ends_with("field is immutable")
            },
            "{shown}"
        );
    };
    check(
        json!({"parallelism": 4, "suspend": true, "activeDeadlineSeconds": 5}),
        "",
    );
    check(json!({"completions": 4}), "spec.completions: Invalid value: 4");
    check(
        json!({"template": {"spec": {"containers": [{"name": "c", "image": "b"}]}}}),
        "spec.template: Invalid value: ",
    );
    let suspended = |change: Value| {
        let mut base = job();
        base["spec"]["suspend"] = true.into();
        update_mistakes(kinds::JOB, &base, json!({ "spec": change }))
    };
    assert_eq!(
        suspended(json!({"suspend": false, "template": {"spec": {"nodeSelector": {"a": "b"}}}})),
        ""
    );
}

#[test]
fn cron_jobs() {
    let base = json!({"metadata": {"name": "c", "namespace": "default"}, "spec": {
        "schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": template()}}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::CRON_JOB, &base, change), expected);
    };
    let spec = |change: Value| json!({ "spec": change });
    check(json!({}), "");
    for schedule in [
        "0 0 1 jan *",
        "0-30/5 8-18 * * MON-FRI",
        "1,2,3 * ? * *",
        "@daily",
        "@every 1h30m",
        "5/15 * * * *",
    ] {
        check(spec(json!({"schedule": schedule})), "");
    }
    check(spec(json!({"schedule": ""})), "spec.schedule: Required value");
    check(
        spec(json!({"schedule": "* * * *"})),
        "spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found 4: [* * * *]",
    );
    check(
        spec(json!({"schedule": "60 * * * *"})),
        "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum (59): 60",
    );
    check(
        spec(json!({"schedule": "a * * * *"})),
        "spec.schedule: Invalid value: \"a * * * *\": failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
    );
    check(
        spec(json!({"schedule": "5-1 * * * *"})),
        "spec.schedule: Invalid value: \"5-1 * * * *\": beginning of range (5) beyond end of range (1): 5-1",
    );
    check(
        spec(json!({"schedule": "@never"})),
        "spec.schedule: Invalid value: \"@never\": unrecognized descriptor: @never",
    );
    check(
        spec(json!({"schedule": "TZ=UTC * * * * *"})),
        "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
    );
    check(spec(json!({"timeZone": "Europe/Berlin"})), "");
    check(
        spec(json!({"timeZone": "Mars/Base"})),
        "spec.timeZone: Invalid value: \"Mars/Base\": unknown time zone Mars/Base",
    );
    check(
        spec(json!({"concurrencyPolicy": "Maybe"})),
        "spec.concurrencyPolicy: Unsupported value: \"Maybe\": supported values: \"Allow\", \"Forbid\", \"Replace\"",
    );
    let long = "a".repeat(53);
    check(
        json!({"metadata": {"name": long}}),
        &format!("metadata.name: Invalid value: \"{long}\": must be no more than 52 characters"),
    );
    check(
        spec(json!({"jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}})),
        "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
    );
}

#[test]
fn autoscalers() {
    let base = json!({"metadata": {"name": "h", "namespace": "default"}, "spec": {
        "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::HORIZONTAL_POD_AUTOSCALER, &base, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"minReplicas": 0}),
        "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
    );
    check(
        json!({"minReplicas": 4}),
        "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
    );
    check(
        json!({"scaleTargetRef": {"name": ""}}),
        "spec.scaleTargetRef.name: Required value",
    );
    let metric = |metric: Value| json!({ "metrics": [metric] });
    check(
        metric(json!({"type": "Pods"})),
        "spec.metrics[0].pods: Required value: must populate information for the given metric source",
    );
    check(
        metric(json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}})),
        "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization",
    );
    check(
        metric(
            json!({"type": "External", "external": {"metric": {"name": "q"}, "target": {"type": "Value", "value": "-1"}}}),
        ),
        "spec.metrics[0].external.target.value: Invalid value: \"-1\": must be positive",
    );
    check(
        json!({"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}}}),
        "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
    );
    check(
        json!({"behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 60}]}}}),
        "spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero",
    );
}
