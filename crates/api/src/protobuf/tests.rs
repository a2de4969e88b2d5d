//! Bodies in protobuf become the JSON that was meant, and broken ones an error.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Writes protobuf by hand: what a client sends.
#[derive(Default, Clone)]
struct Wire(Vec<u8>);

impl Wire {
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn int(self, number: u64, value: i64) -> Self {
        self.varint(number << 3).varint(value.cast_unsigned())
    }

    fn bytes(self, number: u64, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut wire = self.varint(number << 3 | 2).varint(bytes.len() as u64);
        wire.0.extend_from_slice(bytes);
        wire
    }

    fn message(self, number: u64, message: Wire) -> Self {
        self.bytes(number, message.0)
    }

    /// The body of a request.
    fn body(self, api_version: &str, kind: &str) -> Vec<u8> {
        let meta = wire().bytes(1, api_version).bytes(2, kind);
        let unknown = wire().message(1, meta).message(2, self).bytes(3, "").bytes(4, "");
        [MAGIC, &unknown.0].concat()
    }
}

fn wire() -> Wire {
    Wire::default()
}

fn check(body: Vec<u8>, expected: Value) {
    let json = to_json(&body, None).unwrap();
    let found: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(found, expected);
}

/// `ObjectMeta` as Go writes it: every plain zero is there.
fn meta(name: &str) -> Wire {
    wire()
        .bytes(1, name)
        .bytes(2, "")
        .bytes(3, "")
        .bytes(4, "")
        .bytes(5, "")
        .bytes(6, "")
        .int(7, 0)
        .message(8, wire())
}

#[test]
fn plain_zeros_go_and_pointers_stay() {
    let template = wire()
        .message(1, meta(""))
        .message(2, wire().message(2, container("web")));
    let spec = wire()
        .int(1, 0)
        .message(2, wire().message(1, wire().bytes(1, "app").bytes(2, "web")))
        .message(3, template)
        .message(4, wire().bytes(1, ""))
        .int(5, 0)
        .int(7, 0);
    let deployment = wire()
        .message(1, meta("web"))
        .message(2, spec)
        .message(3, wire().int(1, 0).int(2, 0));
    check(
        deployment.body("apps/v1", "Deployment"),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "web" },
            "spec": {
                "replicas": 0,
                "selector": { "matchLabels": { "app": "web" } },
                "strategy": {},
                "template": {
                    "metadata": {},
                    "spec": { "containers": [{
                        "name": "web",
                        "image": "web:1",
                        "ports": [{ "containerPort": 80 }],
                        "resources": { "requests": { "cpu": "100m" } },
                    }] },
                },
            },
            "status": {},
        }),
    );
}

fn container(name: &str) -> Wire {
    let port = wire().bytes(1, "").int(2, 0).int(3, 80).bytes(4, "").bytes(5, "");
    let cpu = wire().bytes(1, "cpu").message(2, wire().bytes(1, "100m"));
    wire()
        .bytes(1, name)
        .bytes(2, "web:1")
        .bytes(5, "")
        .message(6, port)
        .message(8, wire().message(2, cpu))
        .bytes(13, "")
        .int(16, 0)
}

#[test]
fn what_is_inlined_in_go_stands_in_the_object_around_it() {
    let probe = wire()
        .message(
            1,
            wire().message(2, wire().bytes(1, "/healthz").message(2, port_named("http"))),
        )
        .int(2, 5);
    let env = wire().bytes(1, "A").bytes(2, "").message(
        3,
        wire().message(4, wire().message(1, wire().bytes(1, "secret")).bytes(2, "key")),
    );
    let spec = wire()
        .message(
            1,
            wire()
                .bytes(1, "data")
                .message(2, wire().message(2, wire().bytes(1, ""))),
        )
        .message(2, container("a").message(10, probe).message(7, env))
        .message(34, wire().message(1, wire().bytes(1, "debug")).bytes(2, "a"));
    let body = wire().message(1, meta("p")).message(2, spec).body("v1", "Pod");
    let json: Value = serde_json::from_slice(&to_json(&body, None).unwrap()).unwrap();
    let spec = &json["spec"];
    assert_eq!(spec["volumes"], json!([{ "name": "data", "emptyDir": {} }]));
    assert_eq!(
        spec["containers"][0]["livenessProbe"],
        json!({ "httpGet": { "path": "/healthz", "port": "http" }, "initialDelaySeconds": 5 })
    );
    assert_eq!(
        spec["containers"][0]["env"],
        json!([{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "secret", "key": "key" } } }])
    );
    assert_eq!(
        spec["ephemeralContainers"],
        json!([{ "name": "debug", "targetContainerName": "a" }])
    );
}

