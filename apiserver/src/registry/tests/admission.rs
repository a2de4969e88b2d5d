//! Webhooks and policies on the way of writes, with a real HTTPS server.

use std::sync::{Arc, atomic::Ordering};

use coracle_api::{ApiError, Resource, kinds};
use coracle_service::Identity;
use serde_json::{Value, json};

use super::super::{Context, DeleteOptions, Write};
use crate::testing::{
    Bench, config_map, deployment, json_of, pod, target,
    webhooks::{Webhooks, deny, warn},
};
use crate::{backends::ServiceBackends, rest::Nodes};

const MUTATING: &str = "MutatingWebhookConfiguration";
const VALIDATING: &str = "ValidatingWebhookConfiguration";

fn kind(kind: &str) -> &'static Resource {
    kinds::of_object("admissionregistration.k8s.io/v1", kind).unwrap()
}

/// One webhook at `path` for everything that happens to ConfigMaps.
fn webhook(hooks: &Webhooks, path: &str) -> Value {
    json!({
        "name": format!("{path}.example.com"),
        "clientConfig": hooks.client_config(path),
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 5,
    })
}

async fn configure(bench: &Bench, of: &str, name: &str, webhooks: Value) {
    let object = json!({"metadata": {"name": name}, "webhooks": webhooks});
    bench.create(kind(of), object).await.unwrap();
}

fn check_error<T: std::fmt::Debug>(outcome: Result<T, ApiError>, code: u16, message: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.code(), error.message()), (code, message));
}

#[tokio::test]
async fn webhooks_change_and_refuse_objects() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("mark", |review| {
        Webhooks::patch(
            review,
            json!([{"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}}]),
        )
    });
    hooks.on("judge", |review| {
        let is_marked = review["object"]["metadata"]["labels"]["seen"] == "yes";
        let is_complete = review["object"]["metadata"]["uid"].is_string();
        if is_marked && is_complete && review["object"]["data"]["key"] != "bad" {
            warn(review, "fine")
        } else {
            deny(review, "bad value")
        }
    });
    configure(&bench, MUTATING, "m", json!([webhook(&hooks, "mark")])).await;
    configure(&bench, VALIDATING, "v", json!([webhook(&hooks, "judge")])).await;
    let written = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    assert_eq!(json_of(&written.entry)["metadata"]["labels"]["seen"], "yes");
    assert_eq!(written.warnings, ["fine"]);

    let denied = "admission webhook \"judge.example.com\" denied the request: bad value";
    check_error(
        bench.create(kinds::CONFIG_MAP, config_map("b", "bad")).await,
        403,
        denied,
    );
    let patch = json!({"data": {"key": "bad"}});
    check_error(
        bench.patch(target(kinds::CONFIG_MAP, "a"), "", patch).await,
        403,
        denied,
    );
    let updated = bench
        .update(target(kinds::CONFIG_MAP, "a"), "", &config_map("a", "2"))
        .await
        .unwrap();
    assert_eq!(json_of(&updated.entry)["metadata"]["labels"]["seen"], "yes");

    // Other kinds are nobody's business.
    let asked = hooks.asked.load(Ordering::Relaxed);
    bench.create(kinds::POD, pod("p")).await.unwrap();
    assert_eq!(hooks.asked.load(Ordering::Relaxed), asked);
    // Nor is anything once the configurations are gone.
    for (of, name) in [(MUTATING, "m"), (VALIDATING, "v")] {
        bench
            .delete(target(kind(of), name), DeleteOptions::default())
            .await
            .unwrap();
    }
    bench
        .create(kinds::CONFIG_MAP, config_map("b", "bad"))
        .await
        .unwrap();
    assert_eq!(hooks.asked.load(Ordering::Relaxed), asked);
}

#[tokio::test]
async fn what_nobody_wants_to_see_takes_the_short_way() {
    let bench = Bench::new().await;
    let create = |resource, namespace: &str| Write::Create {
        resource,
        namespace: namespace.to_owned(),
        name: "x".to_owned(),
        body: "{}".into(),
    };
    let status = || Write::Update {
        target: target(kinds::POD, "x"),
        subresource: "status".to_owned(),
        body: "{}".into(),
    };
    assert!(
        bench
            .registry
            .passage(&create(kinds::CONFIG_MAP, "default"))
            .is_none()
    );
    let hooks = Webhooks::start().await;
    configure(&bench, VALIDATING, "v", json!([webhook(&hooks, "judge")])).await;
    let check = |write: Write, is_seen: bool| {
        assert_eq!(bench.registry.passage(&write).is_some(), is_seen, "{write:?}");
    };
    check(create(kinds::CONFIG_MAP, "default"), true);
    check(create(kinds::SECRET, "default"), false);
    check(create(kinds::NODE, ""), false);
    check(create(kind(VALIDATING), ""), false);
    check(status(), false);
}

#[tokio::test]
async fn policies_that_cannot_be_compiled_are_refused() {
    let bench = Bench::new().await;
    let policy = json!({
        "metadata": {"name": "p"},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            }]},
            "validations": [{"expression": "object.("}],
        },
    });
    let error = bench
        .create(kind("ValidatingAdmissionPolicy"), policy)
        .await
        .unwrap_err();
    assert_eq!(error.code(), 422);
    let expected = "spec.validations[0].expression: Invalid value: \"object.(\": compilation failed: ";
    assert!(error.message().contains(expected), "{error}");
}

