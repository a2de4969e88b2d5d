//! Rules, reviews and policies, without a network.

mod asking;
mod versions;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use coracle_api::{ApiError, Resource, kinds};
use coracle_service::Peer;
use serde_json::{Value, json};

use crate::{
    Access, Attributes, Lookup, NoAccess, Objects, Operation, Verdict,
    policy::{self, Input, Policy},
    review,
    rules::Rules,
};

/// Nothing but namespace `default`, and a ConfigMap with parameters.
struct Few;

#[async_trait]
impl Lookup for Few {
    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Bytes> {
        let object = match (resource.kind, namespace, name) {
            ("Namespace", "", "default") => json!({"metadata": {"name": name, "labels": {"env": "test"}}}),
            ("ConfigMap", "default", "limits") => json!({"metadata": {"name": name}, "data": {"max": "3"}}),
            _ => return None,
        };
        Some(object.to_string().into())
    }

    fn list(&self, _resource: &'static Resource, _namespace: &str) -> Vec<Bytes> {
        Vec::new()
    }

    fn find(&self, api_version: &str, kind: &str) -> Option<&'static Resource> {
        kinds::of_object(api_version, kind)
    }

    fn versions(&self, resource: &'static Resource) -> Vec<&'static Resource> {
        let all = kinds::RESOURCES.iter().copied();
        all.filter(|own| own.storage() == resource.storage()).collect()
    }

    async fn convert(&self, json: &Bytes, _wanted: &'static Resource) -> Result<Bytes, ApiError> {
        Ok(json.clone())
    }
}

fn attributes(operation: Operation, resource: &'static Resource, subresource: &str) -> Attributes {
    Attributes {
        operation,
        resource,
        stored: resource,
        subresource: subresource.to_owned(),
        namespace: if resource.namespaced {
            "default".to_owned()
        } else {
            String::new()
        },
        name: "x".to_owned(),
        peer: Arc::new(Peer::anonymous()),
        dry_run: false,
        field_manager: "kubectl".to_owned(),
    }
}

#[test]
fn rules_match_by_operation_resource_and_scope() {
    let check = |rule: Value, operation, resource: &'static Resource, subresource, expected| {
        let rules: Vec<_> = vec![serde_json::from_value(rule.clone()).unwrap()];
        let found = Rules::of_webhook(rules, None).may_match(operation, resource, subresource, &Few);
        assert_eq!(
            found.is_some(),
            expected,
            "{rule} {operation:?} {resource}/{subresource}"
        );
    };
    let rule = |groups: &str, operations: &str, resources: &str, scope: &str| {
        json!({
            "apiGroups": [groups], "apiVersions": ["v1"], "operations": [operations], "resources": [resources],
            "scope": scope,
        })
    };
    use Operation::{Create, Delete, Update};
    check(rule("", "CREATE", "pods", "*"), Create, kinds::POD, "", true);
    check(rule("", "CREATE", "pods", "*"), Update, kinds::POD, "", false);
    check(rule("", "*", "pods", "*"), Delete, kinds::POD, "", true);
    check(rule("", "*", "pods", "*"), Update, kinds::POD, "status", false);
    check(
        rule("", "*", "pods/status", "*"),
        Update,
        kinds::POD,
        "status",
        true,
    );
    check(rule("", "*", "pods/*", "*"), Update, kinds::POD, "", true);
    check(rule("", "*", "*", "*"), Update, kinds::POD, "status", false);
    check(
        rule("*", "*", "*/*", "*"),
        Update,
        kinds::DEPLOYMENT,
        "scale",
        true,
    );
    check(rule("", "*", "*", "*"), Update, kinds::DEPLOYMENT, "", false);
    check(rule("*", "*", "*", "Cluster"), Update, kinds::POD, "", false);
    check(rule("*", "*", "*", "Cluster"), Update, kinds::NODE, "", true);
    check(rule("*", "*", "*", "Namespaced"), Update, kinds::NODE, "", false);
}

