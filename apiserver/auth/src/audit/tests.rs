//! Which requests are kept, what of them, and that the file is turned over.

use coracle_service::Peer;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Event, Level, Outcome, Policy, Request, Settings, log::append_all};
use crate::{Attributes, ResourceAttributes};

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  users: ["system:kube-scheduler"]
- level: None
  nonResourceURLs: ["/healthz*", "/version"]
- level: Metadata
  resources:
  - group: ""
    resources: ["secrets", "configmaps"]
- level: RequestResponse
  verbs: ["create", "update"]
  namespaces: ["prod"]
- level: Request
  resources:
  - group: "apps"
    resources: ["*/scale", "deployments"]
- level: Metadata
  userGroups: ["system:authenticated"]
"#;

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = Policy::parse(POLICY).unwrap();
    let check = |user: &str, question: &str, expected: Level| {
        let user = Peer::new(user, &["system:authenticated"]);
        let words: Vec<&str> = question.split(' ').collect();
        let (verb, what) = (words[0], words[1]);
        if what.starts_with('/') {
            let asked = Attributes::path(&user, verb, what);
            return assert_eq!(policy.level(&asked), expected, "{question}");
        }
        let mut parts = what.split('/');
        let mut part = || parts.next().unwrap_or_default();
        let group = part();
        let about = ResourceAttributes {
            group: if group == "core" { "" } else { group },
            resource: part(),
            subresource: part(),
            namespace: words.get(2).copied().unwrap_or_default(),
            ..ResourceAttributes::default()
        };
        let asked = Attributes::resource(&user, verb, about);
        assert_eq!(policy.level(&asked), expected, "{question}");
    };
    check("system:kube-scheduler", "create core/pods prod", Level::None);
    check("bob", "get /healthz/ping", Level::None);
    check("bob", "get /metrics", Level::Metadata);
    check("bob", "create core/secrets prod", Level::Metadata);
    check("bob", "create core/pods prod", Level::RequestResponse);
    check("bob", "get core/pods prod", Level::Metadata);
    check("bob", "patch apps/deployments/scale dev", Level::Request);
    check("bob", "patch apps/deployments dev", Level::Request);
    check("bob", "patch apps/deployments/status dev", Level::Metadata);
    let nobody = Peer::anonymous();
    assert_eq!(
        policy.level(&Attributes::path(&nobody, "get", "/metrics")),
        Level::None
    );
}

#[test]
fn what_is_no_policy_is_refused() {
    const HEAD: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
    for (text, part) in [
        ("kind: Policy".to_owned(), "must be a Policy of audit.k8s.io/v1"),
        (HEAD.to_owned(), "no rules"),
        (format!("{HEAD}rules: [{{level: All}}]"), "All"),
        (format!("{HEAD}rules: [{{level: None, user: x}}]"), "user"),
    ] {
        let error = Policy::parse(&text).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_event_holds_bodies_only_where_the_level_says_so() {
    let now: Timestamp = "2026-11-22T12:00:00.5Z".parse().unwrap();
    let bob = Peer::new("bob", &["system:authenticated"]);
    let about = ResourceAttributes {
        version: "v1",
        resource: "secrets",
        namespace: "d",
        name: "s",
        ..ResourceAttributes::default()
    };
    let line = |level| {
        let asked = Attributes::resource(&bob, "update", about);
        let request = Request {
            id: "id",
            uri: "/api/v1/namespaces/d/secrets/s",
            user_agent: "kubectl",
            caller: None,
            received: now,
        };
        let outcome = Outcome {
            code: 200,
            request: Some(json!({"data": "request bytes"})),
            response: Some(json!({"data": "answer bytes"})),
        };
        Event::new(level, &asked, request).finish(outcome, now)
    };
    let metadata = line(Level::Metadata);
    assert!(!metadata.contains("bytes"), "{metadata}");
    let event: Value = serde_json::from_str(&metadata).unwrap();
    let object = json!({"resource": "secrets", "namespace": "d", "name": "s", "apiVersion": "v1"});
    assert_eq!(event["objectRef"], object);
    assert_eq!(event["requestReceivedTimestamp"], "2026-11-22T12:00:00.500000Z");
    assert_eq!(event["responseStatus"]["code"], 200);
    let request = line(Level::Request);
    assert!(request.contains("request bytes") && !request.contains("answer bytes"));
    assert!(line(Level::RequestResponse).contains("answer bytes"));
}

#[test]
fn a_full_file_is_turned_over() {
    let dir = std::env::temp_dir().join(format!("coracle-audit-{}", std::process::id()));
    let path = dir.join("audit.log");
    let settings = Settings {
        path: path.clone(),
        max_bytes: 10,
        max_backups: 2,
    };
    append_all(settings.clone(), &["one", "two", "three"]);
    append_all(settings, &["four", "five and more", "six"]);
    let read =
        |suffix: &str| std::fs::read_to_string(format!("{}{suffix}", path.display())).unwrap_or_default();
    assert_eq!(read(""), "six\n");
    assert_eq!(read(".1"), "five and more\n");
    assert_eq!(read(".2"), "four\n");
    assert_eq!(read(".3"), "");
    std::fs::remove_dir_all(&dir).unwrap();
}