#[tokio::test]
async fn deletes_are_judged_by_the_object_that_goes() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    bench
        .create(kinds::CONFIG_MAP, config_map("keep", "1"))
        .await
        .unwrap();
    bench
        .create(kinds::CONFIG_MAP, config_map("go", "1"))
        .await
        .unwrap();
    hooks.on("judge", |review| {
        match review["oldObject"]["metadata"]["name"].as_str() {
            Some("keep") if review["operation"] == "DELETE" && review["object"].is_null() => {
                deny(review, "it stays")
            }
            _ => Webhooks::allow(review),
        }
    });
    configure(&bench, VALIDATING, "v", json!([webhook(&hooks, "judge")])).await;
    let delete = |name| bench.delete(target(kinds::CONFIG_MAP, name), DeleteOptions::default());
    let denied = "admission webhook \"judge.example.com\" denied the request: it stays";
    check_error(delete("keep").await, 403, denied);
    assert!(delete("go").await.unwrap().removed);
    let writes = |name: &str| {
        vec![Write::Delete {
            target: target(kinds::CONFIG_MAP, name),
            options: DeleteOptions::default(),
        }]
    };
    let ctx = Context::internal();
    let mut results = bench.registry.batch(&ctx, writes("keep"), false).await.unwrap();
    check_error(results.remove(0), 403, denied);
    check_error(
        bench.registry.batch(&ctx, writes("keep"), true).await,
        403,
        denied,
    );
}

#[tokio::test]
async fn mutating_webhooks_come_in_order_and_again_where_needed() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    // Each appends its own letter once; `a` is asked again because `b` came after it.
    for letter in ["a", "b"] {
        hooks.on(letter, move |review| {
            let trail = review["object"]["data"]["key"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            Webhooks::patch(
                review,
                json!([{"op": "replace", "path": "/data/key", "value": trail + letter}]),
            )
        });
    }
    let mut again = webhook(&hooks, "a");
    again["reinvocationPolicy"] = "IfNeeded".into();
    configure(&bench, MUTATING, "2", json!([webhook(&hooks, "b")])).await;
    configure(&bench, MUTATING, "1", json!([again])).await;
    let written = bench
        .create(kinds::CONFIG_MAP, config_map("x", ""))
        .await
        .unwrap();
    assert_eq!(json_of(&written.entry)["data"]["key"], "aba");
}