fn port_named(name: &str) -> Wire {
    wire().int(1, 1).int(2, 0).bytes(3, name)
}

#[test]
fn bytes_maps_and_unknown_numbers() {
    let entry = |key: &str, value: &[u8]| wire().bytes(1, key).bytes(2, value);
    let secret = wire()
        .message(1, meta("s"))
        .message(2, entry("k", b"\x00\xff"))
        .message(2, wire().bytes(1, "empty"))
        .bytes(3, "Opaque")
        .bytes(99, "from the future")
        .int(98, 7)
        .int(5, 0);
    check(
        secret.body("v1", "Secret"),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "type": "Opaque", "immutable": false,
            "data": { "k": "AP8=", "empty": "" },
        }),
    );
}

#[test]
fn times_ports_and_lists_in_maps() {
    let meta = meta("x").message(8, wire().int(1, 1_764_000_000).int(2, 5));
    let event = wire()
        .message(1, meta.clone())
        .message(10, wire().int(1, 1_764_000_000).int(2, 123_456_789));
    let json: Value = serde_json::from_slice(&to_json(&event.body("v1", "Event"), None).unwrap()).unwrap();
    assert_eq!(json["metadata"]["creationTimestamp"], "2025-11-24T16:00:00Z");
    let extra = wire()
        .bytes(1, "scopes")
        .message(2, wire().bytes(1, "a").bytes(1, ""));
    let review = wire().message(2, wire().bytes(3, "jane").message(5, extra));
    let body = review.body("authorization.k8s.io/v1", "SubjectAccessReview");
    let json: Value = serde_json::from_slice(&to_json(&body, None).unwrap()).unwrap();
    assert_eq!(
        json["spec"],
        json!({ "user": "jane", "extra": { "scopes": ["a", ""] } })
    );
    let surge = wire().int(1, 0).int(2, 0).bytes(3, "");
    let strategy = wire()
        .bytes(1, "RollingUpdate")
        .message(2, wire().message(2, surge));
    let body = wire()
        .message(2, wire().message(4, strategy))
        .body("apps/v1", "Deployment");
    let json: Value = serde_json::from_slice(&to_json(&body, None).unwrap()).unwrap();
    assert_eq!(
        json["spec"]["strategy"],
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0 } })
    );
}

