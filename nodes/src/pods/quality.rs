//! The quality of service class of a pod.

use coracle_api::Labels;

use super::view::{Resources, Spec};

/// The quality of service class, by upstream's rules over CPU and memory.
#[must_use]
pub fn qos_class(spec: &Spec) -> &'static str {
    let all = || spec.init_containers.iter().chain(&spec.containers);
    let set = |labels: &Labels| ["cpu", "memory"].iter().any(|name| labels.get(name).is_some());
    if !all().any(|container| set(&container.resources.requests) || set(&container.resources.limits)) {
        return "BestEffort";
    }
    let guaranteed = all().all(|container| {
        let Resources { requests, limits } = &container.resources;
        ["cpu", "memory"].iter().all(|name| {
            limits
                .get(name)
                .is_some_and(|limit| requests.get(name).is_none_or(|request| request == limit))
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_of_service_follows_requests_and_limits() {
        let check = |containers: &str, expected: &str| {
            let spec: Spec =
                serde_json::from_str(&format!(r#"{{"containers":[{containers}]}}"#)).expect("spec");
            assert_eq!(qos_class(&spec), expected, "{containers}");
        };
        let full = r#"{"name":"a","resources":{"limits":{"cpu":"1","memory":"1Gi"}}}"#;
        check(r#"{"name":"a"}"#, "BestEffort");
        check(
            r#"{"name":"a","resources":{"requests":{"cpu":"1"}}}"#,
            "Burstable",
        );
        check(full, "Guaranteed");
        check(&format!(r#"{full},{{"name":"b"}}"#), "Burstable");
    }
}
