//! Tokens that are asked for, believed, and no longer believed.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use coracle_service::Random;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Authenticator, ISSUER, Signer, request};
use crate::tests::Objects;

struct Bench {
    objects: Arc<Objects>,
    signer: Arc<Signer>,
    authenticator: Authenticator,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        let objects = Arc::new(Objects::default());
        let named = |name: &str, uid: &str| json!({"metadata": {"name": name, "namespace": "d", "uid": uid}});
        objects.put("", "serviceaccounts", &named("robot", "account-uid"));
        let mut pod = named("p", "pod-uid");
        pod["spec"] = json!({"serviceAccountName": "robot", "nodeName": "n"});
        objects.put("", "pods", &pod);
        objects.put(
            "",
            "nodes",
            &json!({"metadata": {"name": "n", "uid": "node-uid"}}),
        );
        let signer = Arc::new(Signer::load_or_create(None).unwrap());
        Self {
            objects,
            authenticator: Authenticator::new(Arc::clone(&signer)),
            signer,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        }
    }

    fn ask(&self, spec: Value) -> Result<Value, coracle_api::ApiError> {
        let request = json!({ "spec": spec });
        let random = Random::seeded(1);
        request::answer(
            &*self.objects,
            &self.signer,
            &random,
            ("d", "robot"),
            request,
            self.now,
        )
    }

    fn token(&self, spec: Value) -> String {
        self.ask(spec).unwrap()["status"]["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn user_in(&self, token: &str, seconds: i64) -> Option<String> {
        let now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let found = self.authenticator.authenticate(&*self.objects, token, &[], now);
        found.map(|found| found.user.user)
    }
}

#[test]
fn a_token_proves_its_account_until_it_expires() {
    let bench = Bench::new();
    let answer = bench.ask(json!({"expirationSeconds": 600})).unwrap();
    assert_eq!(answer["status"]["expirationTimestamp"], "2026-11-22T12:10:00Z");
    assert_eq!(answer["spec"]["audiences"], json!([ISSUER]));
    let token = answer["status"]["token"].as_str().unwrap();
    let found = bench
        .authenticator
        .authenticate(&*bench.objects, token, &[], bench.now)
        .unwrap();
    assert_eq!(found.user.user, "system:serviceaccount:d:robot");
    assert_eq!(found.user.uid, "account-uid");
    assert_eq!(
        found.user.groups,
        [
            "system:serviceaccounts",
            "system:serviceaccounts:d",
            "system:authenticated"
        ]
    );
    assert!(bench.user_in(token, 599).is_some());
    assert_eq!(bench.user_in(token, 600), None);
    assert_eq!(bench.user_in(token, -1), None, "not before it was made");
}

#[test]
fn a_token_is_for_its_audience_alone() {
    let bench = Bench::new();
    let token = bench.token(json!({"audiences": ["vault"]}));
    assert_eq!(bench.user_in(&token, 0), None);
    let wanted = ["vault".to_owned(), "other".to_owned()];
    let found = bench
        .authenticator
        .authenticate(&*bench.objects, &token, &wanted, bench.now)
        .unwrap();
    assert_eq!(found.audiences, ["vault"]);
}

#[test]
fn a_changed_token_is_worth_nothing() {
    let bench = Bench::new();
    let token = bench.token(json!({}));
    let other = Bench::new().token(json!({}));
    assert_eq!(bench.user_in(&other, 0), None, "another cluster's");
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (_, other_signature) = other.rsplit_once('.').unwrap();
    assert_eq!(bench.user_in(&format!("{head}.{other_signature}"), 0), None);
    assert_eq!(bench.user_in(&format!("{head}x.{signature}"), 0), None);
    for junk in [
        "",
        ".",
        "..",
        "a.b.c",
        "abcdef",
        "abcdef.0123456789abcdef",
        &"x".repeat(100_000),
    ] {
        assert_eq!(bench.user_in(junk, 0), None);
    }
    assert!(bench.user_in(&token, 0).is_some());
}

