//! Tests of the router and of certificates.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use coracle_api::kinds;
use coracle_client::{Object, ObjectApi, WatchQuery};
use coracle_runtime::{Cache, Project, fake::FakeApi, informer};
use coracle_service::{Env, Shutdown};
use serde_json::{Value, json};

use super::{router::Router, tls::Certificates, view::IngressView};

fn ingress(name: &str, spec: Value) -> Arc<IngressView> {
    let json = json!({"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": spec});
    let object = Object {
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
        revision: 1,
        json: json.to_string().into(),
    };
    Arc::new(IngressView::project(&object).unwrap())
}

fn backend(name: &str) -> Value {
    json!({"service": {"name": name, "port": {"number": 80}}})
}

/// A rule of `path=service` words; a path that ends in `!` is exact.
fn rule(host: &str, paths: &[&str]) -> Value {
    let paths: Vec<Value> = paths
        .iter()
        .map(|text| {
            let (path, service) = text.split_once('=').unwrap();
            let kind = if path.ends_with('!') { "Exact" } else { "Prefix" };
            json!({"path": path.trim_end_matches('!'), "pathType": kind, "backend": backend(service)})
        })
        .collect();
    json!({"host": host, "http": {"paths": paths}})
}

#[test]
fn rules_are_matched_as_documented() {
    let one = ingress(
        "one",
        json!({"rules": [
            rule("a.example", &["/=root", "/foo=foo", "/foo/bar=bar", "/foo!=exact", "/slash/=slash"]),
            rule("*.example", &["/=wild"]),
            rule("", &["/any=any"]),
        ]}),
    );
    let other = ingress(
        "other",
        json!({"rules": [rule("a.example", &["/foo=late", "/new=new"])]}),
    );
    let router = Router::new(&[one, other]);
    let check = |host: &str, path: &str, expected: Option<&str>| {
        let found = router.find(host, path).map(|backend| &*backend.service);
        assert_eq!(found, expected, "{host}{path}");
    };
    check("a.example", "/", Some("root"));
    check("a.example", "/foo", Some("exact"));
    check("a.example", "/foo/", Some("foo"));
    check("a.example", "/foo/x", Some("foo"));
    check("a.example", "/foobar", Some("root"));
    check("a.example", "/foo/bar/x", Some("bar"));
    check("a.example", "/slash", Some("slash"));
    check("A.Example", "/new", Some("new"));
    check("b.example", "/x", Some("wild"));
    check("b.c.example", "/x", None);
    check("elsewhere", "/any/x", Some("any"));
    check("elsewhere", "/x", None);
}

#[test]
fn default_backends_answer_for_what_nothing_fits() {
    let whole = ingress("whole", json!({"defaultBackend": backend("all")}));
    let own = ingress(
        "own",
        json!({"defaultBackend": backend("own"), "rules": [rule("a.example", &["/x=x"])]}),
    );
    let router = Router::new(&[own, whole]);
    let found = |host: &str, path: &str| router.find(host, path).map(|backend| backend.service.to_string());
    assert_eq!(found("a.example", "/x").as_deref(), Some("x"));
    assert_eq!(found("a.example", "/y").as_deref(), Some("own"));
    assert_eq!(found("b.example", "/y").as_deref(), Some("all"));
}

#[tokio::test]
async fn certificates_come_from_secrets_by_name() {
    let (api, env, shutdown) = (
        FakeApi::new(jiff::Timestamp::UNIX_EPOCH),
        Env::host(),
        Shutdown::new(),
    );
    let secret = |name: &str, certificate: &str, key: &str| {
        let data = json!({"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)});
        api.seed(
            kinds::SECRET,
            json!({"metadata": {"name": name, "namespace": "ns"}, "type": "kubernetes.io/tls", "data": data}),
        );
    };
    let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["b.example".to_owned()]).unwrap();
    secret("good", &made.cert.pem(), &made.signing_key.serialize_pem());
    secret("mixed", &made.cert.pem(), &other.signing_key.serialize_pem());
    secret("bad", "nonsense", "nonsense");
    let secrets = Cache::new(kinds::SECRET);
    let shared: Arc<dyn ObjectApi> = Arc::new(api.clone());
    informer::start(&secrets, WatchQuery::all(kinds::SECRET), shared, &env, &shutdown);
    secrets.wait_synced().await;
    let tls = |hosts: &[&str], secret: &str| json!({"hosts": hosts, "secretName": secret});
    let own = ingress(
        "own",
        json!({"tls": [
            tls(&["a.example", "*.b.example"], "good"), tls(&["c.example"], "bad"),
            tls(&["d.example"], "missing"), tls(&["e.example"], "mixed"),
        ]}),
    );
    let certificates = Certificates::new().unwrap();
    let bad: Vec<String> = certificates
        .replace(&[own], &secrets)
        .into_iter()
        .map(|(_, why)| why)
        .collect();
    assert_eq!(bad.len(), 3, "{bad:?}");
    assert!(
        bad[0].contains("Secret ns/bad: tls.crt holds no certificate"),
        "{bad:?}"
    );
    assert!(bad[1].contains("Secret ns/missing does not exist"), "{bad:?}");
    assert!(bad[2].contains("do not belong together"), "{bad:?}");
    let der = |host: &str| certificates.find(host).cert[0].to_vec();
    assert_eq!(der("a.example"), made.cert.der().to_vec());
    assert_eq!(der("x.b.example"), made.cert.der().to_vec());
    assert_ne!(der("c.example"), made.cert.der().to_vec());
    assert_eq!(der("c.example"), der("nobody"));
    shutdown.trigger();
}