#[tokio::test]
async fn a_webhook_that_fails_decides_as_its_policy_says() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on(
        "broken",
        |_| json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}),
    );
    let mut webhook = webhook(&hooks, "broken");
    configure(&bench, VALIDATING, "v", json!([webhook])).await;
    let message = "Internal error occurred: failed calling webhook \"broken.example.com\": failed to call webhook: \
                   webhook response is missing the response field";
    check_error(
        bench.create(kinds::CONFIG_MAP, config_map("a", "1")).await,
        500,
        message,
    );

    let reconfigure = async |webhook: &Value| {
        let object = json!({"metadata": {"name": "v"}, "webhooks": [webhook]});
        bench
            .update(target(kind(VALIDATING), "v"), "", &object)
            .await
            .unwrap();
    };
    webhook["clientConfig"]["url"] = "https://127.0.0.1:1/x".into();
    reconfigure(&webhook).await;
    let message = "Internal error occurred: failed calling webhook \"broken.example.com\": failed to call webhook: \
                   Post \"https://127.0.0.1:1/x?timeout=5s\": dial tcp 127.0.0.1:1: connect: connection refused";
    check_error(
        bench.create(kinds::CONFIG_MAP, config_map("a", "1")).await,
        500,
        message,
    );

    webhook["failurePolicy"] = "Ignore".into();
    reconfigure(&webhook).await;
    bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn services_lead_to_webhooks() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("judge", |review| deny(review, "no"));
    let mut webhook = webhook(&hooks, "judge");
    webhook["clientConfig"] = hooks.service_config("judge");
    let create = || bench.create(kinds::CONFIG_MAP, config_map("a", "1"));
    configure(&bench, VALIDATING, "v", json!([webhook])).await;
    let error = create().await.unwrap_err();
    assert!(
        error
            .message()
            .ends_with(": no endpoints available for service \"hooks.default\""),
        "{error}"
    );

    let nodes = Nodes::new(bench.env.clone(), Identity::simulated("apiserver", &[]));
    let backends = ServiceBackends::new(&bench.registry, nodes, &bench.env);
    bench.registry.reach_services_through(Arc::new(backends));
    let error = create().await.unwrap_err();
    assert!(
        error.message().ends_with(": service \"hooks\" not found"),
        "{error}"
    );
    let service = json!({
        "metadata": {"name": "hooks"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    });
    bench.create(kinds::SERVICE, service).await.unwrap();
    check_error(
        create().await,
        403,
        "admission webhook \"judge.example.com\" denied the request: no",
    );
}

#[tokio::test]
async fn a_webhook_that_is_away_keeps_no_cluster_from_starting() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    let mut away = webhook(&hooks, "away");
    away["clientConfig"]["url"] = "https://127.0.0.1:1/x".into();
    away["rules"] =
        json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]);
    configure(&bench, VALIDATING, "v", json!([away])).await;
    let reopened = bench.reopened();
    crate::seed::seed(&reopened, "127.0.0.1:6444".parse().unwrap())
        .await
        .unwrap();
    let body = config_map("a", "1").to_string().into();
    let outcome = reopened
        .create(&Context::internal(), kinds::CONFIG_MAP, "default", "a", body)
        .await;
    assert_eq!(outcome.unwrap_err().code(), 500);
}

#[tokio::test]
async fn selectors_and_conditions_choose() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("judge", |review| deny(review, "no"));
    let mut chosen = webhook(&hooks, "judge");
    chosen["objectSelector"] = json!({"matchLabels": {"judge": "me"}});
    chosen["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": "default"}});
    chosen["matchConditions"] = json!([{
        "name": "not-masters", "expression": "!request.userInfo.groups.exists(g, g == 'system:masters')",
    }]);
    configure(&bench, VALIDATING, "v", json!([chosen])).await;
    let marked = |name: &str| {
        let mut object = config_map(name, "1");
        object["metadata"]["labels"] = json!({"judge": "me"});
        object
    };
    let someone = Context::new(Arc::new(coracle_service::Peer::anonymous()));
    bench
        .create_with(&someone, kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    bench.create(kinds::CONFIG_MAP, marked("b")).await.unwrap();
    let denied = "admission webhook \"judge.example.com\" denied the request: no";
    check_error(
        bench.create_with(&someone, kinds::CONFIG_MAP, marked("c")).await,
        403,
        denied,
    );
}

