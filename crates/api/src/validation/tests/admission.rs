//! Webhook configurations and admission policies.

use serde_json::{Value, json};

use super::mistakes;
use crate::kinds;

fn webhook() -> Value {
    json!({"name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:9443/mutate"},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]})
}

#[test]
fn webhooks() {
    let check = |change: Value, expected: &str| {
        let mut webhook = webhook();
        crate::patch::merge::merge(&mut webhook, change);
        let configuration = json!({"metadata": {"name": "c"}, "webhooks": [webhook]});
        assert_eq!(
            mistakes(kinds::VALIDATING_WEBHOOK_CONFIGURATION, &configuration, json!({})),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"name": "a.b"}),
        "webhooks[0].name: Invalid value: \"a.b\": should be a domain with at least three segments separated by dots",
    );
    check(
        json!({"sideEffects": null}),
        "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
    );
    check(
        json!({"sideEffects": "Some"}),
        "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
    );
    check(
        json!({"admissionReviewVersions": ["v3"]}),
        "webhooks[0].admissionReviewVersions: Invalid value: []string{\"v3\"}: must include at least one of v1, v1beta1",
    );
    check(
        json!({"timeoutSeconds": 31}),
        "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
    );
    check(
        json!({"clientConfig": {"url": "http://x"}}),
        "webhooks[0].clientConfig.url: Invalid value: \"http://x\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
    );
    check(
        json!({"clientConfig": {"url": null}}),
        "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
    );
    check(
        json!({"clientConfig": {"url": null, "service": {"name": "s", "namespace": "n", "path": "p", "port": 0}}}),
        "[webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive, webhooks[0].clientConfig.service.path: Invalid value: \"p\": must start with a '/']",
    );
    check(
        json!({"rules": [{"operations": ["*", "CREATE"], "apiGroups": ["*"], "apiVersions": [], "resources": ["pods"], "scope": "All"}]}),
        "[webhooks[0].rules[0].apiVersions: Required value, webhooks[0].rules[0].operations: Invalid value: []string{\"*\", \"CREATE\"}: if '*' is present, must not specify other operations, webhooks[0].rules[0].scope: Unsupported value: \"All\": supported values: \"*\", \"Cluster\", \"Namespaced\"]",
    );
    check(
        json!({"matchConditions": [{"name": "a", "expression": "true"}, {"name": "a", "expression": ""}]}),
        "[webhooks[0].matchConditions[1].expression: Required value, webhooks[0].matchConditions[1].name: Duplicate value: \"a\"]",
    );
    let twice = json!({"metadata": {"name": "c"}, "webhooks": [webhook(), webhook()]});
    assert_eq!(
        mistakes(kinds::MUTATING_WEBHOOK_CONFIGURATION, &twice, json!({})),
        "webhooks[1].name: Duplicate value: \"a.example.com\"",
    );
}

#[test]
fn policies() {
    let rule =
        json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
    let policy = json!({"metadata": {"name": "p"}, "spec": {"matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "true"}]}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(
                kinds::VALIDATING_ADMISSION_POLICY,
                &policy,
                json!({ "spec": change })
            ),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"matchConstraints": null}),
        "spec.matchConstraints: Required value",
    );
    check(
        json!({"validations": null}),
        "[spec.validations: Required value: validations or auditAnnotations must contain at least one item, spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item]",
    );
    check(
        json!({"validations": [{"expression": " ", "reason": "Because"}]}),
        "[spec.validations[0].expression: Required value: expression is not specified, spec.validations[0].reason: Unsupported value: \"Because\": supported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\", \"Unauthorized\"]",
    );
    check(
        json!({"variables": [{"name": "1a", "expression": "1"}]}),
        "spec.variables[0].name: Invalid value: \"1a\": name is not a valid CEL identifier",
    );
}

#[test]
fn policy_bindings() {
    let binding =
        json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(
                kinds::VALIDATING_ADMISSION_POLICY_BINDING,
                &binding,
                json!({ "spec": change })
            ),
            expected
        );
    };
    check(json!({}), "");
    check(json!({"policyName": null}), "spec.policyName: Required value");
    check(
        json!({"validationActions": null}),
        "spec.validationActions: Required value",
    );
    check(
        json!({"validationActions": ["Audit", "Audit"]}),
        "spec.validationActions[1]: Duplicate value: \"Audit\"",
    );
    check(
        json!({"validationActions": ["Deny", "Warn"]}),
        "spec.validationActions: Invalid value: []string{\"Deny\", \"Warn\"}: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
    );
    check(
        json!({"paramRef": {"parameterNotFoundAction": "Deny"}}),
        "spec.paramRef: Required value: one of name or selector must be specified",
    );
}