#[test]
fn schemas_of_custom_resources() {
    let string = wire().bytes(5, "string");
    let object = wire()
        .bytes(5, "object")
        .message(24, wire().message(1, string.clone()))
        .message(
            29,
            wire()
                .bytes(1, "a")
                .message(2, string.clone().message(8, wire().bytes(1, "\"x\""))),
        )
        .message(30, wire().int(1, 1));
    let version = wire()
        .bytes(1, "v1")
        .int(2, 1)
        .int(3, 1)
        .message(4, wire().message(1, object))
        .message(5, wire().message(1, wire()));
    let body = wire()
        .message(2, wire().bytes(1, "example.com").message(7, version))
        .body("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    let json: Value = serde_json::from_slice(&to_json(&body, None).unwrap()).unwrap();
    assert_eq!(
        json["spec"]["versions"],
        json!([{
            "name": "v1", "served": true, "storage": true,
            "schema": { "openAPIV3Schema": {
                "type": "object",
                "items": { "type": "string" },
                "properties": { "a": { "type": "string", "default": "x" } },
                "additionalProperties": true,
            } },
            "subresources": { "status": {} },
        }])
    );
}

#[test]
fn delete_options_come_in_the_version_of_any_group() {
    let options = wire()
        .int(1, 0)
        .bytes(4, "Foreground")
        .message(2, wire().bytes(1, "u"));
    for version in ["v1", "policy/v1", "apps/v1", "meta.k8s.io/v1"] {
        check(
            options.clone().body(version, "DeleteOptions"),
            json!({
                "apiVersion": version, "kind": "DeleteOptions",
                "gracePeriodSeconds": 0, "propagationPolicy": "Foreground", "preconditions": { "uid": "u" },
            }),
        );
    }
}

#[test]
fn a_body_may_leave_its_type_to_the_path() {
    let unknown = wire().message(2, wire().message(1, meta("c")));
    let body = [MAGIC, &unknown.0].concat();
    let json = to_json(&body, Some(("v1", "ConfigMap"))).unwrap();
    let found: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(found["kind"], "ConfigMap");
    assert!(matches!(to_json(&body, None), Err(Error::UnknownKind { .. })));
}

#[test]
fn broken_bodies_are_refused() {
    let check = |body: Vec<u8>, expected: Error| assert_eq!(to_json(&body, None).unwrap_err(), expected);
    check(b"{}".to_vec(), Error::NoPrefix);
    let pod = || wire().message(1, meta("p"));
    let mut cut = pod().body("v1", "Pod");
    cut.truncate(cut.len() - 6);
    check(cut, Error::Truncated);
    check(wire().int(1, 5).body("v1", "Pod"), Error::WrongWireType(1));
    check(wire().bytes(0, "").body("v1", "Pod"), Error::IllegalTag);
    check(
        wire().message(1, wire().bytes(1, [0xff])).body("v1", "Pod"),
        Error::IllegalValue(1),
    );
    let unknown = Error::UnknownKind {
        api_version: "v1".into(),
        kind: "Cow".into(),
    };
    check(pod().body("v1", "Cow"), unknown);
    let mut schema = wire();
    for _ in 0..2 * MAX_DEPTH {
        schema = wire().message(26, schema);
    }
    let version = wire().message(4, wire().message(1, schema));
    let body = wire()
        .message(2, wire().message(7, version))
        .body("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    check(body, Error::TooDeep);
    let mut many = wire();
    for _ in 0..=MAX_VALUES {
        many.0.extend_from_slice(&[0x12, 0]);
    }
    check(wire().message(2, many).body("v1", "Pod"), Error::TooLarge);
}

static KINDS: LazyLock<Vec<(&str, &str, &str)>> = LazyLock::new(|| crate::schema::builtin_kinds().collect());

/// Bytes that look like protobuf, to get further in than noise does.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        (1..40u64, any::<i64>()).prop_map(|(number, value)| wire().int(number, value).0),
        (1..40u64, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(number, bytes)| wire().bytes(number, bytes).0),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop::collection::vec((1..40u64, inner), 0..6).prop_map(|fields| {
            fields
                .into_iter()
                .fold(wire(), |wire, (number, bytes)| wire.bytes(number, bytes))
                .0
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_panics_and_what_is_read_is_json(bytes in messages(), at in any::<prop::sample::Index>()) {
        let (_, api_version, kind) = KINDS[at.index(KINDS.len())];
        if let Ok(json) = to_json(&Wire(bytes).body(api_version, kind), None) {
            prop_assert!(serde_json::from_slice::<Value>(&json).is_ok());
        }
    }

    #[test]
    fn noise_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = to_json(&bytes, Some(("v1", "Pod")));
        let _ = to_json(&[MAGIC, &bytes].concat(), Some(("v1", "Pod")));
    }
}
