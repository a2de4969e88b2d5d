//! The table of types is whole, and its shapes say how things merge.

use super::table::{self, Row};
use super::*;
use crate::kinds::RESOURCES;

fn at(api_version: &str, kind: &str, path: &str) -> View<'static> {
    let mut view = builtin(api_version, kind).unwrap();
    for name in path.split('.') {
        let (name, is_item) = match name.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (name, false),
        };
        view = view
            .field(name)
            .unwrap_or_else(|| panic!("{kind}.{path} has no {name}"));
        if is_item {
            view = view.item();
        }
    }
    view
}

#[test]
fn every_line_of_the_table_is_understood() {
    for line in table::lines() {
        assert!(table::parse(line).is_some(), "{line}");
    }
}

#[test]
fn every_type_that_a_field_names_is_there() {
    for row in table::rows() {
        let Row::Field(field) = row else { continue };
        let mut ty = field.ty;
        while let Some(inner) = enclosed(ty, '[', ']').or_else(|| enclosed(ty, '{', '}')) {
            ty = inner;
        }
        if ty.contains('.') {
            assert!(builtin_type(ty).is_some(), "{}: {ty}", field.name);
        }
    }
}

#[test]
fn every_kind_is_in_the_table() {
    let missing: Vec<_> = RESOURCES
        .iter()
        // Those are read only and have no table upstream either.
        .filter(|resource| resource.group != "metrics.k8s.io")
        .filter(|resource| builtin(resource.api_version, resource.kind).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Bodies of subresources and kinds that only act.
    for (api_version, kind) in [
        ("v1", "Binding"),
        ("policy/v1", "Eviction"),
        ("autoscaling/v1", "Scale"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ("authentication.k8s.io/v1", "TokenRequest"),
        ("authentication.k8s.io/v1", "TokenReview"),
        ("authentication.k8s.io/v1", "SelfSubjectReview"),
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
        ("authorization.k8s.io/v1", "SelfSubjectRulesReview"),
        ("authorization.k8s.io/v1", "LocalSubjectAccessReview"),
        ("authorization.k8s.io/v1", "SubjectAccessReview"),
        ("events.k8s.io/v1", "Event"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("apiregistration.k8s.io/v1", "APIService"),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"),
        ("storage.k8s.io/v1", "CSIStorageCapacity"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        ("certificates.k8s.io/v1", "CertificateSigningRequest"),
    ] {
        assert!(builtin(api_version, kind).is_some(), "{api_version} {kind}");
    }
    assert!(builtin("v2", "Pod").is_none());
}

#[test]
fn lists_merge_as_the_markers_say() {
    let keys = |keys: &[&str]| ListMerge::Map(keys.iter().map(|key| Box::from(*key)).collect());
    for (api_version, kind, path, expected) in [
        ("v1", "Pod", "spec.containers", keys(&["name"])),
        (
            "v1",
            "Pod",
            "spec.containers[].ports",
            keys(&["containerPort", "protocol"]),
        ),
        ("v1", "Pod", "spec.containers[].args", ListMerge::Atomic),
        ("v1", "Pod", "spec.tolerations", ListMerge::Atomic),
        ("v1", "Pod", "status.hostIPs", ListMerge::Atomic),
        ("v1", "Service", "spec.ports", keys(&["port", "protocol"])),
        ("v1", "Node", "spec.podCIDRs", ListMerge::Set),
        ("v1", "Node", "metadata.finalizers", ListMerge::Set),
        ("v1", "Node", "metadata.ownerReferences", keys(&["uid"])),
        (
            "apps/v1",
            "StatefulSet",
            "spec.volumeClaimTemplates",
            ListMerge::Atomic,
        ),
        ("batch/v1", "Job", "status.conditions", ListMerge::Atomic),
    ] {
        let view = at(api_version, kind, path);
        let Shape::List { merge, .. } = view.shape() else {
            panic!("{kind}.{path} is {view:?}");
        };
        assert_eq!(*merge, expected, "{kind}.{path}");
    }
}

#[test]
fn patches_merge_as_the_tags_say() {
    for (api_version, kind, path, field, key, retain) in [
        ("v1", "Pod", "spec", "containers", Some("name"), false),
        ("v1", "Pod", "spec", "volumes", Some("name"), true),
        (
            "v1",
            "Pod",
            "spec.containers[]",
            "ports",
            Some("containerPort"),
            false,
        ),
        ("v1", "Pod", "spec.containers[]", "args", None, false),
        ("v1", "Pod", "spec.containers[].resources", "claims", None, false),
        ("v1", "Pod", "status", "hostIPs", Some("ip"), false),
        ("v1", "Pod", "metadata", "finalizers", Some(""), false),
        ("apps/v1", "Deployment", "spec", "strategy", None, true),
        ("batch/v1", "Job", "status", "conditions", Some("type"), false),
        (
            "apps/v1",
            "StatefulSet",
            "spec",
            "volumeClaimTemplates",
            None,
            false,
        ),
    ] {
        let found = at(api_version, kind, path).patch_strategy(field).unwrap();
        assert_eq!(found.merge_key.as_deref(), key, "{kind}.{path}.{field}");
        assert_eq!(found.retain_keys, retain, "{kind}.{path}.{field}");
    }
}

#[test]
fn keys_have_their_defaults_and_unions_are_owned_as_a_whole() {
    let port = at("v1", "Pod", "spec.containers[].ports[]");
    let Shape::Struct(of) = port.shape() else {
        panic!("{port:?}")
    };
    assert_eq!(of.field("protocol").unwrap().default, Some("TCP".into()));
    for (api_version, kind, path) in [
        ("apps/v1", "Deployment", "spec.selector"),
        ("v1", "Pod", "spec.containers[].env[].valueFrom.secretKeyRef"),
        ("v1", "Event", "involvedObject"),
    ] {
        let view = at(api_version, kind, path);
        assert!(
            matches!(view.shape(), Shape::Struct(of) if of.is_atomic),
            "{kind}.{path}"
        );
    }
    assert!(matches!(
        at("v1", "Pod", "spec.nodeSelector").shape(),
        Shape::Map { is_atomic: true, .. }
    ));
    assert!(matches!(
        at("v1", "Pod", "metadata.labels").shape(),
        Shape::Map { is_atomic: false, .. }
    ));
    assert!(at("v1", "ConfigMap", "kind").field("x").is_none());
}
