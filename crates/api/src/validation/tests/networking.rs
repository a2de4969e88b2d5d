//! Ingresses, their classes, network policies and endpoint slices.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

#[test]
fn ingresses() {
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}});
    let ingress = json!({"metadata": {"name": "i", "namespace": "default"},
        "spec": {"rules": [{"host": "a.example.com", "http": {"paths": [path]}}]}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::INGRESS, &ingress, json!({ "spec": change })),
            expected
        );
    };
    let with_path = |change: Value, expected: &str| {
        let mut path = path.clone();
        crate::patch::merge::merge(&mut path, change);
        check(json!({"rules": [{"http": {"paths": [path]}}]}), expected);
    };
    check(json!({}), "");
    check(
        json!({"rules": null}),
        "spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified",
    );
    check(
        json!({"rules": [{"host": "1.2.3.4"}]}),
        "spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address",
    );
    check(json!({"rules": [{"host": "*.example.com"}]}), "");
    check(
        json!({"rules": [{"http": {"paths": []}}]}),
        "spec.rules[0].http.paths: Required value",
    );
    with_path(
        json!({"pathType": null}),
        "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
    );
    with_path(
        json!({"pathType": "Regex"}),
        "spec.rules[0].http.paths[0].pathType: Unsupported value: \"Regex\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"",
    );
    with_path(
        json!({"path": "a"}),
        "spec.rules[0].http.paths[0].path: Invalid value: \"a\": must be an absolute path",
    );
    with_path(
        json!({"path": "/a//b"}),
        "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'",
    );
    with_path(
        json!({"backend": {"service": {"port": null}}}),
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
    );
    with_path(
        json!({"backend": {"service": {"port": {"name": "http"}}}}),
        "spec.rules[0].http.paths[0].backend: Invalid value: \"\": cannot set both port name & port number",
    );
    with_path(
        json!({"backend": {"service": null}}),
        "spec.rules[0].http.paths[0].backend: Required value: resource or service backend is required",
    );
    let class = json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}, "spec": {"ingressClassName": "y"}});
    assert_eq!(
        mistakes(kinds::INGRESS, &ingress, class.clone()),
        "metadata.annotations[kubernetes.io/ingress.class]: Invalid value: \"x\": can not be set when the class field is also set",
    );
    assert_eq!(update_mistakes(kinds::INGRESS, &ingress, class), "");
}

#[test]
fn ingress_classes() {
    let class = json!({"metadata": {"name": "c"}, "spec": {"controller": "example.com/x"}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::INGRESS_CLASS, &class, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"controller": "x"}),
        "spec.controller: Invalid value: \"x\": must be a domain-prefixed path (such as \"acme.io/foo\")",
    );
    check(
        json!({"parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}),
        "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    );
    assert_eq!(
        update_mistakes(
            kinds::INGRESS_CLASS,
            &class,
            json!({"spec": {"controller": "example.com/y"}})
        ),
        "spec.controller: Invalid value: \"example.com/y\": field is immutable",
    );
}

#[test]
fn network_policies() {
    let policy = json!({"metadata": {"name": "p", "namespace": "default"}, "spec": {"podSelector": {}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(
            mistakes(kinds::NETWORK_POLICY, &policy, json!({ "spec": change })),
            expected
        );
    };
    check(json!({}), "");
    check(
        json!({"ingress": [{"from": [{}]}]}),
        "spec.ingress[0].from[0]: Required value: must specify a peer",
    );
    check(
        json!({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}),
        "",
    );
    check(
        json!({"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "10.0.0.0/8"]}}]}]}),
        "[spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`, spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`]",
    );
    check(
        json!({"ingress": [{"from": [{"ipBlock": {"cidr": "10"}, "podSelector": {}}]}]}),
        "[spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer, spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"10\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)]",
    );
    check(
        json!({"ingress": [{"ports": [{"port": 80, "endPort": 79, "protocol": "HTTP"}]}]}),
        "[spec.ingress[0].ports[0].protocol: Unsupported value: \"HTTP\": supported values: \"SCTP\", \"TCP\", \"UDP\", spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`]",
    );
    check(
        json!({"policyTypes": ["In"]}),
        "spec.policyTypes[0]: Unsupported value: \"In\": supported values: \"Egress\", \"Ingress\"",
    );
}

#[test]
fn endpoint_slices() {
    let slice = json!({"metadata": {"name": "s", "namespace": "default"}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.64.0.2"]}], "ports": [{"port": 80}]});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::ENDPOINT_SLICE, &slice, change), expected);
    };
    check(json!({}), "");
    check(json!({"addressType": null}), "addressType: Required value");
    check(
        json!({"endpoints": [{"addresses": []}]}),
        "endpoints[0].addresses: Required value: must contain at least 1 address",
    );
    check(
        json!({"endpoints": [{"addresses": ["::1"]}]}),
        "endpoints[0].addresses[0]: Invalid value: \"::1\": must be a valid IPv4 address",
    );
    check(
        json!({"ports": [{"port": 80}, {"port": 81, "protocol": "HTTP"}]}),
        "[ports[1].name: Duplicate value: \"\", ports[1].protocol: Unsupported value: \"HTTP\": supported values: \"SCTP\", \"TCP\", \"UDP\"]",
    );
    assert_eq!(
        update_mistakes(
            kinds::ENDPOINT_SLICE,
            &slice,
            json!({"addressType": "IPv6", "endpoints": []})
        ),
        "addressType: Invalid value: \"IPv6\": field is immutable",
    );
}