#[tokio::test]
async fn batches_show_each_write() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("mark", |review| {
        Webhooks::patch(
            review,
            json!([{"op": "add", "path": "/data/marked", "value": "yes"}]),
        )
    });
    configure(&bench, MUTATING, "m", json!([webhook(&hooks, "mark")])).await;
    for atomic in [false, true] {
        let create = |index: usize| Write::Create {
            resource: kinds::CONFIG_MAP,
            namespace: "default".to_owned(),
            name: String::new(),
            body: config_map(&format!("c-{atomic}-{index}"), "1").to_string().into(),
        };
        let writes = (0..20).map(create).collect();
        let results = bench
            .registry
            .batch(&Context::internal(), writes, atomic)
            .await
            .unwrap();
        for result in results {
            assert_eq!(json_of(&result.unwrap().entry)["data"]["marked"], "yes");
        }
    }
}

#[tokio::test]
async fn policies_judge_scale_as_they_judge_objects() {
    let bench = Bench::new().await;
    let policy = |resource: &str| {
        json!({
            "metadata": {"name": resource.replace('/', "-")},
            "spec": {
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                    "resources": [resource],
                }]},
                "validations": [{"expression": "object.spec.replicas <= 5", "message": "at most 5"}],
            },
        })
    };
    let binding = |policy: &str| json!({"metadata": {"name": policy}, "spec": {"policyName": policy, "validationActions": ["Deny"]}});
    for resource in ["deployments", "deployments/scale"] {
        bench
            .create(kind("ValidatingAdmissionPolicy"), policy(resource))
            .await
            .unwrap();
        let binding = binding(&resource.replace('/', "-"));
        bench
            .create(kind("ValidatingAdmissionPolicyBinding"), binding)
            .await
            .unwrap();
    }
    bench.create(kinds::DEPLOYMENT, deployment("web")).await.unwrap();
    let denied = |policy: &str| {
        format!(
            "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding '{policy}' \
             denied request: at most 5"
        )
    };
    let patch = json!({"spec": {"replicas": 6}});
    let web = || target(kinds::DEPLOYMENT, "web");
    check_error(
        bench.patch(web(), "", patch.clone()).await,
        422,
        &denied("deployments"),
    );
    check_error(
        bench.patch(web(), "scale", patch).await,
        422,
        &denied("deployments-scale"),
    );
    bench
        .patch(web(), "scale", json!({"spec": {"replicas": 5}}))
        .await
        .unwrap();
}

#[tokio::test]
async fn custom_resources_are_shown_and_completed_again() {
    let (bench, hooks) = (Bench::new().await, Webhooks::start().await);
    hooks.on("mark", |review| {
        let patch = json!([
            {"op": "add", "path": "/spec/marked", "value": "yes"},
            {"op": "add", "path": "/spec/unknown", "value": 1},
        ]);
        Webhooks::patch(review, patch)
    });
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "integer", "default": 3}, "marked": {"type": "string"},
    }}}});
    let definition = json!({
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
            }],
        },
    });
    bench
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, definition)
        .await
        .unwrap();
    let widgets = bench
        .registry
        .catalog()
        .now()
        .by_path("example.com", "v1", "widgets")
        .unwrap();
    let mut webhook = webhook(&hooks, "mark");
    webhook["rules"][0]["apiGroups"] = json!(["example.com"]);
    webhook["rules"][0]["resources"] = json!(["widgets"]);
    configure(&bench, MUTATING, "m", json!([webhook])).await;
    let widget = json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {},
    });
    let written = bench.create(widgets, widget).await.unwrap();
    assert_eq!(
        json_of(&written.entry)["spec"],
        json!({"size": 3, "marked": "yes"})
    );
}