#[test]
fn a_review_carries_the_objects_as_they_are() {
    let attributes = attributes(Operation::Update, kinds::DEPLOYMENT, "scale");
    let objects = Objects {
        object: Some(Bytes::from_static(br#"{"a":1}"#)),
        old: None,
    };
    let body = review::body(&attributes.request(kinds::DEPLOYMENT), "u-1", &objects);
    let review: Value = serde_json::from_slice(&body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&review).unwrap());
}

#[test]
fn answers_are_read_with_suspicion() {
    let check = |answer: Value, expected: &str| {
        let outcome = review::read(answer.to_string().as_bytes(), "u-1")
            .and_then(|response| response.apply(Some(&Bytes::from_static(br#"{"a":1}"#))));
        let found = match outcome {
            Ok(object) => format!("{object:?}"),
            Err(why) => why,
        };
        assert!(found.contains(expected), "{answer}: {found}");
    };
    let review = |response: Value| json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    let patch = |patch: &str| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        review(
            json!({"uid": "u-1", "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch)}),
        )
    };
    check(review(json!({"uid": "u-1", "allowed": true})), "None");
    check(
        review(json!({"uid": "u-2"})),
        "expected response.uid=\"u-1\", got \"u-2\"",
    );
    check(
        json!({"kind": "Pod"}),
        "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview",
    );
    check(
        patch(r#"[{"op":"add","path":"/b","value":2}]"#),
        r#"{\"a\":1,\"b\":2}"#,
    );
    check(patch("[]"), "None");
    check(patch(r#"[{"op":"remove","path":"/b"}]"#), "path");
    check(
        review(json!({"uid": "u-1", "patch": "W10="})),
        "response.patch but not response.patchType",
    );
}

#[test]
fn denials_are_worded_as_upstream_words_them() {
    let check = |status: Value, code: u16, message: &str| {
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": "u", "allowed": false, "status": status},
        });
        let response = review::read(answer.to_string().as_bytes(), "u").unwrap();
        let error = response.denial("w.example.com");
        assert_eq!((error.code(), error.message()), (code, message));
    };
    let denied = "admission webhook \"w.example.com\" denied the request";
    check(
        json!({"message": "no", "code": 403, "reason": "Forbidden"}),
        403,
        &format!("{denied}: no"),
    );
    check(json!({"message": "no"}), 400, &format!("{denied}: no"));
    check(
        json!({"reason": "Gone", "code": 200}),
        400,
        &format!("{denied}: Gone"),
    );
    check(json!(null), 400, &format!("{denied} without explanation"));
}

/// Judges a Deployment with `replicas` by a policy whose spec is `spec`.
fn judge(spec: Value, binding: Value, replicas: i64) -> Result<Verdict, ApiError> {
    judge_with(spec, binding, replicas, &(Arc::new(NoAccess) as Arc<dyn Access>))
}

fn judge_with(
    spec: Value,
    binding: Value,
    replicas: i64,
    access: &Arc<dyn Access>,
) -> Result<Verdict, ApiError> {
    let mut spec = spec;
    spec["matchConstraints"] = json!({"resourceRules": [{
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"],
    }]});
    let mut policy =
        Policy::new(serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap());
    let mut binding = binding;
    binding["policyName"] = "p".into();
    policy.bind(&serde_json::from_value(json!({"metadata": {"name": "b"}, "spec": binding})).unwrap());
    let attributes = attributes(Operation::Create, kinds::DEPLOYMENT, "");
    let object = json!({"metadata": {"name": "x", "namespace": "default"}, "spec": {"replicas": replicas}});
    let objects = Objects {
        object: Some(object.to_string().into()),
        old: None,
    };
    let policies = [policy];
    let matched = policy::gather(&policies, &attributes, &objects, &Few);
    let namespace = Few.get(kinds::NAMESPACE, "", "default");
    let input = Input::new(
        &attributes,
        kinds::DEPLOYMENT,
        &objects,
        namespace.as_ref(),
        access,
    );
    policy::evaluate(&policies, &matched, &attributes, &[input])
}

fn refusal(spec: Value, binding: Value, replicas: i64) -> String {
    match judge(spec, binding, replicas) {
        Ok(verdict) => format!("ok {:?}", verdict.warnings),
        Err(error) => format!("{} {}", error.code(), error.message()),
    }
}

#[test]
fn policies_judge_what_they_match() {
    const DENIED: &str = "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";
    let check = |spec: Value, binding: Value, replicas: i64, expected: &str| {
        assert_eq!(
            refusal(spec.clone(), binding, replicas).replace(DENIED, "! "),
            expected,
            "{spec}"
        );
    };
    let deny = || json!({"validationActions": ["Deny"]});
    let small = || json!({"validations": [{"expression": "object.spec.replicas <= 5"}]});
    check(small(), deny(), 5, "ok []");
    check(
        small(),
        deny(),
        6,
        "422 ! failed expression: object.spec.replicas <= 5",
    );
    let warned = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: \
                  object.spec.replicas <= 5";
    check(
        small(),
        json!({"validationActions": ["Warn", "Audit"]}),
        6,
        &format!("ok [{warned:?}]"),
    );
    let worded = json!({"validations": [{
        "expression": "object.spec.replicas <= 5", "reason": "Forbidden", "message": "too many",
        "messageExpression": "'at most 5, not ' + string(object.spec.replicas)",
    }]});
    check(worded, deny(), 6, "403 ! at most 5, not 6");
    let composed = json!({
        "variables": [{"name": "n", "expression": "object.spec.replicas"}, {"name": "m", "expression": "variables.n + 1"}],
        "validations": [{"expression": "variables.m == 7 && oldObject == null && request.operation == 'CREATE'"}],
    });
    check(composed, deny(), 6, "ok []");
    let namespaced = json!({
        "matchConditions": [{"name": "test", "expression": "namespaceObject.metadata.labels.env == 'prod'"}],
        "validations": [{"expression": "false"}],
    });
    check(namespaced, deny(), 6, "ok []");
    let elsewhere = json!({
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {"env": "prod"}}},
    });
    check(small(), elsewhere, 6, "ok []");
}

#[test]
fn policies_take_parameters() {
    let spec = json!({
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "object.spec.replicas <= int(params.data.max)", "message": "too many"}],
    });
    let by = |name: &str, action: &str| json!({"validationActions": ["Deny"], "paramRef": {"name": name, "parameterNotFoundAction": action}});
    assert_eq!(refusal(spec.clone(), by("limits", "Deny"), 3), "ok []");
    assert!(refusal(spec.clone(), by("limits", "Deny"), 4).ends_with("denied request: too many"));
    assert!(refusal(spec.clone(), by("none", "Deny"), 3).contains("no params found for policy binding"));
    assert_eq!(refusal(spec, by("none", "Allow"), 9), "ok []");
}

#[test]
fn what_cannot_be_evaluated_is_treated_as_the_policy_says() {
    let broken =
        |policy: &str| json!({"failurePolicy": policy, "validations": [{"expression": "object.nope.x"}]});
    let deny = json!({"validationActions": ["Deny"]});
    assert!(
        refusal(broken("Fail"), deny.clone(), 1).contains("expression 'object.nope.x' resulted in error")
    );
    assert_eq!(refusal(broken("Ignore"), deny.clone(), 1), "ok []");
    let unread = json!({"validations": [{"expression": "object.("}]});
    assert!(refusal(unread, deny, 1).contains("compilation failed"));
}