#[test]
fn a_token_dies_with_what_it_is_bound_to() {
    let bench = Bench::new();
    let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "pod-uid"});
    let token = bench.token(json!({ "boundObjectRef": bound }));
    let found = bench
        .authenticator
        .authenticate(&*bench.objects, &token, &[], bench.now)
        .unwrap();
    let extra = |key: &str| found.user.extra[&format!("authentication.kubernetes.io/{key}")].join(",");
    assert_eq!(
        (extra("pod-name"), extra("pod-uid")),
        ("p".to_owned(), "pod-uid".to_owned())
    );
    assert_eq!(
        (extra("node-name"), extra("node-uid")),
        ("n".to_owned(), "node-uid".to_owned())
    );
    let reborn = json!({"metadata": {"name": "p", "namespace": "d", "uid": "other-uid"}});
    bench.objects.put("", "pods", &reborn);
    assert_eq!(bench.user_in(&token, 0), None);
    bench.objects.remove("/pods/d/p");
    assert_eq!(bench.user_in(&token, 0), None);

    let free = bench.token(json!({}));
    assert!(bench.user_in(&free, 0).is_some());
    let account = json!({"metadata": {"name": "robot", "namespace": "d", "uid": "new-uid"}});
    bench.objects.put("", "serviceaccounts", &account);
    assert_eq!(bench.user_in(&free, 0), None, "another account of the same name");
}

#[test]
fn what_cannot_be_had_is_refused() {
    let bench = Bench::new();
    let check = |spec: Value, code: u16, part: &str| {
        let error = bench.ask(spec).unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.message().contains(part), "{}", error.message());
    };
    check(
        json!({"expirationSeconds": 599}),
        422,
        "may not specify a duration less than 10 minutes",
    );
    let bound = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": name, "uid": uid}});
    check(bound("Pod", "none", ""), 404, r#"pods "none" not found"#);
    check(bound("Pod", "p", "old"), 409, "does not match the UID in record");
    check(
        bound("ConfigMap", "p", ""),
        400,
        "cannot bind token to object of type v1, Kind=ConfigMap",
    );
    let mut other = json!({"metadata": {"name": "q", "namespace": "d", "uid": "q"}});
    other["spec"] = json!({"serviceAccountName": "another"});
    bench.objects.put("", "pods", &other);
    check(bound("Pod", "q", ""), 400, "different serviceaccount name");
}

#[test]
fn the_key_stays_and_is_private() {
    let dir = std::env::temp_dir().join(format!("coracle-signer-{}", std::process::id()));
    let first = Signer::load_or_create(Some(&dir)).unwrap();
    let second = Signer::load_or_create(Some(&dir)).unwrap();
    assert_eq!(first.key_set(), second.key_set());
    let token = first.sign(&super::Claims::default()).unwrap();
    assert!(second.prove(&token).is_some());
    let path = dir.join("sa.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // A key put above the old one signs from then on, and what the old one signed stays good.
    let new = std::env::temp_dir().join(format!("coracle-signer-new-{}", std::process::id()));
    Signer::load_or_create(Some(&new)).unwrap();
    let text = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    std::fs::write(&path, text(&new.join("sa.key")) + &text(&path)).unwrap();
    let both = Signer::load_or_create(Some(&dir)).unwrap();
    assert!(both.prove(&token).is_some());
    assert!(
        first
            .prove(&both.sign(&super::Claims::default()).unwrap())
            .is_none()
    );
    std::fs::write(&path, "nonsense").unwrap();
    assert!(Signer::load_or_create(Some(&dir)).is_err());
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::remove_dir_all(&new).unwrap();
}

#[test]
fn a_bootstrap_token_is_a_secret_of_the_right_kind() {
    let bench = Bench::new();
    let put = |field: &str, value: &str| {
        let mut data = json!({
            "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:workers, system:masters", "expiration": "2026-11-22T12:01:00Z",
        });
        if !field.is_empty() {
            data[field] = json!(value);
        }
        for value in data.as_object_mut().unwrap().values_mut() {
            *value = json!(STANDARD.encode(value.as_str().unwrap()));
        }
        let metadata = json!({"name": "bootstrap-token-abcdef", "namespace": "kube-system", "uid": "u"});
        let secret = json!({"metadata": metadata, "type": "bootstrap.kubernetes.io/token", "data": data});
        bench.objects.put("", "secrets", &secret);
    };
    const TOKEN: &str = "abcdef.0123456789abcdef";
    assert_eq!(bench.user_in(TOKEN, 0), None);
    put("", "");
    let found = bench
        .authenticator
        .authenticate(&*bench.objects, TOKEN, &[], bench.now)
        .unwrap();
    assert_eq!(found.user.user, "system:bootstrap:abcdef");
    assert_eq!(
        found.user.groups,
        [
            "system:bootstrappers",
            "system:bootstrappers:workers",
            "system:authenticated"
        ]
    );
    assert_eq!(bench.user_in("abcdef.0123456789abcdee", 0), None);
    assert_eq!(bench.user_in(TOKEN, 60), None, "it has expired");
    put("usage-bootstrap-authentication", "false");
    assert_eq!(bench.user_in(TOKEN, 0), None);
    put("token-id", "fedcba");
    assert_eq!(bench.user_in(TOKEN, 0), None);
}
