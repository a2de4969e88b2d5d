//! Rules that name another version, or another group, of what is written.

use super::*;

fn rules(groups: &str, versions: &str, resources: &str, policy: Option<&str>) -> Rules {
    let rule = json!({
        "apiGroups": [groups], "apiVersions": [versions], "operations": ["*"], "resources": [resources],
    });
    Rules::of_webhook(vec![serde_json::from_value(rule).unwrap()], policy)
}

fn row(api_version: &str, kind: &str) -> &'static Resource {
    kinds::of_object(api_version, kind).unwrap()
}

#[test]
fn a_rule_for_one_version_is_a_rule_for_all() {
    let check = |rules: Rules, asked: &'static Resource, part: &str, expected: Option<&str>| {
        let found = rules.may_match(Operation::Create, asked, part, &Few);
        assert_eq!(
            found.map(|own| own.api_version),
            expected,
            "{rules:?} {asked}/{part}"
        );
    };
    let (first, second) = (
        row("autoscaling/v1", "HorizontalPodAutoscaler"),
        row("autoscaling/v2", "HorizontalPodAutoscaler"),
    );
    let hpa = "horizontalpodautoscalers";
    check(
        rules("autoscaling", "v1", hpa, None),
        first,
        "",
        Some("autoscaling/v1"),
    );
    check(
        rules("autoscaling", "v1", hpa, None),
        second,
        "",
        Some("autoscaling/v1"),
    );
    check(
        rules("autoscaling", "v2", hpa, Some("Equivalent")),
        first,
        "",
        Some("autoscaling/v2"),
    );
    check(rules("autoscaling", "v1", hpa, Some("Exact")), second, "", None);
    check(
        rules("autoscaling", "v1", hpa, Some("Exact")),
        first,
        "",
        Some("autoscaling/v1"),
    );
    check(rules("autoscaling", "v3", hpa, None), first, "", None);
    // Who names all versions gets the one that is spoken.
    check(
        rules("autoscaling", "*", hpa, None),
        first,
        "",
        Some("autoscaling/v1"),
    );
    check(
        rules("autoscaling", "*", hpa, None),
        second,
        "",
        Some("autoscaling/v2"),
    );
    let status = "horizontalpodautoscalers/status";
    check(
        rules("autoscaling", "v1", status, None),
        second,
        "status",
        Some("autoscaling/v1"),
    );
    check(rules("autoscaling", "v1", status, None), second, "", None);
    // Events are the same objects in both of their groups.
    let (core, events) = (row("v1", "Event"), row("events.k8s.io/v1", "Event"));
    check(rules("", "v1", "events", None), events, "", Some("v1"));
    check(
        rules("events.k8s.io", "v1", "events", None),
        core,
        "",
        Some("events.k8s.io/v1"),
    );
    check(
        rules("events.k8s.io", "v1", "events", Some("Exact")),
        core,
        "",
        None,
    );
    check(rules("", "v1", "pods", None), core, "", None);
}

#[test]
fn the_request_tells_both_versions() {
    let asked = row("autoscaling/v1", "HorizontalPodAutoscaler");
    let shown = row("autoscaling/v2", "HorizontalPodAutoscaler");
    let request = attributes(Operation::Create, asked, "").request(shown);
    assert_eq!(request["kind"]["version"], "v2");
    assert_eq!(request["resource"]["version"], "v2");
    assert_eq!(request["requestKind"]["version"], "v1");
    assert_eq!(request["requestResource"]["version"], "v1");
}

#[test]
fn policies_are_matched_alike() {
    let check = |extra: Value, asked: &'static Resource, expected: Option<&str>| {
        let rule = json!({
            "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "operations": ["CREATE"],
            "resources": ["horizontalpodautoscalers"],
        });
        let mut constraints = json!({"resourceRules": [rule]});
        for (name, value) in extra.as_object().unwrap() {
            constraints[name] = value.clone();
        }
        let spec = json!({"matchConstraints": constraints, "validations": [{"expression": "true"}]});
        let policy = json!({"metadata": {"name": "p"}, "spec": spec});
        let mut policy = Policy::new(serde_json::from_value(policy).unwrap());
        let binding =
            json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
        policy.bind(&serde_json::from_value(binding).unwrap());
        let objects = Objects {
            object: Some(Bytes::from_static(b"{}")),
            old: None,
        };
        let matched = policy::gather(
            &[policy],
            &attributes(Operation::Create, asked, ""),
            &objects,
            &Few,
        );
        assert_eq!(
            matched.first().map(|own| own.version.api_version),
            expected,
            "{extra}"
        );
    };
    let first = row("autoscaling/v1", "HorizontalPodAutoscaler");
    check(json!({}), first, Some("autoscaling/v2"));
    check(json!({"matchPolicy": "Exact"}), first, None);
    let excluded = json!([{
        "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "operations": ["*"],
        "resources": ["horizontalpodautoscalers"],
    }]);
    check(json!({"excludeResourceRules": excluded}), first, None);
}
